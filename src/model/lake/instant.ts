/** Parses dates and timestamps, independent of the time zone of this machine. */

/** `micros` since 1970-01-01T00:00:00: UTC if `zoned`, otherwise local time of an unknown zone. */
export type Instant = { readonly micros: bigint; readonly zoned: boolean }

const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})$/
const TIMESTAMP =
  /^(\d{4}-\d{1,2}-\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?\s?(Z|UTC|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)?$/i
const DAY_MS = 86_400_000

/** Days since 1970-01-01 (proleptic Gregorian) of `yyyy-MM-dd`; null if it is not a valid day. */
export function parseDate(text: string): number | null {
  const match = DATE.exec(text)
  if (!match) return null
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const date = new Date(0)
  // Date.UTC maps years below 100 to 19xx; setUTCFullYear does not.
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  return date.getTime() / DAY_MS
}

/** Offset of a zone, s; null if invalid. Before standard time, offsets had seconds: Amsterdam, +00:19:32 until 1937. */
function zoneSeconds(zone: string): number | null {
  if (zone === '' || /^(?:Z|UTC)$/i.test(zone)) return 0
  const digits = zone.slice(1).replaceAll(':', '').padEnd(6, '0')
  const [hours, minutes, seconds] = [0, 2, 4].map((at) => Number(digits.slice(at, at + 2))) as [number, number, number]
  if (hours > 18 || minutes > 59 || seconds > 59) return null
  return (zone.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds)
}

/**
 * `yyyy-MM-dd[ HH:mm[:ss[.SSSSSSSSS]]]`, separated by a space or a T, with a zone (`Z`, `UTC`, `+02:00`, `+00:19:32`)
 * or none. Digits below the microsecond are cut off. Null if the text is invalid.
 */
export function parseTimestamp(text: string): Instant | null {
  const match = TIMESTAMP.exec(text)
  if (!match) return null
  const [, dateText = '', hour = '0', minute = '0', second = '0', fraction = '', zone = ''] = match
  const days = parseDate(dateText)
  const offset = zoneSeconds(zone)
  if (days === null || offset === null) return null
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null
  const seconds = days * 86_400 + Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset
  const micros = BigInt(seconds) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
  return { micros, zoned: zone !== '' }
}
