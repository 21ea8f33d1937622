/** Time as a parameter, so that tests can stop it. */
export type Clock = {
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds from any origin, for durations. */
  ticks(): number
}

export const systemClock: Clock = { now: () => Date.now(), ticks: () => performance.now() }

/** `2026-11-20T12:04:16.204Z`. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

const TIME_TEXT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|([+-]\d\d)(?::?(\d\d))?)?$/

/**
 * Converts a time that a database printed to the form of `isoTime`. The input has `T` or a space before the time of
 * day; without a zone it is UTC. Microseconds are kept. A text that is not such a time is returned unchanged.
 */
export function isoOfText(text: string): string {
  const match = TIME_TEXT.exec(text)
  if (match === null) return text
  const [, day, clock, fraction = '', hours = '+00', minutes = '00'] = match
  const digits = fraction.padEnd(6, '0')
  const ms = Date.parse(`${day}T${clock}.${digits.slice(0, 3)}${hours}:${minutes}`)
  // `Date` accepts the 30th of February as the 2nd of March.
  if (Number.isNaN(ms) || isoTime(Date.parse(`${day}T00:00:00Z`)).slice(0, 10) !== day) return text
  const micros = digits.slice(3)
  return micros === '000' ? isoTime(ms) : `${isoTime(ms).slice(0, -1)}${micros}Z`
}
