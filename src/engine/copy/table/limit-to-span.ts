/** Limits a run to chunks of a time span. */
import type { TimeRange } from '../../../model/copy/period-marks.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { ChunkLedger } from '../ledger/chunks.ts'
import { comparePeriodTimes } from '../plan/period-cut.ts'

/**
 * True if a key range may contain a row of the time span to which a run is limited. Only for a table that is copied by
 * periods, whose key begins with the time.
 */
export function mayContain(range: Range, { after, through }: TimeRange): boolean {
  if (range.by !== 'key') return false
  const [low, ...more] = range.after ?? []
  const high = range.through?.[0]
  // A lower bound that consists of a time alone excludes all rows with this time.
  const order = low === undefined || through === null ? -1 : comparePeriodTimes(low, through)
  const begins = order < 0 || (order === 0 && more.length > 0)
  return begins && (high === undefined || comparePeriodTimes(high, after) > 0)
}

/** Limits claims to chunks that may hold rows of the span. @returns true if unfinished chunks are left out */
export async function limitToSpan(ledger: Pick<ChunkLedger, 'each' | 'claims'>, span: TimeRange): Promise<boolean> {
  const only: number[] = []
  let isLeft = false
  for await (const { no, range, status } of ledger.each()) {
    if (mayContain(range, span)) only.push(no)
    else isLeft ||= status !== 'completed'
  }
  ledger.claims.work({ only, seed: null })
  return isLeft
}
