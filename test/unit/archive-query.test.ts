import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mayMatch } from '../../src/archive/query/archived-part.ts'
import { unitsText, unitsOf } from '../../src/archive/query/units.ts'
import type { Interval, QueryColumn } from '../../src/model/archive/query-port.ts'
import type { StoredType } from '../../src/model/archive/stored-column.ts'
import { sqlLiteral } from '../../src/shared/sql-text.ts'
import { openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { needsOf, DISABLED_OPTIMIZERS } from '../../src/stores/duckdb/archive-query/needs.ts'
import { distinctNames } from '../../src/stores/duckdb/archive-query/values.ts'

function column(name: string, stored: StoredType): QueryColumn {
  const type = { kind: 'native', name: '' } as const
  return {
    name,
    physical: name,
    stored,
    as: type,
    column: { name, type, native: '', nullable: true },
    archived: true,
    hot: true,
  }
}

describe('days and timestamps as numbers', () => {
  test.each([
    ['2024-04-01', 'date', 19814n],
    ['2024-04-01 00:00:00', 'date', 19814n],
    ['2024-04-01 00:00:01', 'date', null],
    ['2024-02-30', 'date', null],
    ['1969-12-31', 'date', -1n],
    ['infinity', 'date', null],
    ['0044-03-15 BC', 'date', null],
    ['1970-01-01 00:00:00.5', 'timestamp_ntz', 500_000n],
    ['1970-01-01T00:00:01Z', 'timestamp', 1_000_000n],
    ['1970-01-01 02:00:00+02', 'timestamp', 0n],
    ['1970-01-01 00:00:00-05:30', 'timestamp', 19_800_000_000n],
    ['1970-01-01 02:00:00+02', 'timestamp_ntz', null],
    ['1970-01-01', 'timestamp', 0n],
    ['-17', 'long', -17n],
    ['1.5', 'long', null],
    ['2024-04-01', 'string', null],
  ] as const)('%s as %s', (text, stored, units) => {
    expect(unitsOf(text, stored)).toBe(units)
  })

  test('every timestamp has one text, which is read back', () => {
    const moments = fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n })
    fc.assert(
      fc.property(moments, (units) => unitsOf(unitsText(units, 'timestamp_ntz') ?? '', 'timestamp_ntz') === units),
    )
    expect(unitsText(-62_135_596_800_000_001n, 'timestamp')).toBeNull()
    expect(unitsText(10n ** 18n, 'date')).toBeNull()
  })
})

describe('partitions that may hold rows of an interval', () => {
  const day = column('day', 'date')
  const quarter = { from: '2024-04-01', to: '2024-07-01' }
  test.each([
    ['2024-04-01', null, true],
    ['2024-06-30', null, true],
    ['2024-07-01', null, false],
    [null, '2024-04-01', true],
    [null, '2024-03-31', false],
    ['2024-05-01', '2024-05-02', true],
    [null, null, true],
  ] as const)('from %s to %s', (least, most, expected) => {
    const units = (text: string | null): bigint | null => (text === null ? null : unitsOf(text, 'date'))
    const interval = { column: 'day', least: units(least), most: units(most) }
    expect(mayMatch(quarter, day, [interval])).toBe(expected)
    expect(mayMatch({ from: 'somewhen', to: null }, day, [interval])).toBe(true)
    expect(mayMatch(quarter, null, [interval])).toBe(true)
    expect(mayMatch(quarter, column('other', 'date'), [interval])).toBe(true)
  })
})

test('names that differ only in case get a number', () => {
  expect(distinctNames(['a', 'A', 'b', 'a_1', 'Ä'])).toEqual(['a_2', 'A_3', 'b', 'a_1', 'Ä'])
  expect(distinctNames(['upper', 'UPPER'])).toEqual(['upper_1', 'UPPER_2'])
})

describe('columns and intervals that a statement reads', () => {
  const columns = [column('id', 'long'), column('day', 'date'), column('at', 'timestamp_ntz'), column('note', 'string')]

  async function needs(sql: string): Promise<{ columns: string[]; intervals: readonly Interval[] }> {
    using db = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
    const rows = async (text: string): Promise<unknown[][]> => (await db.connection.run(text)).getRows()
    await rows('CREATE TABLE stand_in (c0 BIGINT, c1 DATE, c2 TIMESTAMP, c3 VARCHAR)')
    await rows('CREATE VIEW t AS SELECT c0 AS id, c1 AS day, c2 AS at, c3 AS note FROM stand_in')
    await rows('CREATE TABLE other (id BIGINT, day DATE)')
    await rows(`SET disabled_optimizers = '${DISABLED_OPTIMIZERS.join(',')}'`)
    const [[plan] = []] = await rows(`SELECT json_serialize_plan(${sqlLiteral(sql)}, optimize := true)`)
    const found = needsOf(String(plan), 'stand_in', columns)
    if (found === null) throw new Error(`no plan: ${String(plan)}`)
    return { columns: [...found.columns].toSorted(), intervals: found.intervals }
  }
  const day = (text: string): bigint => unitsOf(text, 'date') ?? 0n

  test('an error in place of a plan gives null', () => {
    expect(needsOf('{"error":true,"error_type":"binder"}', 'stand_in', columns)).toBeNull()
  })

  test('integers that JSON rounds are exact, and a text that contains one is ignored', () => {
    const plan = (value: string): string =>
      `{"error":false,"plans":[{"type":"LOGICAL_GET","function_data":{"table":"stand_in"},"column_indexes":[{"index":0}],
        "table_filters":{"filters":[{"key":0,"value":{"filter_type":"CONSTANT_COMPARISON","comparison_type":"COMPARE_EQUAL",
        "constant":{"type":{"id":"BIGINT"},"is_null":false,"value":${value}}}}]}}]}`
    const large = needsOf(plan('1234567890123456789'), 'stand_in', columns)
    expect(large?.intervals).toEqual([{ column: 'id', least: 1234567890123456789n, most: 1234567890123456789n }])
    expect(needsOf(plan('9223372036854775807'), 'stand_in', columns)?.intervals).toEqual([])
    expect(needsOf(plan(String.raw`"x\"value\":1234567890123456789}"`), 'stand_in', columns)?.intervals).toEqual([])
  })

  test.each(['NaN', 'Infinity', '-Infinity'])('%s as a constant', async (value) => {
    using db = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
    const rows = async (text: string): Promise<unknown[][]> => (await db.connection.run(text)).getRows()
    await rows('CREATE TABLE stand_in (c0 DOUBLE)')
    const sql = `SELECT 1 FROM stand_in WHERE c0 >= '${value}' OR c0 IN (1, '${value}')`
    const [[plan] = []] = await rows(`SELECT json_serialize_plan(${sqlLiteral(sql)}, optimize := true)`)
    expect(String(plan)).toContain(value)
    expect(needsOf(String(plan), 'stand_in', [column('d', 'double')])).toEqual({
      columns: new Set(['d']),
      intervals: [],
      texts: 'none',
    })
  })

  test.each<[string, readonly string[], readonly Interval[]]>([
    ['SELECT count(*) FROM t', [], []],
    [
      "SELECT id FROM t WHERE day >= '2024-04-01'",
      ['day', 'id'],
      [{ column: 'day', least: day('2024-04-01'), most: null }],
    ],
    [
      "SELECT 1 FROM t WHERE day > '2024-04-01' AND day < '2024-05-01'",
      ['day'],
      [{ column: 'day', least: day('2024-04-02'), most: day('2024-04-30') }],
    ],
    [
      "SELECT 1 FROM t WHERE NOT day < '2024-04-01'",
      ['day'],
      [{ column: 'day', least: day('2024-04-01'), most: null }],
    ],
    [
      "SELECT 1 FROM t WHERE date_trunc('month', day) = '2024-04-01'",
      ['day'],
      [{ column: 'day', least: day('2024-04-01'), most: day('2024-04-30') }],
    ],
    ['SELECT note FROM (SELECT * FROM t) WHERE id = 7', ['id', 'note'], [{ column: 'id', least: 7n, most: 7n }]],
    ["SELECT 1 FROM t WHERE day = '2024-04-01' OR id = 7", ['day', 'id'], []],
    ['SELECT 1 FROM t WHERE day IS NULL', ['day'], []],
    ["SELECT 1 FROM t WHERE day <> '2024-04-01'", ['day'], []],
    ["SELECT 1 FROM t WHERE note = 'x AND c0>=5' AND lower(note) > 'a'", ['note'], []],
    ["SELECT 1 FROM t a, t b WHERE a.id = b.id AND a.day = '2024-04-01'", ['day', 'id'], []],
    ['SELECT 1 FROM t WHERE id = 7 UNION ALL SELECT 1 FROM t', ['id'], []],
    [
      "SELECT o.id FROM other o LEFT JOIN t ON t.id = o.id AND t.day < '2024-04-01'",
      ['day', 'id'],
      [{ column: 'day', least: null, most: day('2024-03-31') }],
    ],
    ["SELECT t.id FROM t LEFT JOIN other o ON t.id = o.id AND t.day < '2024-04-01'", ['day', 'id'], []],
    ["SELECT count(*) FILTER (day = '2024-04-01') FROM t", ['day'], []],
    ["SELECT row_number() OVER (ORDER BY id) AS n, day FROM t QUALIFY day = '2024-04-01'", ['day', 'id'], []],
    ['SELECT id FROM t ORDER BY "at" LIMIT 3', ['at', 'id'], []],
    [
      'WITH x AS MATERIALIZED (SELECT * FROM t) SELECT (SELECT count(*) FROM x WHERE id = 7), (SELECT max(day) FROM x)',
      ['day', 'id'],
      [],
    ],
    [
      'SELECT id, (SELECT count(*) FROM other o WHERE o.day = t.day) FROM t WHERE id > 5',
      ['day', 'id'],
      [{ column: 'id', least: 6n, most: null }],
    ],
  ])('%s', async (sql, named, intervals) => {
    const found = await needs(sql)
    // Reading more columns than needed is allowed, fewer is not.
    expect(found.columns).toEqual(expect.arrayContaining([...named]))
    expect(found.intervals).toEqual(intervals)
  })
})
