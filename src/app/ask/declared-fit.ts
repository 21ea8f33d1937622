/** Checks whether a driver's value fits the declared type of its column, without rounding, conversion or guessing. */
import type { DeclaredType } from '../../model/run/answer-file.ts'
import type { SqlValue } from '../../model/run/sql-port.ts'

const DECIMAL = /^decimal\((\d+),(\d+)\)$/
const NUMBER = /^-?(\d+)(?:\.(\d+))?$/
const DAY = String.raw`(\d{4})-(\d{2})-(\d{2})`
const CLOCK = String.raw`(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?`
const ONLY_DAY = new RegExp(`^${DAY}$`)
const ONLY_CLOCK = new RegExp(`^${CLOCK}$`)
const MOMENT = new RegExp(`^${DAY}[ T]${CLOCK}$`)
const IN_UTC = new RegExp(`^${DAY}[ T]${CLOCK}Z$`)
const ZONED = new RegExp(String.raw`^${DAY}[ T]${CLOCK}(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$`)
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const BITS = { int16: 16n, int32: 32n, int64: 64n } as const

type Fits = (value: Exclude<SqlValue, null>) => boolean

/** Infinity, NaN, days before 0001 or after 9999, invalid days, hour 24 and second 60 do not fit. */
const RULES: Readonly<Record<Exclude<DeclaredType, `decimal(${number},${number})`>, Fits>> = {
  text: (value) => typeof value === 'string',
  boolean: (value) => value === 'true' || value === 'false',
  int16: (value) => isWhole(value, BITS.int16),
  int32: (value) => isWhole(value, BITS.int32),
  int64: (value) => isWhole(value, BITS.int64),
  float: (value) => typeof value === 'number',
  double: (value) => typeof value === 'number',
  date: (value) => isDay(value, ONLY_DAY),
  time: (value) => typeof value === 'string' && ONLY_CLOCK.test(value),
  timestamp: (value) => isDay(value, MOMENT),
  datetime: (value) => isDay(value, IN_UTC),
  timestamptz: (value) => isDay(value, ZONED),
  uuid: (value) => typeof value === 'string' && UUID.test(value),
}

/** The rule of one type. */
export function declaredFit(type: DeclaredType): Fits {
  const found = DECIMAL.exec(type)
  if (found === null) return RULES[type as keyof typeof RULES]
  const [, precision, scale] = found.map(Number)
  return (value) => isDecimal(value, precision ?? 0, scale ?? 0)
}

function isDecimal(value: SqlValue, precision: number, scale: number): boolean {
  // Other doubles do not fit: their digits are not exact.
  const isWritten = typeof value === 'string' || typeof value === 'bigint' || Number.isSafeInteger(value)
  const found = isWritten ? NUMBER.exec(String(value)) : null
  if (found === null || Object.is(value, -0)) return false
  const [, whole = '', fraction = ''] = found
  return whole.replace(/^0+/, '').length <= precision - scale && fraction.length <= scale
}

function isWhole(value: SqlValue, bits: bigint): boolean {
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return false
  if (Object.is(value, -0)) return false
  const most = 2n ** (bits - 1n)
  const number = BigInt(value as bigint | number)
  return number >= -most && number < most
}

function isDay(value: SqlValue, form: RegExp): boolean {
  const found = typeof value === 'string' ? form.exec(value) : null
  if (found === null) return false
  const [year = 0, month = 0, day = 0] = found.slice(1, 4).map(Number)
  if (year === 0 || month === 0 || month > 12 || day === 0) return false
  // Day 0 of a month is the last day of the previous one.
  const last = new Date(0)
  last.setUTCFullYear(year, month, 0)
  return day <= last.getUTCDate()
}
