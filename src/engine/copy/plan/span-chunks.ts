/** Of a table that is copied by periods, the chunks with rows of one stretch of time: a run may copy these alone. */
import type { TimeSpan } from '../../../model/copy/period-marks.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { ChunkLedger } from '../ledger/chunks.ts'
import { compareTimes } from './period-cut.ts'

/** Whether a range of keys that begin with the time may hold a row of the span. */
export function reaches(range: Range, { after, through }: TimeSpan): boolean {
  if (range.by !== 'key') return false
  const [low, ...more] = range.after ?? []
  const high = range.through?.[0]
  // Behind a bound that has the time alone no row of that moment is left.
  const order = low === undefined || through === null ? -1 : compareTimes(low, through)
  const begins = order < 0 || (order === 0 && more.length > 0)
  return begins && (high === undefined || compareTimes(high, after) > 0)
}

/**
 * From here on only chunks with rows of the span are claimed.
 * @returns whether chunks that are not done are left to a later run
 */
export async function takeSpan(ledger: Pick<ChunkLedger, 'each' | 'claims'>, span: TimeSpan): Promise<boolean> {
  const only: number[] = []
  let isLeft = false
  for await (const { no, range, status } of ledger.each()) {
    if (reaches(range, span)) only.push(no)
    else isLeft ||= status !== 'completed'
  }
  ledger.claims.work({ only, seed: null })
  return isLeft
}
