/** Converts the range of a chunk to columns of the ledger, and back. */
import { INT64 } from '../../../shared/int64.ts'
import { hasWholeBounds, type TableSpec } from '../../../model/copy/column-type.ts'
import type { KeyBound, Range } from '../../../model/copy/range.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'

export type StoredRange = {
  readonly kind: string
  readonly lo: string | null
  readonly hi: string | null
  /**
   * First and last id, both inclusive, as in the script's table: keys, if the key is one whole number, or blocks of a
   * block range. Otherwise null.
   */
  readonly startId: bigint | null
  readonly endId: bigint | null
}

/** @param keyLimits smallest and largest key seen, for a range without a bound */
export function storeRange(
  range: Range,
  table: TableSpec,
  keyLimits: { readonly low: string | null; readonly high: string | null },
): StoredRange {
  switch (range.by) {
    case 'key': {
      const numeric = hasWholeBounds(table)
      const first = range.after === null ? integer(keyLimits.low) : next(integer(range.after[0] ?? null))
      const last = integer(range.through === null ? keyLimits.high : (range.through[0] ?? null))
      return {
        kind: 'key',
        lo: range.after === null ? null : JSON.stringify(range.after),
        hi: range.through === null ? null : JSON.stringify(range.through),
        startId: numeric ? first : null,
        endId: numeric ? last : null,
      }
    }
    case 'block':
      return {
        kind: 'block',
        lo: JSON.stringify([range.from.toString()]),
        hi: range.to === null ? null : JSON.stringify([range.to.toString()]),
        startId: range.from,
        endId: range.to === null ? null : range.to - 1n,
      }
    case 'nullKey':
    case 'all':
    case 'keys':
      return { kind: range.by, lo: null, hi: null, startId: null, endId: null }
  }
}

/** @param row kind, lo, hi, start_id, end_id of a chunk; rows of the script have only the last two */
export function readRange([kind, lo, hi, startId, endId]: readonly SqlValue[]): Range {
  switch (kind) {
    case 'nullKey':
    case 'all':
      return { by: kind }
    case 'block':
      return { by: 'block', from: BigInt(bound(lo)?.[0] ?? 0), to: hi === null ? null : BigInt(bound(hi)?.[0] ?? 0) }
    case 'key':
      return { by: 'key', after: bound(lo), through: bound(hi) }
    default:
      return {
        by: 'key',
        after: startId == null ? null : [(BigInt(String(startId)) - 1n).toString()],
        through: endId == null ? null : [String(endId)],
      }
  }
}

function bound(text: SqlValue | undefined): KeyBound | null {
  return text == null ? null : (JSON.parse(String(text)) as KeyBound)
}

function integer(text: string | null): bigint | null {
  if (text === null || !/^-?\d+$/.test(text)) return null
  const value = BigInt(text)
  return value > INT64.most || value < INT64.least ? null : value
}

function next(value: bigint | null): bigint | null {
  return value === null || value === INT64.most ? null : value + 1n
}
