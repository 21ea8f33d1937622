import { describe, expect, it } from 'vitest'
import { parsePartitionValue } from '../../src/delta/values/partition-values.ts'
import { partitionCheck } from '../../src/delta/fsck/partitions.ts'
import type { StructType } from '../../src/delta/schema.ts'
import { isKernelText, isPartitionText } from '../../src/delta/values/typed.ts'
import { parseSchema } from '../../src/delta/schema.ts'
import { compareExact, parseExactNumber } from '../../src/model/run/exact-number.ts'
import { parseDate, parseTimestamp } from '../../src/model/lake/instant.ts'

function valueOf(text: string | null | undefined, type: unknown) {
  const schema = parseSchema(JSON.stringify({ type: 'struct', fields: [{ name: 'a', type }] }))
  const field = schema.fields[0]
  if (!field) throw new Error('no field')
  return parsePartitionValue(text, field.type)
}

describe('parsePartitionValue', () => {
  const hours = (count: number) => BigInt(count) * 3_600_000_000n
  it.each([
    [null, 'string', { kind: 'null' }],
    ['', 'string', { kind: 'null' }],
    ['', 'integer', { kind: 'null' }],
    [undefined, 'string', { kind: 'any' }],
    ['__HIVE_DEFAULT_PARTITION__', 'string', { kind: 'string', value: '__HIVE_DEFAULT_PARTITION__' }],
    ['9223372036854775807', 'long', { kind: 'exact', value: { unscaled: 9223372036854775807n, scale: 0 } }],
    ['-1.50', 'decimal(10,2)', { kind: 'exact', value: { unscaled: -150n, scale: 2 } }],
    ['x', 'long', { kind: 'any' }],
    ['2020.5', 'double', { kind: 'float', value: 2020.5 }],
    ['1E10', 'double', { kind: 'float', value: 1e10 }],
    ['NaN', 'float', { kind: 'float', value: NaN }],
    ['-Infinity', 'double', { kind: 'float', value: -Infinity }],
    ['', 'double', { kind: 'null' }],
    ['0x10', 'double', { kind: 'any' }],
    ['True', 'boolean', { kind: 'boolean', value: true }],
    ['yes', 'boolean', { kind: 'any' }],
    ['1970-01-02', 'date', { kind: 'date', days: 1 }],
    ['1969-12-31', 'date', { kind: 'date', days: -1 }],
    ['0001-01-01', 'date', { kind: 'date', days: -719_162 }],
    ['2023-02-29', 'date', { kind: 'any' }],
    ['1970-01-01T00:00:00.000001Z', 'timestamp', { kind: 'timestamp', low: 1n, high: 1n }],
    ['1970-01-01 00:00:00', 'timestamp', { kind: 'timestamp', low: hours(-16), high: hours(16) }],
    [
      '1970-01-01 01:00:00.5',
      'timestamp_ntz',
      { kind: 'timestamp', low: hours(1) + 500_000n, high: hours(1) + 500_000n },
    ],
    ['soon', 'timestamp', { kind: 'any' }],
    ['\u0001\u0002', 'binary', { kind: 'binary', bytes: Buffer.from([1, 2]) }],
    ['\u00ff', 'binary', { kind: 'any' }],
    ['POINT', 'geometry', { kind: 'any' }],
    ['x', { type: 'array', elementType: 'string' }, { kind: 'any' }],
  ])('%s as %s', (text, type, expected) => {
    expect(valueOf(text, type)).toEqual(expected)
  })
})

describe('exact numbers', () => {
  it('are compared whatever their scale', () => {
    const compare = (a: string, b: string) => {
      const [left, right] = [parseExactNumber(a), parseExactNumber(b)]
      return left && right ? compareExact(left, right) : NaN
    }
    expect(compare('1.10', '1.1')).toBe(0)
    expect(compare('-0', '0.00')).toBe(0)
    expect(compare('1e3', '1000')).toBe(0)
    expect(compare('12e-1', '1.2')).toBe(0)
    expect(compare('9007199254740993', '9007199254740992')).toBe(1)
    expect(compare('-2', '1')).toBe(-1)
    expect(['', '.', '-', '1e', '0x1', '1e999', ' 1', 'NaN'].map(parseExactNumber)).toEqual(Array(8).fill(null))
  })
})

describe('dates and timestamps', () => {
  it('reads dates', () => {
    expect(parseDate('2024-02-29')).toBe(19_782)
    expect(['2024-2-30', '2024-13-01', '24-01-01', '2024-01-01Z', '2024-00-10'].map(parseDate)).toEqual(
      Array(5).fill(null),
    )
  })

  it('reads timestamps with every kind of zone', () => {
    const micros = (text: string) => parseTimestamp(text)?.micros
    expect(micros('1970-01-01T00:00:01Z')).toBe(1_000_000n)
    expect(micros('1970-01-01 02:00:01.5+02:00')).toBe(1_500_000n)
    expect(micros('1969-12-31 19:00:00-0500')).toBe(0n)
    expect(micros('1970-01-01 00:00 UTC')).toBe(0n)
    expect(micros('9999-12-31T23:59:59.999999Z')).toBe(253_402_300_799_999_999n)
    expect(micros('1969-12-31T23:59:59.9999999Z')).toBe(-1n)
    expect(parseTimestamp('1970-01-01')?.zoned).toBe(false)
    expect(parseTimestamp('1970-01-01T00:00:00+00')?.zoned).toBe(true)
    for (const text of [
      '',
      '10:00',
      '1970-01-01T24:00:00',
      '1970-01-01T00:60:00',
      '1970-01-01T00:00:00+25:00',
      '+10000-01-01T00:00:00Z',
    ]) {
      expect(parseTimestamp(text)).toBeNull()
    }
  })
})

describe('a decimal with scale 2', () => {
  const TYPE = { kind: 'decimal', precision: 10, scale: 2 } as const
  it.each([
    ['1.5', true],
    ['1.50', true],
    ['1.500', true],
    ['1e0', true],
    ['-12345678.99', true],
    ['1.505', false],
    ['123456789', false],
  ])('%s: %s', (text, isValue) => expect(isPartitionText(text, TYPE)).toBe(isValue))
})

describe('texts that some readers refuse', () => {
  // Results of deltalake 1.6.6 and polars 2.1.0, both based on delta-kernel.
  const TYPES = {
    integer: { kind: 'primitive', name: 'integer' },
    decimal: { kind: 'decimal', precision: 5, scale: 2 },
    double: { kind: 'primitive', name: 'double' },
    boolean: { kind: 'primitive', name: 'boolean' },
    date: { kind: 'primitive', name: 'date' },
    timestamp: { kind: 'primitive', name: 'timestamp' },
    timestamp_ntz: { kind: 'primitive', name: 'timestamp_ntz' },
  } as const
  const READ: readonly (readonly [keyof typeof TYPES, readonly string[], readonly string[]])[] = [
    ['integer', ['1', '+1', '01', '-0'], ['1.0', '1.', '1e2', '1E+2', '10E-1']],
    ['decimal', ['1.50', '0E-2', '100E-2'], ['1', '1.5', '1.500', '1E+2', '1e2', '+1.5', '.5', '1.', '0E+2']],
    ['double', ['1', '1E+20', '1e20', 'Infinity', '-Infinity', 'inf', 'NaN', 'nan', '.5', '1.'], []],
    ['boolean', ['true', 'TRUE'], []],
    ['date', ['2024-01-02', '2024-1-2'], []],
    [
      'timestamp',
      ['2024-01-01 01:00:00', '2024-1-1 1:00:00.1234567', '2024-01-01T01:00:00.000000Z', '2024-01-01 01:00:00+01:00'],
      [
        '2024-01-01T01:00:00',
        '2024-01-01',
        '2024-01-01 01:00',
        '2024-01-01T01:00:00+01',
        '2024-01-01T01:00:00+00:00:28',
      ],
    ],
    ['timestamp_ntz', ['2024-01-01 01:00:00', '2024-1-1 1:00:00.1'], ['2024-01-01T01:00:00', '2024-01-01T01:00:00Z']],
  ]
  it.each(READ)('%s', (kind, read, refused) => {
    const type = TYPES[kind]
    for (const text of [...read, ...refused]) expect([text, isPartitionText(text, type)]).toEqual([text, true])
    for (const text of read) expect([text, isKernelText(text, type)]).toEqual([text, true])
    for (const text of refused) expect([text, isKernelText(text, type)]).toEqual([text, false])
  })

  it('are reported by fsck as a note with both readings', () => {
    const field = { name: 'p', physicalName: 'p', type: TYPES.integer, nullable: true, metadata: {}, typeChanges: [] }
    const check = partitionCheck({ fields: [field] } as unknown as StructType, ['p'])
    expect(check('f', { p: '1.0' })).toMatchObject([
      {
        level: 'note',
        kind: 'partition-spelling',
        detail: expect.stringMatching(/sluice reads it .*delta-kernel cannot/),
      },
    ])
    expect(check('f', { p: 'abc' })).toMatchObject([{ level: 'finding', kind: 'partition-values' }])
    expect(check('f', { p: '1' })).toEqual([])
  })
})
