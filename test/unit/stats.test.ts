import { describe, expect, it } from 'vitest'
import { jsonStringText, numRecordsOf, statsRange, statsReader } from '../../src/delta/stats.ts'
import { commitLines, haveTables } from '../support/real-logs.ts'

const STATS =
  '{"numRecords":3,"minValues":{"id":-9223372036854775808,"s":{"x":"a\\"}b","y":1.10},"v":null},' +
  '"maxValues":{"id":9223372036854775807,"s":{"x":"z"}},"nullCount":{"id":0,"s":{"x":1}},"tightBounds":false}'

describe('statsReader', () => {
  it('returns the requested values as they are written', () => {
    const reader = statsReader([['id'], ['s', 'x'], ['s', 'y'], ['v'], ['s'], ['nowhere', 'else']])
    expect(reader.read(STATS)).toEqual({
      numRecords: '3',
      tightBounds: false,
      min: ['-9223372036854775808', '"a\\"}b"', '1.10', undefined, undefined, undefined],
      max: ['9223372036854775807', '"z"', undefined, undefined, undefined, undefined],
      nulls: ['0', '1', undefined, undefined, undefined, undefined],
    })
  })

  it('does not keep values of the text before', () => {
    const reader = statsReader([['id']])
    expect(reader.read(STATS)?.min).toEqual(['-9223372036854775808'])
    expect(reader.read('{}')).toEqual({
      numRecords: undefined,
      tightBounds: true,
      min: [undefined],
      max: [undefined],
      nulls: [undefined],
    })
  })

  it('reads spaces, escaped keys, nullCounts, and words that are not JSON', () => {
    const text =
      ' {\n "minValues" : { "a\\u0062" : NaN , "c": [1,{"d":"]"}] } , "nullCounts":{"ab" : 2},"x":{}, "y":[] }\t'
    expect(statsReader([['ab'], ['c']]).read(text)).toMatchObject({ min: ['NaN', undefined], nulls: ['2', undefined] })
  })

  it.each([
    '',
    'null',
    '[]',
    '{"numRecords":3',
    '{"numRecords":3,}',
    '{"numRecords" 3}',
    '{"minValues":{"a":1}',
    '{"a":"}',
    '{"a":"\\',
    '{"a":}',
    '{"a":1}x',
    '{a:1}',
    '{"a":{"b":1}',
    '{"a":1 "b":2}',
  ])('returns null for %s', (text) => {
    expect(statsReader([['a']]).read(text)).toBeNull()
  })

  it.skipIf(!haveTables)('agrees with JSON.parse on the stats of the real tables', () => {
    let compared = 0
    for (const { line } of commitLines()) {
      const stats = line.add?.stats
      if (!stats) continue
      const parsed = JSON.parse(stats) as Record<string, unknown>
      const leaves = new Map<string, string[]>()
      const walk = (value: unknown, path: string[]): void => {
        if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
          for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key])
        } else leaves.set(JSON.stringify(path), path)
      }
      for (const key of ['minValues', 'maxValues', 'nullCount']) walk(parsed[key], [])
      const paths = [...leaves.values()].filter((path) => path.length > 0)
      const read = statsReader(paths).read(stats)
      const valueAt = (key: string, path: string[]) =>
        path.reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], parsed[key])
      for (const [slot, path] of paths.entries()) {
        for (const [key, pieces] of [
          ['minValues', read?.min],
          ['maxValues', read?.max],
          ['nullCount', read?.nulls],
        ] as const) {
          const expected = valueAt(key, path)
          if (typeof expected === 'object' && expected !== null) continue
          const piece = pieces?.[slot]
          expect(piece === undefined ? undefined : JSON.parse(piece)).toEqual(expected ?? undefined)
          compared++
        }
      }
      expect(numRecordsOf(stats)).toBe(parsed['numRecords'] ?? null)
    }
    expect(compared).toBeGreaterThan(5000)
  })
})

describe('numRecordsOf', () => {
  it.each([
    [null, null],
    [undefined, null],
    ['', null],
    ['{}', null],
    ['{"numRecords":0}', 0],
    [' { "numRecords" : 42 , "x":1}', 42],
    ['{"minValues":{"numRecords":7},"numRecords":3}', 3],
    ['{"minValues":{"numRecords":7}}', null],
    ['{"minValues":{"a":"\\"numRecords\\":9"},"numRecords":3}', 3],
    ['{"numRecords":9007199254740991}', 9_007_199_254_740_991],
    ['{"numRecords":9007199254740992}', null],
    ['{"numRecords":-1}', null],
    ['{"numRecords":1.5}', null],
    ['{"numRecords":"3"}', null],
    ['{"numRecords":null}', null],
    ['{"numRecords":3,"minValues":{"a"', null],
    ['{"numRecords":3', null],
    ['{"numRecords":3,"minValues":{"a":1}', null],
    ['{"numRecords":3,"minValues":{"a":NaN}}', 3],
    ['{"numRecords":3,"minValues":{"a":"\\x"}}', null],
  ])('%s', (stats, expected) => {
    expect(numRecordsOf(stats)).toBe(expected)
  })
})

describe('statsRange', () => {
  it('returns texts to print', () => {
    expect(statsRange(STATS, ['id'])).toEqual({ min: '-9223372036854775808', max: '9223372036854775807', nulls: '0' })
    expect(statsRange(STATS, ['s', 'x'])).toEqual({ min: 'a"}b', max: 'z', nulls: '1' })
    expect(statsRange(STATS, ['v'])).toEqual({})
    expect(statsRange(null, ['id'])).toEqual({})
    expect(statsRange('{', ['id'])).toEqual({})
  })
})

describe('jsonText', () => {
  it('undoes escapes', () => {
    expect(jsonStringText('"a"')).toBe('a')
    expect(jsonStringText('"\\u00e4\\n"')).toBe('ä\n')
    expect(jsonStringText('1')).toBeNull()
    expect(jsonStringText('"\\x"')).toBeNull()
  })
})
