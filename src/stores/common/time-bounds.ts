/** Bounds of periods in the form of time columns, and the order of canonical times. */
import { canonicalInstant } from '../../model/copy/canonical-time.ts'

/** `"column" >= from AND "column" < to`; if both are open, `IS NOT NULL`. */
export function betweenBounds(
  expression: string,
  from: string | null,
  to: string | null,
  spelled: (bound: string) => string,
): string {
  const sides = [
    ...(from === null ? [] : [`${expression} >= ${spelled(from)}`]),
    ...(to === null ? [] : [`${expression} < ${spelled(to)}`]),
  ]
  return sides.length === 0 ? `${expression} IS NOT NULL` : sides.join(' AND ')
}

/** Returns the bound, checked to be a whole number, because bounds become part of a statement's text. */
export function wholeBound(bound: string): string {
  if (/^-?\d{1,20}$/.test(bound)) return bound
  throw new Error(`this is not a whole number: ${bound}`)
}

/**
 * The bound as `2024-04-01 00:00:00`, in UTC if it has a zone; a date gets the time 00:00:00.
 * @throws SluiceError VALUE_REFUSED if it is neither a date nor a timestamp
 */
export function timestampBound(bound: string): string {
  const canonical = canonicalInstant(bound, true)
  if (/infinity/.test(canonical)) throw new Error('an open bound is null')
  return canonical
}

/** The first day that begins at the timestamp or after it. @throws as `timestampBound` */
export function dayBound(bound: string): string {
  const canonical = timestampBound(bound)
  const day = canonical.replace(/ \d\d:\d\d:\d\d(?:\.\d+)?/, '')
  return / 00:00:00(?: BC)?$/.test(canonical) ? day : movedDay(day, 1)
}

/** The date this number of days after `day`. Only for the years 1 to 9999 AD. */
export function movedDay(day: string, days: number): string {
  const at = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) + days * 86_400_000 : Number.NaN
  const text = Number.isNaN(at) ? '' : new Date(at).toISOString().slice(0, 10)
  if (/^\d{4}-/.test(text)) return text
  throw new Error(`no day of the calendar can be computed from ${day}`)
}

/** Negative if `a` is before `b`. Both are canonical dates, both timestamps, or both whole numbers. */
export function compareCanonicalTimes(a: string, b: string): number {
  const [left, right] = [orderOf(a), orderOf(b)]
  if (left.year !== right.year) return left.year < right.year ? -1 : 1
  return left.rest < right.rest ? -1 : left.rest > right.rest ? 1 : 0
}

/** Years before Christ count backwards, their days do not. */
function orderOf(text: string): { readonly year: bigint | number; readonly rest: string } {
  if (text === 'infinity') return { year: Number.POSITIVE_INFINITY, rest: '' }
  if (text === '-infinity') return { year: Number.NEGATIVE_INFINITY, rest: '' }
  const found = /^(\d{4,})(-\d\d-\d\d.*?)( BC)?$/.exec(text)
  if (found === null) return { year: BigInt(text), rest: '' }
  const [, year = '', rest = '', before] = found
  return { year: before === undefined ? BigInt(year) : -BigInt(year), rest }
}
