import { describe, expect, it } from 'vitest'
import { compilePruning } from '../../src/delta/pruning.ts'
import { parseSchema } from '../../src/delta/schema.ts'
import type { StructType } from '../../src/delta/schema.ts'
import { compareCodePoints } from '../../src/delta/values/domains.ts'
import { parsePredicate, renderColumn } from '../../src/model/lake/predicate.ts'
import { commitLines, haveTables } from '../support/real-logs.ts'
import { sluiceErrorOf } from '../support/sluice-error.ts'

const field = (name: string, type: unknown, metadata: object = {}) => ({ name, type, nullable: true, metadata })
const SCHEMA = parseSchema(
  JSON.stringify({
    type: 'struct',
    fields: [
      field('id', 'long'),
      field('price', 'double'),
      field('ratio', 'float'),
      field('amount', 'decimal(10,2)'),
      field('wide', 'decimal(38,18)'),
      field('whole', 'decimal(38,0)'),
      field('name', 'string'),
      field('day', 'date'),
      field('at', 'timestamp'),
      field('wall', 'timestamp_ntz'),
      field('ok', 'boolean'),
      field('raw', 'binary'),
      field('v', 'variant'),
      field('odd', 'geometry'),
      field('grown', 'double', { 'delta.typeChanges': [{ fromType: 'float', toType: 'double' }] }),
      field('folded', 'string', { __COLLATIONS: { folded: 'spark.UTF8_LCASE' } }),
      field('s', { type: 'struct', fields: [field('x', 'integer'), field('deep name', 'string')] }),
      field('list', { type: 'array', elementType: 'long', containsNull: true }),
      field('a.b', 'long'),
      field('year', 'integer'),
      field('region', 'string'),
      field('pday', 'date'),
      field('pat', 'timestamp'),
      field('pnum', 'double'),
    ],
  }),
)
const PARTITIONS = ['year', 'region', 'pday', 'pat', 'pnum']
const compile = (text: string, schema: StructType = SCHEMA, partitions: readonly string[] = PARTITIONS) =>
  compilePruning(parsePredicate(text), schema, partitions)

function stats(column: string, min: string | null, max: string | null, more = ''): string {
  const one = (value: string | null) => (value === null ? '{}' : `{"${column}":${value}}`)
  return `{"numRecords":10,"minValues":${one(min)},"maxValues":${one(max)},"nullCount":{"${column}":0}${more}}`
}
const byStats = (text: string, column: string, min: string | null, max: string | null, more = '') =>
  compile(text).byStats(stats(column, min, max, more))

describe('integers', () => {
  it.each([
    ['id = 4', false],
    ['id = 5', true],
    ['id = 10', true],
    ['id = 10.0', true],
    ["id = '11'", false],
    ['id < 5', false],
    ['id <= 5', true],
    ['id < 5.5', true],
    ['id > 10', false],
    ['id >= 10', true],
    ['id > 9.99', true],
    ['id <> 5', true],
    ['NOT id <> 5', true],
    ['NOT id <> 11', false],
    ['NOT id >= 5', false],
    ['NOT id < 10', true],
    ['NOT id < 11', false],
    ['NOT id > 5', true],
    ['NOT id > 4', false],
    ['NOT id <= 10', false],
    ['NOT id = 5', true],
    ['id IN (1, 2, 11)', false],
    ['id IN (1, 7)', true],
    ['id NOT IN (1, 7)', true],
    ['id BETWEEN 11 AND 20', false],
    ['id BETWEEN 10 AND 20', true],
    ['id BETWEEN 8 AND 6', false],
    ['id NOT BETWEEN 5 AND 10', false],
    ['id NOT BETWEEN 6 AND 10', true],
    ['id = NULL', false],
    ['NOT id = NULL', false],
    ['id NOT IN (1, NULL)', false],
    ['id IN (NULL, 7)', true],
    ['id NOT BETWEEN NULL AND 3', true],
    ['id NOT BETWEEN NULL AND 30', false],
    ['id IS NULL', false],
    ['id IS NOT NULL', true],
    ['id = 4 OR id = 6', true],
    ['id >= 5 AND id < 5', false],
    ['NOT (id >= 5 OR id = 3)', false],
    ['ID = 5', true],
  ])('%s over 5 to 10', (text, expected) => {
    expect(byStats(text, 'id', '5', '10')).toBe(expected)
  })

  it('does not round int64', () => {
    const [min, max] = ['9007199254740993', '9223372036854775806']
    expect(byStats('id = 9007199254740992', 'id', min, max)).toBe(false)
    expect(byStats('id = 9007199254740993', 'id', min, max)).toBe(true)
    expect(byStats('id = 9223372036854775807', 'id', min, max)).toBe(false)
    expect(byStats('id <> 9007199254740993', 'id', min, min)).toBe(false)
    expect(byStats('id <> 9007199254740992', 'id', min, min)).toBe(true)
  })
})

describe('missing or unreliable stats', () => {
  it.each([
    ['id = 99', null],
    ['id = 99', ''],
    ['id = 99', '{"numRecords":1,"minValues":{"id":1},"maxValues":{"id":2'],
    ['id = 99', '{"numRecords":1}'],
    ['id = 99', '{"minValues":{"id":1}}'],
    ['id = 0', '{"maxValues":{"id":1}}'],
    ['id = 99', '{"minValues":{"id":null},"maxValues":{"id":null}}'],
    ['id = 99', '{"minValues":{"id":"x"},"maxValues":{"id":{}}}'],
    ['v IS NULL', '{"numRecords":1,"nullCount":{"v":0}}'],
    ['odd = 99', stats('odd', '1', '2')],
    ["folded = 'X'", stats('folded', '"a"', '"b"')],
    ["raw = 'z'", stats('raw', '"a"', '"b"')],
    ['id IS NULL', '{"numRecords":1,"nullCount":{"id":1},"tightBounds":false}'],
    ['id = 1', '{"nullCount":{"id":1}}'],
  ])('keep the file: %s over %s', (text, given) => {
    expect(compile(text).byStats(given)).toBe(true)
  })

  it('are not needed if other stats decide', () => {
    expect(compile('id = 99').byStats('{"maxValues":{"id":1}}')).toBe(false)
    expect(compile('id = 99 AND price = 1').byStats('{"maxValues":{"id":1}}')).toBe(false)
  })

  it('uses null counts only with tight bounds', () => {
    const allNull = '{"numRecords":7,"minValues":{},"maxValues":{},"nullCount":{"id":7}'
    expect(compile('id = 1').byStats(`${allNull}}`)).toBe(false)
    expect(compile('id <> 1').byStats(`${allNull}}`)).toBe(false)
    expect(compile('id IS NOT NULL').byStats(`${allNull}}`)).toBe(false)
    expect(compile('id IS NULL').byStats(`${allNull}}`)).toBe(true)
    expect(compile('id = 1').byStats(`${allNull},"tightBounds":false}`)).toBe(true)
    expect(compile('id = 1').byStats(`${allNull.replace('nullCount', 'nullCounts')}}`)).toBe(false)
    expect(byStats('id IS NULL', 'id', '1', '2', ',"tightBounds":false')).toBe(true)
    expect(byStats('id = 3', 'id', '1', '2', ',"tightBounds":false')).toBe(false)
  })
})

describe('floats', () => {
  it('assumes a possible NaN above max', () => {
    expect(byStats('price > 100', 'price', '1', '2.5')).toBe(true)
    expect(byStats('price >= 100', 'price', '1', '2.5')).toBe(true)
    expect(byStats('NOT price < 100', 'price', '1', '2.5')).toBe(true)
    expect(byStats('price = 100', 'price', '1', '2.5')).toBe(false)
    expect(byStats('price BETWEEN 100 AND 200', 'price', '1', '2.5')).toBe(false)
    expect(byStats('price < 1', 'price', '1', '2.5')).toBe(false)
    expect(byStats('price <> 1', 'price', '1', '1')).toBe(true)
    expect(byStats('price < 0', 'price', '"NaN"', '"NaN"')).toBe(true)
    expect(byStats('price < 0', 'price', '"-Infinity"', '5')).toBe(true)
    expect(byStats('price = 0', 'price', '-0.0', '-0.0')).toBe(true)
  })

  it('compares 0.1 as float and as double', () => {
    expect(byStats('ratio = 0.1', 'ratio', '0.1', '0.1')).toBe(true)
    expect(byStats('ratio > 0.1', 'ratio', '0.1', '0.1')).toBe(true)
    expect(byStats('ratio = 0.1', 'ratio', '0.10000000149011612', '0.5')).toBe(true)
    expect(byStats('ratio = 0.11', 'ratio', '0.1', '0.1')).toBe(false)
    expect(byStats('grown = 0.10000000149011612', 'grown', '0.1', '0.1')).toBe(true)
    expect(byStats('price = 0.10000000149011612', 'price', '0.1', '0.1')).toBe(false)
  })
})

describe('decimals', () => {
  it('compares exact decimals', () => {
    expect(byStats('amount = 1.10', 'amount', '1.1', '1.10')).toBe(true)
    expect(byStats('amount > 1.1', 'amount', '1.00', '1.10')).toBe(false)
    expect(byStats('amount > 1.1', 'amount', '"1.00"', '"1.11"')).toBe(true)
    expect(byStats('amount = 2', 'amount', '1', '1.99')).toBe(false)
    expect(byStats('amount <> 1.10', 'amount', '1.1', '1.1')).toBe(false)
  })

  it('tolerates bounds of writers that used a double', () => {
    // As a double, 1.000000000000000001 becomes 1.0.
    expect(byStats('wide = 1.000000000000000001', 'wide', '0.5', '1.0')).toBe(true)
    expect(byStats('wide = 1.0000001', 'wide', '0.5', '1.0')).toBe(false)
    // The bound as deltalake 1.6.6 writes it.
    const low = '-9.999999999999997e+27'
    expect(byStats('wide = -9999999999999999999999999999.9999999999', 'wide', low, '1')).toBe(true)
    expect(byStats('wide = -10000000000000100000000000000', 'wide', low, '1')).toBe(false)
    const exact = '12345678901234567890.123456789012345678'
    expect(byStats('wide > 12345678901234567890.123456789012345678', 'wide', '1', exact)).toBe(false)
  })
})

describe('whole decimals that a writer clamped to 64 bits', () => {
  const [least, most] = ['-9223372036854775808', '9223372036854775807']
  it.each([
    ['whole > 10000000000000000000', most, most, true],
    ['whole = 12345678901234567890123456789012345678', '1', most, true],
    ['whole <> 9223372036854775807', most, most, true],
    ['whole < -10000000000000000000', least, least, true],
    ['whole NOT BETWEEN -9223372036854775808 AND 0', least, '0', true],
    ['whole < 9223372036854775000', most, most, false],
    ['whole > -9223372036854775000', least, least, false],
    ['whole > 10000000000000000000', '1', '9223372036854775806', false],
    ['id > 9223372036854775807', most, most, false],
  ])('%s over %s to %s', (text, min, max, expected) => {
    expect(byStats(text, text.split(' ', 1)[0] ?? '', min, max)).toBe(expected)
  })
})

describe('text', () => {
  it.each([
    ["name = 'abb'", '"abc"', '"abd"', false],
    ["name = 'abc'", '"abc"', '"abd"', true],
    ["name = 'abdz'", '"abc"', '"abd"', true],
    ["name > 'abd'", '"abc"', '"abd"', true],
    ["name > 'abe'", '"abc"', '"abd"', false],
    ["name > 'ab'", '"abc"', '"abd"', true],
    ["name <> 'abc'", '"abc"', '"abc"', true],
    ["name = 'ab\u{1F600}'", '"aa"', '"ab\ufffd"', true],
    ["name = 'ab\u{1F600}'", '"aa"', '"ab\\ud83d"', true],
    ["name = 'ab\u{1F600}'", '"aa"', '"ab?\ufffd"', true],
    ["name = 'ac'", '"aa"', '"ab\u{10ffff}"', false],
    ["name = '\uff5e'", '"\u{1F600}"', '"\u{1F601}"', false],
    ["name = '\u{1F600}'", '"a"', '"\uff5e"', false],
    ["name LIKE 'abc%'", '"aa"', '"ab"', true],
    ["name LIKE 'abc%'", '"aa"', '"ac"', true],
    ["name LIKE 'b%'", '"aa"', '"ac"', false],
    ["name LIKE 'aa%'", '"ab"', '"ac"', false],
    ["name LIKE '%z'", '"ab"', '"ac"', true],
    ["name LIKE 'a\\_b%'", '"axb"', '"axc"', false],
    ["name LIKE 'a_b%'", '"axb"', '"axc"', true],
    ["name LIKE 'aa'", '"ab"', '"ac"', false],
    ["name NOT LIKE 'a%'", '"aa"', '"ac"', false],
    ["name NOT LIKE 'a%'", '"aa"', '"b"', true],
    ["NOT name LIKE 'a%'", '"aa"', '"ac"', false],
    ["name NOT LIKE 'a%z'", '"aa"', '"ac"', true],
    ["name NOT LIKE 'ab'", '"ab"', '"ab"', true],
  ])('%s over %s to %s', (text, min, max, expected) => {
    expect(byStats(text, 'name', min, max)).toBe(expected)
  })

  it('orders as UTF-8 does', () => {
    const samples = [
      '',
      'a',
      'ab',
      'ä',
      '\uff5e',
      '\ufffd',
      '\u{1F600}',
      '\u{10ffff}',
      'a\u{1F600}',
      '\ud7ff',
      '\ue000',
    ]
    for (const a of samples) {
      for (const b of samples) {
        expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }
    }
  })
})

describe('time', () => {
  it('compares days', () => {
    expect(byStats("day = '2024-02-01'", 'day', '"2024-01-01"', '"2024-01-31"')).toBe(false)
    expect(byStats("day = DATE '2024-01-31'", 'day', '"2024-01-01"', '"2024-01-31"')).toBe(true)
    expect(byStats("day <> '2024-01-01'", 'day', '"2024-01-01"', '"2024-01-01"')).toBe(false)
  })

  it('tolerates bounds truncated to milliseconds', () => {
    const [min, max] = ['"2024-01-01T00:00:00.001Z"', '"2024-01-01T00:00:00.002Z"']
    expect(byStats("at = '2024-01-01 00:00:00.002999'", 'at', min, max)).toBe(true)
    expect(byStats("at = '2024-01-01 00:00:00.003'", 'at', min, max)).toBe(false)
    expect(byStats("at = '2024-01-01 00:00:00.000999'", 'at', min, max)).toBe(false)
    expect(byStats("at < '1969-12-31 23:59:59.999'", 'at', '"1969-12-31T23:59:59.999Z"', null)).toBe(true)
    expect(byStats("at = '2024-01-01T02:00:00.001+02:00'", 'at', min, max)).toBe(true)
    expect(byStats("at > TIMESTAMP '2024-01-02'", 'at', min, max)).toBe(false)
  })

  it('does not rely on a zone that is missing', () => {
    expect(byStats("at > '2024-01-01 12:00:00'", 'at', '"2023-12-01T00:00:00"', '"2024-01-01T00:00:00"')).toBe(true)
    expect(byStats("at > '2024-01-03'", 'at', '"2023-12-01T00:00:00"', '"2024-01-01T00:00:00"')).toBe(false)
    expect(byStats("wall > '2024-01-01 12:00:00'", 'wall', '"2023-12-01T00:00:00"', '"2024-01-01T00:00:00.000"')).toBe(
      false,
    )
    expect(byStats("wall = '2024-01-01'", 'wall', '"2024-01-01"', '"2024-01-02"')).toBe(true)
    expect(compile("pat > '2024-01-01 12:00:00'").byPartition({ pat: '2024-01-01 00:00:00' })).toBe(true)
    expect(compile("pat > '2024-01-02'").byPartition({ pat: '2024-01-01 00:00:00.5' })).toBe(false)
    expect(compile("pat > '2024-01-01 12:00:00'").byPartition({ pat: '2024-01-01T00:00:00.000000Z' })).toBe(false)
    expect(compile("pat <> '2024-01-01 00:00:00'").byPartition({ pat: '2024-01-01 00:00:00' })).toBe(true)
  })
})

describe('booleans', () => {
  it('uses boolean bounds if a writer has them', () => {
    expect(byStats('ok = TRUE', 'ok', 'false', 'false')).toBe(false)
    expect(byStats('ok = TRUE', 'ok', 'false', 'true')).toBe(true)
    expect(byStats("ok <> 'false'", 'ok', 'false', 'false')).toBe(false)
  })
})

describe('partition values', () => {
  const values = { year: '2024', region: 'EU', pday: '2024-05-01', pat: null, pnum: 'NaN' }
  it.each([
    ['year = 2024', true],
    ['year = 2025', false],
    ['year <> 2024', false],
    ["region = 'EU'", true],
    ["region <> 'EU'", false],
    ["region > 'EU'", false],
    ["region LIKE 'E%'", true],
    ["region LIKE '%U' AND region NOT LIKE '_'", true],
    ["region LIKE 'e%'", false],
    ["pday BETWEEN '2024-04-30' AND '2024-05-02'", true],
    ["pday < DATE '2024-05-01'", false],
    ['pat IS NULL', true],
    ['pat IS NOT NULL', false],
    ["pat > '2000-01-01'", false],
    ["NOT pat > '2000-01-01'", false],
    ['pnum > 5', true],
    ['year IS NULL', false],
    ['year = 2024 AND id = 5', true],
    ['year = 2025 OR id = 5', true],
    ['year = 2025 AND id = 5', false],
  ])('%s', (text, expected) => {
    expect(compile(text).byPartition(values)).toBe(expected)
  })

  it('keeps a file whose value cannot be parsed', () => {
    expect(compile('year = 1').byPartition({ year: 'abc' })).toBe(true)
    expect(compile('year IS NULL').byPartition({ year: 'abc' })).toBe(true)
    expect(compile('year = 1').byPartition({})).toBe(true)
    expect(compile('year = 1').byPartition(null)).toBe(true)
    expect(compile('year = 1').byPartition({ year: '' })).toBe(false)
    expect(compile('year IS NULL').byPartition({ year: '' })).toBe(true)
  })

  it('prunes better with partition values and stats together than with each alone', () => {
    const pruning = compile('(year = 2024 AND id > 50) OR (year = 2025 AND id < 20)')
    const low = stats('id', '1', '10')
    expect(pruning.byPartition({ year: '2024' })).toBe(true)
    expect(pruning.byStats(low)).toBe(true)
    expect(pruning.byFile({ year: '2024' }, low)).toBe(false)
    expect(pruning.byFile({ year: '2025' }, low)).toBe(true)
    expect(pruning.partitionColumns.map(({ path }) => path)).toEqual([['year']])
    expect(pruning.dataColumns.map(({ path }) => path)).toEqual([['id']])
  })
})

describe('columns', () => {
  it('finds fields of structs, dotted names, quoted names and physical names', () => {
    const nested = (min: number, max: number) => `{"minValues":{"s":{"x":${min}}},"maxValues":{"s":{"x":${max}}}}`
    expect(compile('s.x = 5').byStats(nested(1, 4))).toBe(false)
    expect(compile('S.X = 4').byStats(nested(1, 4))).toBe(true)
    expect(compile('a.b = 5').byStats('{"maxValues":{"a.b":4}}')).toBe(false)
    expect(compile("s.`deep name` = 'x'").dataColumns[0]?.physicalPath).toEqual(['s', 'deep name'])
    const metadata = { 'delta.columnMapping.id': 1, 'delta.columnMapping.physicalName': 'col-1' }
    const schemaString = JSON.stringify({
      type: 'struct',
      fields: [
        field('a', 'long', metadata),
        field('b', 'long', { ...metadata, 'delta.columnMapping.physicalName': 'col-2' }),
      ],
    })
    const mapped = compile('a = 5 AND b = 1', parseSchema(schemaString, 'name'), ['b'])
    expect(mapped.byStats('{"maxValues":{"col-1":4}}')).toBe(false)
    expect(mapped.byStats('{"maxValues":{"a":4}}')).toBe(true)
    expect(mapped.byPartition({ 'col-2': '2' })).toBe(false)
  })

  it.each([
    ['nmae = 1', 'unknown column nmae at character 1', /^Did you mean name\? Columns: id, price, (?!.* more$)/],
    ['id = 1 AND s.y = 2', 'unknown column s.y at character 12', /^Did you mean s\.x\? Columns: /],
    ['zzzzz = 1', 'unknown column zzzzz at character 1', /^Columns: id, price, (?!.* more$)/],
    ['id.x = 1', 'column id is long and has no fields at character 1', /./],
    ["id = 'abc'", 'column id is long and cannot be compared with abc at character 6', /number/],
    ['id = TRUE', 'column id is long and cannot be compared with TRUE at character 6', /number/],
    ['name = 7', 'column name is string and cannot be compared with 7 at character 8', /single quotes/],
    ["day = 'soon'", 'column day is date and cannot be compared with soon at character 7', /2024-01-31/],
    ["day = TIMESTAMP '2024-01-01 10:00:00'", /^column day is date/, /2024-01-31/],
    ["wall = '2024-01-01T00:00:00Z'", /^column wall is timestamp_ntz/, /no time zone/],
    ["at = '2024-01-01 00:00:00.1234567'", /^column at is timestamp/, /./],
    ['ok = 1', /^column ok is boolean/, /TRUE or FALSE/],
    ['list = 1', 'column list is array<long> and has no order at character 1', /IS NULL/],
    ['v > 1', 'column v is variant and has no order at character 1', /IS NULL/],
    ["id LIKE '1%'", 'LIKE needs text, and id is long at character 1', /./],
    ['id BETWEEN 1 AND TRUE', 'column id is long and cannot be compared with TRUE at character 18', /./],
    ['id = 1e999', /^column id is long/, /./],
  ])('%s', (text, message, hint) => {
    const error = sluiceErrorOf(() => compile(text))
    expect(error.code).toBe('BAD_PREDICATE')
    expect(error.message.split('\n')[0]).toMatch(message)
    expect(error.hint).toMatch(hint)
  })
})

describe.skipIf(!haveTables)('real stats', () => {
  it('never prunes a file by its own bounds', () => {
    const tables = new Map<string, StructType>()
    let asked = 0
    for (const { table, line } of commitLines()) {
      if (line.metaData) {
        const mapping = line.metaData.configuration?.['delta.columnMapping.mode'] ? 'name' : 'none'
        tables.set(table, parseSchema(line.metaData.schemaString, mapping))
      }
      const schema = tables.get(table)
      if (!schema || !line.add?.stats) continue
      const parsed = JSON.parse(line.add.stats) as { minValues?: object; maxValues?: object }
      for (const { name, physicalName, type } of schema.fields) {
        if (type.kind !== 'primitive' || type.name === 'variant') continue
        for (const [bounds, op] of [
          [parsed.minValues, '<='],
          [parsed.maxValues, '>='],
        ] as const) {
          const value = (bounds as Record<string, unknown> | undefined)?.[physicalName]
          if (typeof value !== 'string' && (typeof value !== 'number' || !Number.isSafeInteger(value))) continue
          const column = renderColumn({ names: [name] })
          const literal = typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value)
          for (const text of [`${column} = ${literal}`, `${column} ${op} ${literal}`]) {
            expect(compile(text, schema, []).byStats(line.add.stats)).toBe(true)
            asked++
          }
        }
      }
    }
    expect(asked).toBeGreaterThan(2000)
  })
})
