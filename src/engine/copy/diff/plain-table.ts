/**
 * Compares a table without a token ring. Ranges with equal checksums need no search. After the search in the other
 * ranges, the differences found there are read again and, if requested, repaired.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import { rangeText } from '../../../model/copy/range.ts'
import type { Extent } from '../../../model/copy/source-port.ts'
import type { DiffOperation } from '../operations/diff/declaration.ts'
import type { DiffRun } from './diff-run.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import { compareRange, equalRows, type DiffFinding } from './compare.ts'
import type { RowDifference } from './difference.ts'
import type { ComparedPart } from './copied-part.ts'
import type { CopiedTable } from './copied-table.ts'
import { keylessHint, NO_OUTCOME, type DiffCounts } from './outcome.ts'
import { unexplainedRange } from './explained.ts'
import { DiffProgress } from './progress.ts'
import { divided, SEGMENT_ROWS, segments, type RangeSegment } from './segments.ts'
import { noProcessed, type DifferenceProcessor } from './process-differences.ts'
import type { DiffSides } from './sides.ts'

/** Limit of differences that are read again; others are counted without a second read. */
const MAX_REREAD = 20_000

/**
 * @param copied null if no copy of the same rows is known, or nothing is repaired
 * @returns counts, and the error of the first range whose checksums differ although no differing row was found
 */
export async function diffPlain(
  operation: DiffOperation,
  sides: DiffSides,
  extent: Extent,
  processor: DifferenceProcessor,
  copied: CopiedTable | null,
  run: DiffRun,
): Promise<{ readonly outcome: DiffCounts; readonly error?: SluiceError }> {
  const { plan } = sides
  const name = tableText(plan.source.table)
  const ranges = plan.sortsAlike ? Math.max(1, Math.ceil(Number(extent.rows) / SEGMENT_ROWS)) : 1
  const progress = new DiffProgress(name, { rows: extent.rows, estimated: !extent.exact, ranges }, run.emit, run.clock)
  const outcome: DiffCounts = { ...NO_OUTCOME }
  const suspects: RowDifference[] = []
  let more = 0
  let unexplained: SluiceError | null = null
  const found = async (what: DiffFinding, part: ComparedPart | null): Promise<void> => {
    const isLate = what.kind === 'key' && suspects.length >= MAX_REREAD
    if (part !== null && (what.kind !== 'key' || isLate)) part.isUnclear = true
    if (what.kind === 'unread') {
      outcome.errors += 1n
      outcome.rows += 1n
      processor.reportUnread(what.row, what.error)
      return
    }
    if (what.kind === 'unexplained') {
      unexplained ??= unexplainedRange(name, what.range)
      return
    }
    progress.found()
    if (what.kind === 'range') {
      outcome.ranges += 1n
      const counts = `${what.source} rows in the source and ${what.target} in the target`
      const message = `${rangeText(what.range)}: ${counts}; at least one of them differs, and without a key it is unknown which`
      run.emit({ type: 'log', level: 'error', table: name, message, hint: keylessHint(plan.cut === 'key') })
    } else if (isLate) {
      more++
      outcome[what.difference.kind] += 1n
    } else {
      copied?.found(what.difference, part)
      suspects.push(what.difference)
    }
  }
  const compare = async (segment: RangeSegment): Promise<void> => {
    const { range, pieces } = segment
    const [{ part } = { part: null }, ...others] = pieces
    const equal = others.length > 0 ? await equalRows(sides, range) : null
    if (equal === null && others.length > 0) {
      const smaller = divided(segment)
      progress.divided(smaller.length)
      for (const one of smaller) await compare(one)
      return
    }
    if (equal === null) {
      const one = await compareRange(sides, range, (what) => found(what, part), progress)
      outcome.rows += one.rows
      outcome.targetRows += one.targetRows
    } else {
      progress.settled(equal)
      outcome.rows += equal
      outcome.targetRows += equal
    }
    for (const { part: one } of pieces) {
      if (one === null || one === copied?.whole) continue
      one.isWhole = true
      copied?.compared(one)
    }
    await copied?.noteFinishedChunks()
  }
  for await (const segment of segments(sides, copied)) {
    if (run.interrupt.stop.aborted) break
    await compare(segment)
  }
  if (copied !== null && copied.whole !== null) copied.whole.isWhole = !run.interrupt.stop.aborted
  progress.step('looking again')
  const settled = noProcessed()
  const before = operation.fix ? (left: number): void => progress.step('mending', left + more) : undefined
  await processor.process(suspects, settled, before)
  copied?.finishDifferences(suspects)
  if (settled.gone > 0 && !operation.fix) progress.step('looking again', suspects.length - settled.gone + more)
  addProcessed(outcome, settled)
  processor.reportUnnamed(more)
  return unexplained === null ? { outcome } : { outcome, error: unexplained }
}

function addProcessed(outcome: DiffCounts, settled: ReturnType<typeof noProcessed>): void {
  outcome.rows += settled.rows
  outcome.targetRows += settled.targetRows
  outcome.missing += BigInt(settled.missing)
  outcome.different += BigInt(settled.different)
  outcome.extra += BigInt(settled.extra)
  outcome.fixed += BigInt(settled.fixedMissing + settled.fixedDifferent + settled.removed)
  outcome.newer += BigInt(settled.newer)
}
