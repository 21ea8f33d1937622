/** Values that expire while their chunk is copied: what ends on its own is no part of what the copy has to prove. */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import { RowSum } from '../../../model/copy/row-hash.ts'
import type { Digest, Row, Stamp } from '../../../model/copy/rows.ts'
import type { RowBatch } from '../../../model/copy/port.ts'

/** Servers count in whole seconds, each in its own. */
const APART_MS = 2000
/** What ends within this time is left out, for the target is read after the source. */
const LEAST_MARGIN_MS = 10_000

export class Expiring {
  #soonestMs = Number.POSITIVE_INFINITY

  note(stamps: readonly Stamp[] | undefined): void {
    for (const stamp of stamps ?? []) this.#soonestMs = Math.min(this.#soonestMs, endOf(stamp))
  }

  /** Whether a value that was read may have ended by now. */
  get mayHaveEnded(): boolean {
    return this.#soonestMs <= Date.now() + APART_MS
  }
}

export type Steady = { readonly digest: Digest; readonly keys: ReadonlySet<string> }

/**
 * The rows of which nothing ends soon, as the source holds them now.
 * @param key positions of the target's key
 * @param isWanted whether a row is part of what is proved, by its key
 * @param tookMs how long the target was read before
 */
export async function steadyRows(
  batches: AsyncIterable<RowBatch>,
  key: readonly number[],
  isWanted: (text: string, row: Row) => boolean,
  tookMs: number,
): Promise<Steady> {
  const sum = new RowSum()
  const keys = new Set<string>()
  const begunMs = Date.now()
  const marginMs = Math.max(LEAST_MARGIN_MS, 3 * tookMs)
  for await (const { rows, stamps } of batches) {
    for (const [i, row] of rows.entries()) {
      const stamp = stamps?.[i]
      // Reading takes as long here as it did there, about.
      if (stamp !== undefined && endOf(stamp) <= Math.max(begunMs + tookMs, Date.now()) + marginMs) continue
      const text = keyTextOf(row, key)
      if (!isWanted(text, row)) continue
      keys.add(text)
      sum.add(row)
    }
  }
  return { digest: sum.digest(), keys }
}

/** When the first value of a row ends, in milliseconds since 1970. */
function endOf({ lives, readMs = 0 }: Stamp): number {
  let soonest = Number.POSITIVE_INFINITY
  for (const life of lives) if (life !== null && life > 0) soonest = Math.min(soonest, readMs + life * 1000)
  return soonest
}
