/** Dates and timestamps as text, read without a time zone of this machine getting in. */

/** `micros` since 1970-01-01T00:00:00: of UTC when `zoned`, else of a wall clock somewhere. */
export type Instant = { readonly micros: bigint; readonly zoned: boolean }

const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})$/
const TIMESTAMP =
  /^(\d{4}-\d{1,2}-\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?\s?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/i
const DAY_MS = 86_400_000

/** Days since 1970-01-01 (proleptic Gregorian) of `yyyy-MM-dd`, or null when it is no day. */
export function parseDate(text: string): number | null {
  const match = DATE.exec(text)
  if (!match) return null
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const date = new Date(0)
  // Date.UTC takes years below 100 for 19xx; this does not.
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  return date.getTime() / DAY_MS
}

function zoneMinutes(zone: string): number | null {
  if (zone === '' || /^(?:Z|UTC)$/i.test(zone)) return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(':', '') || 0)
  if (hours > 18 || minutes > 59) return null
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}

/**
 * `yyyy-MM-dd[ HH:mm[:ss[.SSSSSSSSS]]]`, with a space or a T between, and a zone (`Z`, `UTC`, `+02:00`) or none. Digits below the
 * microsecond are cut. Null when it is none.
 */
export function parseTimestamp(text: string): Instant | null {
  const match = TIMESTAMP.exec(text)
  if (!match) return null
  const [, dateText = '', hour = '0', minute = '0', second = '0', fraction = '', zone = ''] = match
  const days = parseDate(dateText)
  const offset = zoneMinutes(zone)
  if (days === null || offset === null) return null
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null
  const minutes = days * 1440 + Number(hour) * 60 + Number(minute) - offset
  const micros =
    BigInt(minutes) * 60_000_000n + BigInt(second) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
  return { micros, zoned: zone !== '' }
}
