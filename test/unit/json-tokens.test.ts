import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { duplicateName, countNames } from '../../src/delta/duplicate-names.ts'
import { parseAction } from '../../src/delta/commit-lines.ts'
import { canonicalJson } from '../../src/model/copy/canonical.ts'
import { eachScalar, jsonTokens } from '../../src/model/lake/json-tokens.ts'
import { printedJson, parseJson } from '../../src/model/lake/json-tree.ts'

/** A string that overflows the stack of a regular expression for strings. */
const LONG = 'a'.repeat(10_000_000)

describe('JSON by its tokens', () => {
  it('the tokens are the same whatever the spacing of the text', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(4), (json, blanks) => {
        const spread = JSON.stringify(JSON.parse(json), null, blanks)
        expect([...jsonTokens(spread)].join('')).toBe(JSON.stringify(JSON.parse(json)))
      }),
    )
  })

  it('finds every scalar under the path that JSON.parse gives it', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (json) => {
        const value = JSON.parse(json) as unknown
        eachScalar(json, (path, token) => {
          const there = path.reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], value)
          // If a name occurs twice, JSON.parse keeps only one value.
          if (duplicateName(json, countNames(value)) === null) expect(there).toEqual(JSON.parse(token))
        })
      }),
    )
  })

  it('accepts and refuses the same texts as JSON.parse', () => {
    const texts = [
      '[1 true',
      '[1true]',
      '{"a" 1}',
      '{"a":1 null',
      '[1,]',
      '{,}',
      '"\\x"',
      '"\n"',
      '01',
      '-',
      'tru',
      '[[]',
      '1 2',
      '',
      '"a',
    ]
    for (const text of texts) {
      expect(() => parseJson(text), text).toThrow('this is not JSON')
      expect(() => canonicalJson(text), text).toThrow('this is not JSON')
    }
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '1', 'a', 'null', ' ') }),
        (text) => {
          let isJson = true
          try {
            JSON.parse(text)
          } catch {
            isJson = false
          }
          let isRead = true
          try {
            parseJson(text)
          } catch {
            isRead = false
          }
          expect(isRead).toBe(isJson)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('keeps all digits of a number', () => {
    expect(printedJson(parseJson('{"a": [1.50, 1e400, -0, 12345678901234567890]}'))).toBe(
      '{"a":[1.50,1e400,-0,12345678901234567890]}',
    )
  })

  it('reads a string of ten million characters', () => {
    expect(canonicalJson(` {"a" : "${LONG}"}`)).toHaveLength(LONG.length + 8)
    expect(
      parseAction(
        `{"add" :{"path":"${LONG}","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}`,
        () => '',
      ).kind,
    ).toBe('add')
  })

  it('finds a duplicate name next to a name that ends with a backslash', () => {
    const line = String.raw`{"b":1,"b":2,"c\\":1}`
    expect(duplicateName(line, countNames(JSON.parse(line)))).toBe('b')
    const quoted = String.raw`{"b":"\":","c\\\"":1}`
    expect(duplicateName(quoted, countNames(JSON.parse(quoted)))).toBe(null)
  })
})
