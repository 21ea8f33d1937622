/** A chunk as events report it. */
import { hasWholeBounds } from '../../../model/copy/column-type.ts'
import { dec, type ChunkTally, type KeySpan } from '../../../model/run/event.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { ChunkResult } from './copy-chunk.ts'

/** Bounds of a chunk for events. Whole-number ranges include both ends. */
export function chunkKeyBounds(range: Range, { source }: TablePlan): KeySpan {
  if (range.by === 'block')
    return { from: [range.from.toString()], to: range.to === null ? null : [range.to.toString()] }
  if (range.by !== 'key') return {}
  const { after, through } = range
  const [first] = after ?? []
  return {
    from: hasWholeBounds(source) && first !== undefined ? [(BigInt(first) + 1n).toString()] : after,
    to: through,
  }
}

export function tallyOf({ tally, source, target }: ChunkResult, attempt: number): ChunkTally {
  return {
    read: dec(tally.read),
    written: dec(tally.written),
    skipped: dec(tally.skipped),
    quarantined: dec(tally.quarantined),
    attempt,
    bytes: dec(tally.bytes),
    ...(source === null || source.sum === '' ? {} : { checksum: { source: source.sum, target: target?.sum ?? '' } }),
  }
}
