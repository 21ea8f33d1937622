/**
 * The canonical form compared with slow reference implementations: rational numbers as pairs of bigints, JSON.parse,
 * md5 row by row.
 */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, normalizer } from '../../src/model/copy/canonical.ts'
import { canonicalDecimal, fitsDouble } from '../../src/model/copy/decimal.ts'
import { binderOf } from '../../src/stores/common/sqlite-dialect/bind.ts'
import { sqliteCellReaderOf } from '../../src/stores/common/sqlite-dialect/read-cell.ts'
import { RowChecksum, rowText } from '../../src/model/copy/row-hash.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'

const digits = (most: number) => fc.string({ unit: fc.constantFrom(...'0123456789'.split('')), maxLength: most })

const numberText = fc
  .record({
    sign: fc.constantFrom('', '-', '+'),
    whole: digits(40),
    fraction: fc.option(digits(40)),
    exponent: fc.option(fc.integer({ min: -60, max: 60 })),
  })
  .filter(({ whole, fraction }) => whole !== '' || (fraction ?? '') !== '')

/** Numerator, with the denominator 10^scale. */
function rational(text: string): { readonly value: bigint; readonly scale: bigint } {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.replace(/^[+-]/, '').split('.')
  const value = BigInt(`${whole}${fraction}` || '0') * (text.startsWith('-') ? -1n : 1n)
  const scale = BigInt(fraction.length) - BigInt(exponent)
  return scale >= 0n ? { value, scale } : { value: value * 10n ** -scale, scale: 0n }
}

const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.double(),
  fc.uint8Array({ maxLength: 20 }),
)
const row: fc.Arbitrary<Row> = fc.array(cell, { maxLength: 6 })

/** The text of a row, as documented. */
function slowText(values: Row): string {
  return values
    .map((value) => {
      if (value === null) return 'N'
      let text: string
      if (typeof value === 'string') text = value
      else if (typeof value === 'number') {
        const bits = new DataView(new ArrayBuffer(8))
        bits.setFloat64(0, value)
        text = Number.isNaN(value) ? '7ff8000000000000' : bits.getBigUint64(0).toString(16).padStart(16, '0')
      } else text = [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('')
      return `${new TextEncoder().encode(text).length}:${text}`
    })
    .join('')
}

describe('canonical', () => {
  it('decimals keep their value and have one form', () => {
    fc.assert(
      fc.property(numberText, ({ sign, whole, fraction, exponent }) => {
        const text = `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`
        const canonical = canonicalDecimal(text)
        expect(canonical).toMatch(/^(?:0|-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?)$/)
        expect(canonical).not.toBe('-0')
        const [a, b] = [rational(text), rational(canonical)]
        expect(a.value * 10n ** b.scale).toBe(b.value * 10n ** a.scale)
        expect(canonicalDecimal(canonical)).toBe(canonical)
      }),
    )
  })

  it('integers have the same form from text, bigint and number', () => {
    const int = normalizer({ kind: 'int', bits: 64 })
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(int(value)).toBe(value.toString())
        expect(int(value.toString())).toBe(value.toString())
        if (Number.isSafeInteger(Number(value))) expect(int(Number(value))).toBe(value.toString())
      }),
    )
  })

  it('floats are unchanged after printing and parsing', () => {
    const float = normalizer({ kind: 'float', bits: 64 })
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(float(Object.is(value, -0) ? '-0' : String(value))).toBe(value)
      }),
    )
  })

  it('JSON keeps its value, whatever the blanks and the order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.integer({ min: 0, max: 4 }), (value, indent) => {
        const text = canonicalJson(JSON.stringify(value, null, indent))
        // In JSON's decimal form, minus zero becomes zero.
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(text)).toBe(text)
        expect(canonicalJson(JSON.stringify(backwards(value)))).toBe(text)
      }),
    )
  })

  it('texts of rows are as documented', () => {
    fc.assert(
      fc.property(row, (values) => {
        expect(rowText(values)).toBe(slowText(values))
      }),
    )
  })

  it('the digest does not depend on the order, and is the sum of single hashes', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), fc.array(row, { maxLength: 5 }), (rows, away) => {
        const sum = new RowChecksum()
        for (const one of [...away, ...rows.toReversed()]) sum.add(one)
        for (const one of away) sum.remove(one)
        const expected = rows
          .map((one) => BigInt(`0x${createHash('md5').update(slowText(one)).digest('hex').slice(20)}`))
          .reduce((a, b) => a + b, 0n)
        expect(sum.digest()).toEqual({ rows: BigInt(rows.length), sum: expected.toString(16).padStart(16, '0') })
      }),
    )
  })
})

function backwards(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(backwards)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, backwards(item)]),
  )
}

describe('decimals in doubles', () => {
  const sized = fc
    .record({ precision: fc.integer({ min: 1, max: 15 }), scale: fc.integer({ min: -293, max: 307 }) })
    .filter(({ precision, scale }) => fitsDouble(precision, scale))
  const value = fc
    .tuple(sized, fc.bigInt({ min: -(10n ** 15n - 1n), max: 10n ** 15n - 1n }))
    .map(([size, unscaled]) => ({
      ...size,
      unscaled: unscaled % 10n ** BigInt(size.precision),
    }))

  it('a double keeps every decimal of 15 digits as its shortest text', () => {
    fc.assert(
      fc.property(value, ({ precision, scale, unscaled }) => {
        const given = canonicalDecimal(`${unscaled}e${-scale}`)
        const bound = binderOf({ kind: 'decimal', precision, scale }, 'real')(given)
        expect(typeof bound).toMatch(/^(?:number|bigint)$/)
        const stored = Number(bound)
        const column = { native: 'DECIMAL_REAL', type: { kind: 'decimal', precision, scale } } as const
        expect(sqliteCellReaderOf(column, column.type)(stored)).toBe(given)
        expect(sqliteCellReaderOf({ native: 'REAL', type: { kind: 'float', bits: 64 } }, column.type)(stored)).toBe(
          given,
        )
        // The same number exactly, calculated with integers.
        const back = rational(canonicalDecimal(String(stored)))
        const [up, down] = scale >= 0 ? [1n, 10n ** BigInt(scale)] : [10n ** BigInt(-scale), 1n]
        expect(back.value * down).toBe(unscaled * up * 10n ** back.scale)
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    [15, 0, true],
    [15, 307, true],
    [15, 308, false],
    [15, -293, true],
    [15, -294, false],
    [16, 0, false],
    [1, 5, true],
  ])('%i digits of scale %i: %s', (precision, scale, fits) => {
    expect(fitsDouble(precision, scale)).toBe(fits)
  })
})
