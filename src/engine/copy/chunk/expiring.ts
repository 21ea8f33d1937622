/** Rows with values that expire while their chunk is copied. The proof leaves them out. */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Digest, Row, WriteTimes } from '../../../model/copy/rows.ts'
import type { RowBatch } from '../../../model/copy/source-port.ts'

/** Tolerance: servers store expiry times in whole seconds, and their clocks may differ. */
const TOLERANCE_MS = 2000
/** Minimum margin: rows that expire within the margin are left out, because the target is read after the source. */
const LEAST_MARGIN_MS = 10_000

export class Expiring {
  #soonestMs = Number.POSITIVE_INFINITY

  note(stamps: readonly WriteTimes[] | undefined): void {
    for (const stamp of stamps ?? []) this.#soonestMs = Math.min(this.#soonestMs, endOf(stamp))
  }

  /** True if a value that was read may have expired by now. */
  get mayHaveEnded(): boolean {
    return this.#soonestMs <= Date.now() + TOLERANCE_MS
  }
}

/** Rows that do not expire soon: their digest and their keys. */
export type LastingRows = { readonly digest: Digest; readonly keys: ReadonlySet<string> }

/**
 * Reads `batches` from the source. @returns digest and keys of the rows that do not expire soon
 * @param key positions of the target's key
 * @param isWanted whether a row, given by its key, is part of the proof
 * @param tookMs how long the earlier read of the target took
 */
export async function lastingRows(
  batches: AsyncIterable<RowBatch>,
  key: readonly number[],
  isWanted: (text: string, row: Row) => boolean,
  tookMs: number,
): Promise<LastingRows> {
  const sum = new RowChecksum()
  const keys = new Set<string>()
  const begunMs = Date.now()
  const marginMs = Math.max(LEAST_MARGIN_MS, 3 * tookMs)
  for await (const { rows, stamps } of batches) {
    for (const [i, row] of rows.entries()) {
      const stamp = stamps?.[i]
      // Assumes that this read takes about as long as the read of the target.
      if (stamp !== undefined && endOf(stamp) <= Math.max(begunMs + tookMs, Date.now()) + marginMs) continue
      const text = keyTextOf(row, key)
      if (!isWanted(text, row)) continue
      keys.add(text)
      sum.add(row)
    }
  }
  return { digest: sum.digest(), keys }
}

/** When the first value of a row expires, in milliseconds since 1970. */
function endOf({ lifetimes, readMs = 0 }: WriteTimes): number {
  let soonest = Number.POSITIVE_INFINITY
  for (const life of lifetimes) if (life !== null && life > 0) soonest = Math.min(soonest, readMs + life * 1000)
  return soonest
}
