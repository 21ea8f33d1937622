import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RawValue } from '../../src/model/copy/canonical.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { converter, rounded } from '../../src/model/copy/convert.ts'

const DECIMAL = (precision: number, scale: number): ColumnType => ({ kind: 'decimal', precision, scale })
const ANY_DECIMAL: ColumnType = { kind: 'decimal' }
const FLOAT: ColumnType = { kind: 'float', bits: 64 }
const INT: ColumnType = { kind: 'int', bits: 64 }
const TEXT: ColumnType = { kind: 'text' }
const TIMESTAMP = (digits: number): ColumnType => ({ kind: 'timestamp', zone: false, digits })

describe('from one type to a narrower one', () => {
  it.each<[ColumnType, ColumnType, RawValue, unknown]>([
    [ANY_DECIMAL, DECIMAL(10, 2), '1.235', '1.24'],
    [ANY_DECIMAL, DECIMAL(10, 2), '-1.235', '-1.24'],
    [ANY_DECIMAL, DECIMAL(10, 2), '-0.004', '0'],
    [ANY_DECIMAL, DECIMAL(10, 2), '9.999', '10'],
    [ANY_DECIMAL, DECIMAL(10, 0), '0.5', '1'],
    [ANY_DECIMAL, DECIMAL(10, 2), 'NaN', 'NaN'],
    [ANY_DECIMAL, INT, '7.5', '8'],
    [ANY_DECIMAL, INT, '-7.4', '-7'],
    [DECIMAL(10, 2), DECIMAL(12, 4), '1.25', '1.25'],
    [FLOAT, DECIMAL(5, 2), 0.125, '0.13'],
    [FLOAT, INT, 1e3, '1000'],
    [FLOAT, FLOAT, 0.1, 0.1],
    [TIMESTAMP(6), { kind: 'date' }, '2024-01-01 23:59:59.9', '2024-01-01'],
    [TIMESTAMP(6), { kind: 'date' }, '0044-03-15 12:00:00 BC', '0044-03-15 BC'],
    [TIMESTAMP(6), { kind: 'date' }, 'infinity', 'infinity'],
    [TIMESTAMP(6), TIMESTAMP(3), '2024-01-01 00:00:00.123456', '2024-01-01 00:00:00.123'],
    [TIMESTAMP(6), TIMESTAMP(0), '0044-01-01 00:00:00.9 BC', '0044-01-01 00:00:00 BC'],
    [TIMESTAMP(6), TIMESTAMP(3), '2024-01-01 00:00:00.000456', '2024-01-01 00:00:00'],
    [{ kind: 'time', digits: 6 }, { kind: 'time', digits: 1 }, '12:00:00.19', '12:00:00.1'],
    [TEXT, DECIMAL(5, 2), '1.25', '1.25'],
    [TEXT, TIMESTAMP(3), '2024-01-01 00:00:00.123', '2024-01-01 00:00:00.123'],
    [TEXT, INT, '7', '7'],
  ])('%o to %o: %s is %s', (from, as, raw, expected) => {
    expect(converter(from, as)(raw)).toEqual(expected)
  })

  it.each<[ColumnType, ColumnType, RawValue]>([
    [TEXT, DECIMAL(5, 2), '1.234'],
    [TEXT, TIMESTAMP(3), '2024-01-01 00:00:00.1234'],
    [TEXT, INT, '7.5'],
    [ANY_DECIMAL, INT, 'NaN'],
    [ANY_DECIMAL, INT, 'abc'],
    [TIMESTAMP(6), { kind: 'date' }, 'noon'],
    [INT, INT, 7.5],
  ])('%o to %o: %s is refused', (from, as, raw) => {
    expect(() => converter(from, as)(raw)).toThrow(expect.objectContaining({ code: 'VALUE_REFUSED' }) as Error)
  })

  it('rounds to the nearest, and half away from zero', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(12),
        (value, scale, places) => {
          const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
          const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
          const whole = digits.slice(0, digits.length - scale)
          const zero = whole === '0' && fraction === ''
          const text = `${value < 0n && !zero ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
          const got = rounded(text, places)
          const [gotWhole = '', gotFraction = ''] = got.replace('-', '').split('.')
          expect(gotFraction.length).toBeLessThanOrEqual(places)
          const unit = 10n ** BigInt(Math.max(scale, places))
          const exact = (value * unit) / 10n ** BigInt(scale)
          const near =
            BigInt(gotWhole + gotFraction.padEnd(Math.max(scale, places), '0')) * (got.startsWith('-') ? -1n : 1n)
          const difference = near > exact ? near - exact : exact - near
          expect(difference * 2n <= unit / 10n ** BigInt(places)).toBe(true)
        },
      ),
    )
  })
})
