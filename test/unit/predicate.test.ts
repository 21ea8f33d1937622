import { describe, expect, it } from 'vitest'
import { predicateColumns, parsePredicate } from '../../src/model/lake/predicate.ts'
import { renderPredicate } from '../support/render-predicate.ts'
import { sluiceErrorOf } from '../support/sluice-error.ts'

const rendered = (text: string) => renderPredicate(parsePredicate(text))

const errorOf = (text: string) => sluiceErrorOf(() => parsePredicate(text))

describe('parsePredicate', () => {
  it('parses a condition to plain data', () => {
    expect(parsePredicate("date >= '2024-01-01' AND id = -7")).toEqual({
      text: "date >= '2024-01-01' AND id = -7",
      root: {
        kind: 'and',
        parts: [
          {
            kind: 'compare',
            column: { names: ['date'], at: 0 },
            op: '>=',
            value: { kind: 'string', text: '2024-01-01', at: 8 },
          },
          {
            kind: 'compare',
            column: { names: ['id'], at: 25 },
            op: '=',
            value: { kind: 'number', text: '-7', at: 30 },
          },
        ],
      },
    })
  })

  it.each([
    ['a=1', 'a = 1'],
    ['a == 1', 'a = 1'],
    ['a != 1', 'a <> 1'],
    ['a<>1', 'a <> 1'],
    ['a<-1', 'a < -1'],
    ['a > +1.50', 'a > 1.50'],
    ['a > .5', 'a > .5'],
    ['a <= 6.02e23', 'a <= 6.02e23'],
    ['a = 123456789012345678901234567890', 'a = 123456789012345678901234567890'],
    ['7 < a', 'a > 7'],
    ["'x' = a", "a = 'x'"],
    ["DATE '2024-02-29' >= d", "d <= DATE '2024-02-29'"],
    ["a = 'it''s'", "a = 'it''s'"],
    ['"my col" = true', '`my col` = TRUE'],
    ['`a``b` = False', '`a``b` = FALSE'],
    ['a.b."c d".e = 1', 'a.b.`c d`.e = 1'],
    ['a IN (1, 2,3)', 'a IN (1, 2, 3)'],
    ["a not in ('x')", "a NOT IN ('x')"],
    ['a between 1 and 2 and b = 3', 'a BETWEEN 1 AND 2 AND b = 3'],
    ['a NOT BETWEEN 1 AND 2', 'a NOT BETWEEN 1 AND 2'],
    ['a is null or b is not null', 'a IS NULL OR b IS NOT NULL'],
    ["a LIKE 'x%' OR a NOT LIKE '\\%_'", "a LIKE 'x%' OR a NOT LIKE '\\%_'"],
    ['NOT a = 1 AND b = 2', 'NOT a = 1 AND b = 2'],
    ['NOT (a = 1 AND b = 2)', 'NOT (a = 1 AND b = 2)'],
    ['(a = 1 OR b = 2) AND c = 3', '(a = 1 OR b = 2) AND c = 3'],
    ['a = 1 OR b = 2 AND c = 3', 'a = 1 OR b = 2 AND c = 3'],
    ['((a = 1)) AND (b = 2 AND c = 3)', 'a = 1 AND b = 2 AND c = 3'],
    [
      "date = DATE '2024-01-01' AND timestamp > TIMESTAMP '2024-01-01 10:00:00.5+02:00'",
      "date = DATE '2024-01-01' AND timestamp > TIMESTAMP '2024-01-01 10:00:00.5+02:00'",
    ],
    ['größe = NULL', 'größe = NULL'],
    ['`and` = 1', '`and` = 1'],
  ])('reads %s', (text, expected) => {
    expect(rendered(text)).toBe(expected)
    expect(rendered(expected)).toBe(expected)
  })

  it.each([
    ['', 'the condition is empty at character 1'],
    ['   ', 'the condition is empty at character 4'],
    ['a', 'expected a comparison, found the end at character 2'],
    ['a =', 'expected a value, found the end at character 4'],
    ['a = b', 'expected a value, found "b" at character 5'],
    ['a = "x"', 'expected a value, found "x" at character 5'],
    ['= 1', 'expected a column, found "=" at character 1'],
    ['a = 1 b = 2', 'expected AND, OR or the end, found "b" at character 7'],
    ['(a = 1', 'expected ")", found the end at character 7'],
    ['a = 1)', 'expected AND, OR or the end, found ")" at character 6'],
    ["a = 'x", "the quote ' is never closed at character 5"],
    ['a = 7abc', '"7abc" is neither a number nor a name at character 5'],
    ['a ~ 1', 'unexpected "~" at character 3'],
    ['a = 😀', 'unexpected "😀" at character 5'],
    ['a IN ()', 'expected a value, found ")" at character 7'],
    ['a IN 1', 'expected "(", found "1" at character 6'],
    ['a BETWEEN 1', 'expected AND, found the end at character 12'],
    ['a IS 1', 'expected NULL, found "1" at character 6'],
    ['a LIKE 1', 'LIKE needs a text in single quotes at character 8'],
    ['a NOT = 1', 'expected IN, BETWEEN or LIKE after NOT, found "=" at character 7'],
    ["d > DATE '2024-02-30'", "'2024-02-30' is not a date at character 10"],
    ["d > TIMESTAMP '10:00'", "'10:00' is not a timestamp at character 15"],
    ['in = 1', 'expected a column, found "in" at character 1'],
    ['a. = 1', 'expected a column, found "=" at character 4'],
    ['a = - b', 'expected a number, found "b" at character 7'],
    ['("") = 1', 'expected a column, found "" at character 2'],
  ])('refuses %s', (text, message) => {
    const error = errorOf(text)
    expect(error.code).toBe('BAD_PREDICATE')
    expect(error.message.split('\n')[0]).toBe(message)
  })

  it('puts a caret below the error', () => {
    expect(errorOf('a = 1 AND\nb ~ 2').message).toBe(
      'unexpected "~" at character 13\n  a = 1 AND b ~ 2\n              ^',
    )
    const long = `${'a = 1 OR '.repeat(30)}b ~ 2${' OR a = 1'.repeat(30)}`
    const lines = errorOf(long).message.split('\n')
    const [, shown = '', caret = ''] = lines
    expect(shown.length).toBeLessThan(130)
    expect(shown.charAt(caret.indexOf('^'))).toBe('~')
    expect(shown).toMatch(/^ {2}….*…$/)
  })

  it('has a hint if a value needs quotes', () => {
    expect(errorOf('a = "x"').hint).toMatch(/single quotes: 'x'/)
    expect(errorOf('in = 1').hint).toMatch('`in`')
  })

  it('refuses conditions that are nested too deep', () => {
    expect(errorOf(`${'('.repeat(50_000)}a = 1`).message).toMatch(/nested more than 200 deep/)
    expect(errorOf(`${'NOT '.repeat(50_000)}a = 1`).message).toMatch(/nested more than 200 deep/)
    expect(rendered(Array.from({ length: 5000 }, (_, i) => `a = ${i}`).join(' OR '))).toMatch(/a = 4999$/)
  })
})

describe('columnsOf', () => {
  it('lists every column once', () => {
    const predicate = parsePredicate('b = 1 AND NOT (a.c IS NULL OR b > 2) AND a.c IN (1)')
    expect(predicateColumns(predicate).map(({ names }) => names)).toEqual([['b'], ['a', 'c']])
  })
})
