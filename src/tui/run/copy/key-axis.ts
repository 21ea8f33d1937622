/** Position of a table's chunks: by the value of an integer key, or by the numbers of the chunks. */
import type { CopyStartedEvent, KeySpan } from '../../../model/run/event.ts'
import { clean, cutEnd, width } from '../../../render/screen-text.ts'

export type KeyAxis = { readonly by: 'value'; readonly low: bigint; readonly high: bigint } | { readonly by: 'order' }

/** A part of an axis, as fractions from 0 to 1. */
export type AxisPart = { readonly from: number; readonly to: number }

const WHOLE = /^-?\d{1,40}$/
/** Numeric key types. Texts of digits are excluded, because they do not sort by their numeric value. */
const NUMERIC = /int|serial|numeric|decimal|number|year/i

/** @param native declared type of the key column in the source; null if no plan contains it */
export function axisOf({ key, low, high }: CopyStartedEvent, native: string | null): KeyAxis {
  if (key.length !== 1 || low === undefined || high === undefined) return { by: 'order' }
  if (!WHOLE.test(low) || !WHOLE.test(high) || (native !== null && !NUMERIC.test(native))) return { by: 'order' }
  const [a, b] = [BigInt(low), BigInt(high)]
  return a > b ? { by: 'order' } : { by: 'value', low: a, high: b }
}

/** Position of a chunk on an axis of values. Rows without a key are at the end of the axis. */
export function axisPlace(axis: Extract<KeyAxis, { by: 'value' }>, { from, to }: KeySpan): AxisPart {
  if (from === undefined && to === undefined) return { from: 1, to: 1 }
  const span = Number(axis.high - axis.low + 1n)
  const share = (bound: bigint): number => Math.max(0, Math.min(1, Number(bound - axis.low) / span))
  const first = whole(from)
  const last = whole(to)
  return { from: first === null ? 0 : share(first), to: last === null ? 1 : share(last + 1n) }
}

function whole(bound: readonly string[] | null | undefined): bigint | null {
  const text = bound?.[0]
  return text !== undefined && WHOLE.test(text) ? BigInt(text) : null
}

/**
 * Text of a key range: `400001–450000`, `start–c2`, `(7, a)–(7, k)`, `blocks 0–127`. For keys that are not integers,
 * the lower bound is exclusive.
 * @param key columns of the key; empty if the table is cut by blocks
 */
export function keyRangeText({ from, to }: KeySpan, key: readonly string[]): string {
  if (from === undefined && to === undefined) return key.length === 0 ? 'all rows' : 'rows without a key'
  if (key.length > 0) return `${edge(from, 'start')}–${edge(to, 'end')}`
  const next = whole(to)
  return `blocks ${edge(from, '0')}–${next === null ? 'end' : (next - 1n).toString()}`
}

/**
 * `keyRangeText` in at most `cells`: numbers are cut at their start, texts at their end, so that ranges stay
 * distinguishable.
 */
export function fitKeyRange(span: KeySpan, key: readonly string[], cells: number): string {
  const text = clean(keyRangeText(span, key))
  const middle = text.indexOf('–')
  if (width(text) <= cells || middle < 0) return cutEnd(text, cells)
  const half = Math.floor((cells - 1) / 2)
  return [text.slice(0, middle), text.slice(middle + 1)].map((bound) => shortBound(bound, half)).join('–')
}

function shortBound(bound: string, cells: number): string {
  return WHOLE.test(bound) && bound.length > cells ? `…${bound.slice(1 - cells)}` : cutEnd(bound, cells)
}

function edge(bound: readonly string[] | null | undefined, open: string): string {
  if (bound === null || bound === undefined) return open
  return bound.length === 1 ? (bound[0] ?? open) : `(${bound.join(', ')})`
}

/** Key values with their column names: `id 431877`, `tenant 7, id 12`. */
export function namedKeyText(values: readonly (string | null)[], key: readonly string[]): string {
  return values.map((value, i) => `${key[i] ?? 'key'} ${value ?? 'NULL'}`).join(', ')
}
