/** Ranges of a table. Only the store that has the rows compares bounds, because systems sort texts differently. */
import type { RowKey } from './row-key.ts'

/**
 * One text per key column, as the store prints the value. A shorter bound has only the first columns: keys with equal
 * first columns are not above the bound.
 */
export type KeyBound = readonly string[]

export type Range =
  /** Keys above `after` up to `through` (inclusive); null is open. */
  | { readonly by: 'key'; readonly after: KeyBound | null; readonly through: KeyBound | null }
  /** Rows with NULL in a key column. */
  | { readonly by: 'nullKey' }
  /** Numbered blocks from `from` (inclusive) to `to` (exclusive); valid only within one view of the source. */
  | { readonly by: 'block'; readonly from: bigint; readonly to: bigint | null }
  /** Single rows by their keys. */
  | { readonly by: 'keys'; readonly keys: readonly RowKey[] }
  /** A table that cannot be divided. */
  | { readonly by: 'all' }

export const EVERY_KEY: Range = { by: 'key', after: null, through: null }

/** For messages and lists: `400001–450000`, `after (a, 7) … end`, `blocks 0–128`. */
export function rangeText(range: Range): string {
  switch (range.by) {
    case 'key':
      return `${boundText(range.after, 'start', true)}${separatorOf(range)}${boundText(range.through, 'end', false)}`
    case 'nullKey':
      return 'no key'
    case 'block':
      return `blocks ${range.from}–${range.to === null ? 'end' : range.to - 1n}`
    case 'keys':
      return `${range.keys.length} keys`
    case 'all':
      return 'all rows'
  }
}

const INTEGER = /^-?\d{1,19}$/

/** Separator of the bounds: a dash would seem to be part of a key that is a text or a UUID. */
function separatorOf({ after, through }: Extract<Range, { by: 'key' }>): string {
  return [after, through].every((bound) => bound === null || isInteger(bound)) ? '–' : ' … '
}

function isInteger(bound: KeyBound): boolean {
  return bound.length === 1 && INTEGER.test(bound[0] ?? '')
}

/** Text of a bound. Both bounds of a range of integers are shown as inclusive, as users read ids. */
function boundText(bound: KeyBound | null, open: string, exclusive: boolean): string {
  if (bound === null) return open
  const [first = ''] = bound
  if (bound.length === 1) {
    if (!isInteger(bound)) return exclusive ? `after ${first}` : first
    return exclusive ? (BigInt(first) + 1n).toString() : first
  }
  return `${exclusive ? 'after ' : ''}(${bound.join(', ')})`
}
