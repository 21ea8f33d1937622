/**
 * Finds values of another system that are outside the limits of a column: no row has such a value, and SQL that
 * compares the column with it would fail.
 */
import type { ColumnType } from '../../model/copy/column-type.ts'

export type BoundSide = 'below' | 'above'

/** Smallest and largest value of a type, as canonical texts. */
export type Limits = readonly [low: string, high: string]

/** `below` or `above` if a canonical text is outside the limits, else null. @param limits null if the type has none */
export function sideOfLimits({ kind }: ColumnType, text: string, limits: Limits | null): BoundSide | null {
  if (limits === null) return null
  const compare = kind === 'date' || kind === 'timestamp' ? compareTimes : compareNumbers
  if (compare(text, limits[0]) < 0) return 'below'
  return compare(text, limits[1]) > 0 ? 'above' : null
}

/** Limits of integers with this number of bits. */
export function wholeLimits(bits: number, unsigned: boolean): Limits {
  const values = 1n << BigInt(bits)
  return unsigned ? ['0', String(values - 1n)] : [String(-values / 2n), String(values / 2n - 1n)]
}

/** A text that is neither a number nor a time is treated as within the limits: the system itself reports the error. */
const NUMBER = /^(-?)0*(\d*)(?:\.(\d*))?$/
const TIME = /^(\d+)-(\d\d-\d\d(?:[ T][\d:.]+)?)(?:[+-][\d:]+)?( \(?BC\)?)?/
const ERA = / \(BC\)/

function compareNumbers(a: string, b: string): number {
  // A time of day without its colons is a number with the same order.
  const [x, y] = [NUMBER.exec(a.replaceAll(':', '')), NUMBER.exec(b.replaceAll(':', ''))]
  if (x === null || y === null) return 0
  const signs = sign(x) - sign(y)
  if (signs !== 0) return signs
  const [left = '', right = ''] = [x[2], y[2]]
  const size = left.length - right.length || order(left, right) || order(fraction(x), fraction(y))
  return sign(x) * size
}

function sign([, minus]: RegExpExecArray): number {
  return minus === '-' ? -1 : 1
}

function fraction([, , , digits = '']: RegExpExecArray): string {
  return digits.replace(/0+$/, '')
}

function compareTimes(a: string, b: string): number {
  // DuckDB writes the era directly after the date, before the time.
  const [x, y] = [a, b].map((text) => TIME.exec(ERA.test(text) ? `${text.replace(ERA, '')} BC` : text)) as [
    RegExpExecArray | null,
    RegExpExecArray | null,
  ]
  if (x === null || y === null) return 0
  return yearOf(x) - yearOf(y) || order(x[2] ?? '', y[2] ?? '')
}

function yearOf([, year, , era]: RegExpExecArray): number {
  return era === undefined ? Number(year) : 1 - Number(year)
}

function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
