/**
 * Bounds of a column that statistics allow, and bounds decoded from stored keys. No code is shared with
 * src/catalog/ranges, which encodes the keys. The rules for statistics are the rules of src/delta/values/domains.ts,
 * implemented a second time.
 */
import type { ColumnStats } from './range-stats.ts'

/** `unscaled` / 10^`scale`; times are microseconds, booleans 0 and 1. */
export type Exact = { readonly unscaled: bigint; readonly scale: number }
/** Text is compared as UTF-8, because the database compares bytes. */
export type ByteBound = Exact | Buffer
/** Lowest and highest possible value; null means no bound. */
export type ByteBounds = { readonly low: ByteBound | null; readonly high: ByteBound | null }

export type BoundsRule = {
  /** Values in the file may be anywhere from `low` to `high`. */
  allowed(facts: ColumnStats): ByteBounds
  /** The bound that a key encodes; null if the bytes are not a key. */
  decoded(key: Uint8Array): ByteBound | null
  shown(bound: ByteBound): string
}

const NOTHING: ByteBounds = { low: null, high: null }
const DAY_MICROS = 86_400_000_000n
/** Writers cut times to milliseconds, towards zero. */
const CUT_MICROS = 999n
/** More than the UTC offset of any time zone, now or in the past. */
const ZONE_MICROS = 16n * 3_600_000_000n

const whole = (unscaled: bigint): Exact => ({ unscaled, scale: 0 })

/** Negative, zero or positive, if `a` is below, at or above `b`. Both must come from the same `BoundsRule`. */
export function compareBounds(a: ByteBound, b: ByteBound): number {
  if (Buffer.isBuffer(a) || Buffer.isBuffer(b)) return Buffer.compare(a as Buffer, b as Buffer)
  const scale = Math.max(a.scale, b.scale)
  const difference = a.unscaled * 10n ** BigInt(scale - a.scale) - b.unscaled * 10n ** BigInt(scale - b.scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** The text of a JSON string, or other text as it is; null for a broken string. */
function unquoted(piece: string): string | null {
  if (!piece.startsWith('"')) return piece
  if (!piece.includes('\\')) return piece.slice(1, -1)
  try {
    return JSON.parse(piece) as string
  } catch {
    return null
  }
}

const each = (facts: ColumnStats, read: (text: string) => ByteBound | null): ByteBounds => {
  const side = (piece: string | null): ByteBound | null => read((piece === null ? null : unquoted(piece)) ?? '')
  return { low: side(facts.min), high: side(facts.max) }
}

function showExact(bound: ByteBound): string {
  const { unscaled, scale } = bound as Exact
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale))
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const fraction = digits.slice(-scale).replace(/0+$/, '')
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}${fraction === '' ? '' : `.${fraction}`}`
}

// Numbers.

const NUMBER = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,3}))?$/

function numberOf(text: string): Exact | null {
  const [, sign, before = '', after = '', exponent = '0'] = NUMBER.exec(text) ?? []
  if (before + after === '') return null
  return { unscaled: BigInt(`${sign === '-' ? '-' : ''}${before}${after}`), scale: after.length - Number(exponent) }
}

const PAIRS_AT_MOST = 20
const EXPONENTS = { least: -40, most: 60, at: 0x90, below: 0x8f, above: 0xf5, farthest: 2_000 }

/**
 * Decodes a key of `0.d1d2… × 10^exponent`: a byte of sign and exponent, then two digits per byte. Below zero all bits
 * are inverted.
 */
function numberIn(key: Uint8Array): Exact | null {
  if (key.length === 1 && key[0] === 0x80) return whole(0n)
  const isNegative = (key[0] ?? 0x80) < 0x80
  if (isNegative && key.at(-1) !== 0xff) return null
  const bytes = isNegative ? key.subarray(0, -1).map((byte) => 0xff - byte) : key
  const { least, most, at, below, above, farthest } = EXPONENTS
  const [first = 0, second = 0, third = 0] = bytes
  const isLong = first === below || first === above
  const exponent = isLong ? second * 256 + third - farthest : first - at + least
  const isShort = exponent >= least && exponent <= most
  if (isLong ? isShort || exponent < least !== (first === below) : !isShort) return null
  const isBeyond = bytes.at(-1) === 0xff
  const pairs = bytes.subarray(isLong ? 3 : 1, isBeyond ? -1 : undefined)
  const isCanonical = (pairs[0] ?? 0) > 10 && (pairs.at(-1) !== 1 || pairs.length === PAIRS_AT_MOST)
  if (!isCanonical || pairs.length > PAIRS_AT_MOST || pairs.some((pair) => pair < 1 || pair > 100)) return null
  if (isBeyond && pairs.length < PAIRS_AT_MOST) return null
  const digits = Array.from(pairs, (pair) => String(pair - 1).padStart(2, '0')).join('')
  // To be above all numbers that begin with these digits, add 1 to the last digit.
  const magnitude = BigInt(digits) + (isBeyond ? 1n : 0n)
  const scale = digits.length - exponent
  const unscaled = (isNegative ? -magnitude : magnitude) * 10n ** BigInt(Math.max(0, -scale))
  return { unscaled, scale: Math.max(0, scale) }
}

const numbers: BoundsRule = { allowed: (facts) => each(facts, numberOf), decoded: numberIn, shown: showExact }

// Times.

const TIME =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s?(?:(Z|UTC)|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)?$/i

type Instant = { readonly micros: bigint; readonly zoned: boolean; readonly isDay: boolean }

function instantOf(text: string): Instant | null {
  const match = TIME.exec(text)
  if (match === null) return null
  const number = (i: number): number => Number(match[i] ?? 0)
  const days = dayNumber(number(1), number(2), number(3))
  if (days === null || number(4) > 23 || number(5) > 59 || number(6) > 59) return null
  if (number(10) > 18 || number(11) > 59 || number(12) > 59) return null
  const away = (match[9] === '-' ? -1 : 1) * (number(10) * 3_600 + number(11) * 60 + number(12))
  const seconds = BigInt(days * 86_400 + number(4) * 3_600 + number(5) * 60 + number(6) - away)
  const zoned = match[8] !== undefined || match[9] !== undefined
  const micros = seconds * 1_000_000n + BigInt((match[7] ?? '').slice(0, 6).padEnd(6, '0'))
  return { micros, zoned, isDay: match[4] === undefined && !zoned }
}

/** Days since 1970-01-01, counted in years that begin in March; null for an invalid day. */
function dayNumber(year: number, month: number, day: number): number | null {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const length = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  if (length === undefined || day < 1 || day > length) return null
  const years = month > 2 ? year : year - 1
  const months = (month + 9) % 12
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400)
  return years * 365 + leaps + Math.floor((months * 153 + 2) / 5) + day - 1 - 719_468
}

function timeIn(key: Uint8Array): Exact | null {
  if (key.length !== 8) return null
  return whole(Buffer.from(key).readBigUInt64BE() - 2n ** 63n)
}

const showTime = (bound: ByteBound): string => {
  const { unscaled } = bound as Exact
  const ms = Number(unscaled / 1000n)
  return Math.abs(ms) > 8e15 ? `${unscaled} µs` : `${new Date(ms).toISOString()} (${unscaled} µs)`
}

const days: BoundsRule = {
  allowed: (facts) =>
    each(facts, (text) => {
      const instant = instantOf(text)
      return instant?.isDay === true ? whole(instant.micros) : null
    }),
  decoded: timeIn,
  shown: (bound) => showExact(whole((bound as Exact).unscaled / DAY_MICROS)).concat(' days'),
}

/** @param isInstant true for instants, which need a zone; false for wall clocks, which have none */
function times(isInstant: boolean): BoundsRule {
  return {
    allowed(facts) {
      const { low, high } = each(facts, (text) => {
        const instant = instantOf(text)
        return instant === null ? null : whole(instant.micros)
      })
      const reach = (piece: string | null): bigint =>
        instantOf(unquoted(piece ?? '') ?? '')?.zoned === isInstant ? 0n : ZONE_MICROS
      const least = low === null ? null : (low as Exact).unscaled - reach(facts.min)
      const most = high === null ? null : (high as Exact).unscaled + reach(facts.max)
      return {
        low: least === null ? null : whole(least <= 0n ? least - CUT_MICROS : least),
        high: most === null ? null : whole(most + CUT_MICROS),
      }
    },
    decoded: timeIn,
    shown: showTime,
  }
}

// Text and flags.

/** Marks that writers append to a truncated max, lone surrogates, and characters that replace them. */
const CUT_MARKS = /(?:[?\u{7f}\u{7fff}\u{fffd}\u{ffff}\u{10ffff}]|\p{Surrogate})+$/u
/** Sorts above every byte that can follow in UTF-8 text. */
const ABOVE_UTF8 = Buffer.from([0xf5])

const texts: BoundsRule = {
  allowed(facts) {
    const text = (piece: string | null): string | null => (piece?.startsWith('"') === true ? unquoted(piece) : null)
    // UTF-8 cannot encode a lone surrogate.
    const bytes = (value: string | null): Buffer | null =>
      value === null || /\p{Surrogate}/u.test(value) ? null : Buffer.from(value)
    const high = bytes(text(facts.max)?.replace(CUT_MARKS, '') ?? null)
    // The value may be a prefix of longer values.
    return { low: bytes(text(facts.min)), high: high === null ? null : Buffer.concat([high, ABOVE_UTF8]) }
  },
  decoded: (key) => Buffer.from(key),
  shown: (bound) => JSON.stringify((bound as Buffer).toString('utf8')),
}

const flags: BoundsRule = {
  allowed: ({ min, max }) => ({ low: whole(min === 'true' ? 1n : 0n), high: whole(max === 'false' ? 0n : 1n) }),
  decoded: (key) => (key.length === 1 && (key[0] ?? 2) < 2 ? whole(BigInt(key[0] ?? 0)) : null),
  shown: (bound) => ((bound as Exact).unscaled === 1n ? 'true' : 'false'),
}

const RULES: Readonly<Record<string, BoundsRule>> = {
  number: numbers,
  date: days,
  timestamp: times(true),
  timestamp_ntz: times(false),
  string: texts,
  boolean: flags,
}

/** The rule for a kind of range column; null for an unknown kind. */
export function boundsRule(kind: unknown): BoundsRule | null {
  return typeof kind === 'string' && Object.hasOwn(RULES, kind) ? (RULES[kind] ?? null) : null
}

/** The wider of both bounds on each side; a missing bound is the widest. */
export function outerBounds(a: ByteBounds, b: ByteBounds): ByteBounds {
  const { low, high } = a
  if (low === null && high === null) return NOTHING
  return {
    low: low === null || b.low === null ? null : compareBounds(low, b.low) <= 0 ? low : b.low,
    high: high === null || b.high === null ? null : compareBounds(high, b.high) >= 0 ? high : b.high,
  }
}
