/** Codecs of the Cassandra Data Migrator: what they write in Java, and how it is read back. */
import { describe, expect, it } from 'vitest'
import { codecBetween, conversionOf, type Codec } from '../../src/model/copy/codec.ts'
import type { Column, ColumnType } from '../../src/model/copy/column-type.ts'
import { datePattern, fixedOffset } from '../../src/model/copy/date-pattern.ts'
import { javaDecimal, javaDouble } from '../../src/model/copy/java-text.ts'

const TEXT: ColumnType = { kind: 'text' }

function forth(codec: Codec, cell: string | number, as: ColumnType = TEXT, inKey = false): unknown {
  return conversionOf(codec, as, inKey).forth(cell)
}

describe('codecs', () => {
  it.each([
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [0.1, '0.1'],
    [0.001, '0.001'],
    [0.0001, '1.0E-4'],
    [1_234_567, '1234567.0'],
    [1e7, '1.0E7'],
    [1.25e21, '1.25E21'],
    [-5e-324, '-4.9E-324'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
  ])('write %d as Java does', (value, text) => {
    expect(javaDouble(value)).toBe(text)
  })

  it.each([
    ['1.50', '1.50'],
    ['-0.00', '0.00'],
    ['12e3', '1.2E+4'],
    ['1e3', '1E+3'],
    ['0.0000001', '1E-7'],
    ['0.000001', '0.000001'],
    ['0.00000012', '1.2E-7'],
    ['12345678901234567890.123', '12345678901234567890.123'],
  ])('write the decimal %s as Java does', (value, text) => {
    expect(javaDecimal(value)).toBe(text)
  })

  it('read what Java reads, and refuse all else', () => {
    const int: Codec = { name: 'INT_STRING', into: 'value' }
    const as: ColumnType = { kind: 'int', bits: 32 }
    expect(forth(int, '+007', as)).toBe('7')
    expect(forth(int, '-2147483648', as)).toBe('-2147483648')
    for (const text of ['2147483648', '7.0', '', ' 7', '1e3', 'NaN'])
      expect(() => forth(int, text, as)).toThrow(/an int/)
    const long: Codec = { name: 'BIGINT_STRING', into: 'value' }
    expect(forth(long, '9223372036854775807', { kind: 'int', bits: 64 })).toBe('9223372036854775807')
    expect(() => forth(long, '9223372036854775808', { kind: 'int', bits: 64 })).toThrow(/a bigint/)
    const double: Codec = { name: 'DOUBLE_STRING', into: 'value' }
    expect(forth(double, ' 1.5d ', { kind: 'float', bits: 64 })).toBe(1.5)
    expect(() => forth(double, '1,5', { kind: 'float', bits: 64 })).toThrow(/a double/)
    const decimal: Codec = { name: 'DECIMAL_STRING', into: 'value' }
    expect(forth(decimal, '1.50', { kind: 'native', name: 'decimal' })).toBe('1.50')
    expect(forth(decimal, '1.2E+4', { kind: 'native', name: 'decimal' })).toBe('12e3')
    expect(forth(decimal, '1.50', { kind: 'decimal' })).toBe('1.5')
    const millis: Codec = { name: 'TIMESTAMP_STRING_MILLIS', into: 'value' }
    expect(forth(millis, '-1', { kind: 'timestamp', zone: true, digits: 3 })).toBe('1969-12-31 23:59:59.999')
    expect(forth({ ...millis, into: 'text' }, '2024-02-29 12:00:00.5')).toBe('1709208000500')
  })

  it('refuse a key whose value does not convert back', () => {
    const int: Codec = { name: 'INT_STRING', into: 'value' }
    const as: ColumnType = { kind: 'int', bits: 32 }
    expect(forth(int, '7', as, true)).toBe('7')
    expect(() => forth(int, '007', as, true)).toThrow(/convert back/)
    const format: Codec = { name: 'TIMESTAMP_STRING_FORMAT', into: 'text', format: 'yyyyMMddHHmmss', offsetMs: 0 }
    expect(forth(format, '2024-02-29 12:00:00', TEXT, true)).toBe('20240229120000')
    expect(() => forth(format, '2024-02-29 12:00:00.5', TEXT, true)).toThrow(/convert back/)
    expect(conversionOf(format, TEXT, true).back('20240229120000')).toBe('2024-02-29 12:00:00')
    expect(conversionOf(format, TEXT, true).back('no moment')).toBe('no moment')
  })

  it('are chosen by the types of both columns', () => {
    const column = (native: string, type: ColumnType): Column => ({ name: 'c', type, native, nullable: true })
    const text = column('text', TEXT)
    const counter = column('counter', { kind: 'int', bits: 64 })
    const decimal = column('decimal', { kind: 'decimal', spelled: true })
    const names = ['BIGINT_STRING', 'DECIMAL_STRING'] as const
    expect(codecBetween(counter, text, { names })).toBeNull()
    expect(codecBetween(text, text, { names })).toBeNull()
    expect(codecBetween(decimal, text, { names })?.codec).toEqual({ name: 'DECIMAL_STRING', into: 'text' })
    expect(codecBetween(text, decimal, { names })).toEqual({
      as: { kind: 'native', name: 'decimal' },
      codec: { name: 'DECIMAL_STRING', into: 'value' },
    })
    expect(codecBetween(decimal, text, { names: ['INT_STRING'] })).toBeNull()
  })
})

describe('date patterns', () => {
  const ms = Date.UTC(2024, 1, 29, 13, 5, 9, 7)
  it.each([
    ['yyyyMMddHHmmss', '20240229130509', false],
    ["yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", '2024-02-29T13:05:09.007Z', true],
    ['d/M/uu h:mm a', '29/2/24 1:05 PM', false],
    ["''yyyyMMddHHmmssSSSSSS", "'20240229130509007000", true],
  ])('%s', (pattern, text, exact) => {
    const made = datePattern(pattern, 0)
    expect(made.format(ms)).toBe(text)
    expect(made.exact).toBe(exact)
    expect(made.format(made.parse(text))).toBe(text)
  })

  it('use a fixed offset of their zone', () => {
    expect(fixedOffset('UTC')).toBe(0)
    expect(fixedOffset('Etc/GMT-1')).toBe(3_600_000)
    expect(fixedOffset('Europe/Berlin')).toBeNull()
    expect(() => fixedOffset('Mars/Olympus')).toThrow(/no time zone/)
    const made = datePattern('yyyyMMddHHmmss', 3_600_000)
    expect(made.format(ms)).toBe('20240229140509')
    expect(made.parse('20240229140509')).toBe(ms - 7)
  })

  it('refuse texts that are no valid time, and unsupported patterns', () => {
    const made = datePattern('yyyyMMddHHmmssSSSSSS', 0)
    for (const text of ['20240230000000000000', '20240229240000000000', '20240229000000000001', '2024', 'x'])
      expect(() => made.parse(text)).toThrow(/this is not/)
    expect(() => made.format(Date.UTC(10_000, 0))).toThrow(/years 1 to 9999/)
    expect(datePattern('yyyyMMdd', 0).lacks).toBe('an hour')
    for (const pattern of ['dd MMM yyyy', 'yyyy[MM]', "yyyy'", 'EEE', 'yyy'])
      expect(() => datePattern(pattern, 0)).toThrow(/is not supported/)
  })
})
