/** A value of a declared type is written in that type only if it loses nothing. */
import { describe, expect, test } from 'vitest'
import type { DeclaredType } from '../../src/model/run/answer-file.ts'
import { AnswerColumnFacts } from '../../src/app/ask/column-facts.ts'
import type { SqlValue } from '../../src/model/run/sql-port.ts'
import { postgresDeclaredIn } from '../../src/stores/postgresql/server/query.ts'
import { sqliteDeclaredIn } from '../../src/stores/sqlite/query.ts'

function factsOf(declared: DeclaredType | undefined, ...values: readonly SqlValue[]): AnswerColumnFacts {
  const facts = new AnswerColumnFacts(declared)
  for (const value of values) facts.see(value)
  return facts
}

const CASES: readonly (readonly [DeclaredType, readonly SqlValue[], readonly SqlValue[]])[] = [
  [
    'decimal(38,10)',
    ['-9999999999999999999999999999.9999999999', 7, '0.0000000001', '-0.5'],
    ['10000000000000000000000000000', '0.00000000001', 'NaN', 'Infinity', 0.1, -0, '1e3'],
  ],
  ['int16', [-32768, 32767], [32768, 'x', 0.5]],
  ['int64', [-(2n ** 63n), 2n ** 63n - 1n, 0], [2n ** 63n, -(2n ** 63n) - 1n, 1.5, 'x']],
  [
    'date',
    ['0001-01-01', '9999-12-31', '2000-02-29', '1600-02-29', '0004-02-29'],
    ['0000-00-00', '2024-00-10', '1900-02-29', '2023-02-30', 'infinity', '0044-03-15 BC', '10000-01-01', '0000-01-01'],
  ],
  ['time', ['00:00:00', '23:59:59.999999'], ['24:00:00', '-838:59:59', '12:00:60', '12:00:00+02', '12:00:00.1234567']],
  [
    'timestamp',
    ['2024-02-29 23:59:59.999999', '0001-01-01 00:00:00'],
    ['infinity', '2024-02-30 00:00:00', '2024-01-01 00:00:00Z', '2024-01-01', '2024-01-01 24:00:00'],
  ],
  ['datetime', ['2024-02-29T23:59:59.999999Z'], ['0000-00-00 00:00:00', '2024-02-29T23:59:59', '2024-01-01']],
  [
    'timestamptz',
    ['2024-02-29T23:59:59.999999Z', '2024-02-29 23:59:59+14:00'],
    ['-infinity', '2024-02-29T23:59:59', '2024-02-29T23:59:59+15:00'],
  ],
  ['uuid', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'], ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99']],
  ['boolean', ['true', 'false'], [2, 'TRUE', 1]],
]

describe.each(CASES)('%s', (type, good, bad) => {
  test('accepts valid values', () => {
    const facts = factsOf(type, null, ...good)
    expect([facts.type, facts.reportedAsText]).toEqual([type, false])
    expect(factsOf(type).type).toBe(type)
  })

  test.each(bad.map((value) => [value]))('refuses %s', (value) => {
    const facts = factsOf(type, ...good, value)
    expect(facts.type).not.toBe(type)
    // The column is reported, unless the common type of its values holds all of them.
    expect(facts.reportedAsText).toBe(facts.type === 'text')
  })
})

test('a column declared as text is not reported, even if its values look like numbers', () => {
  expect(factsOf('text', '1.5', '2').reportedAsText).toBe(false)
  expect(factsOf(undefined, '1.5', '2').reportedAsText).toBe(true)
})

test('precision and scale of numeric', () => {
  const of = (precision: number, scale: number): unknown =>
    postgresDeclaredIn({ dataTypeID: 1700, dataTypeModifier: ((precision << 16) | (scale & 0x7ff)) + 4 })
  expect([of(38, 10), of(1, 0), of(18, 18)]).toEqual(['decimal(38,10)', 'decimal(1,0)', 'decimal(18,18)'])
  // More than 38 digits, a negative scale, and a scale above the precision.
  expect([of(39, 0), of(5, -2), of(2, 4)]).toEqual([undefined, undefined, undefined])
  expect(postgresDeclaredIn({ dataTypeID: 1700, dataTypeModifier: -1 })).toBeUndefined()
})

test.each([
  ['DECIMAL(18, 3)', 'decimal(18,3)'],
  ['numeric(5)', 'decimal(5,0)'],
  ['VARCHAR(20)', 'text'],
  ['timestamp  with time zone', 'timestamptz'],
  ['BIGINT UNSIGNED', 'int64'],
  ['DATETIME(6)', 'timestamp'],
  ['NUMERIC', undefined],
  [null, undefined],
  ['BLOB', undefined],
])('SQLite: %s', (declared, expected) => {
  expect(sqliteDeclaredIn(declared)).toBe(expected)
})
