/** One table that lies on no ring: ranges of keys whose sums agree are done, and what differs in the others is settled at the end. */
import { tableText } from '../../../model/copy/column-type.ts'
import { EVERY_KEY, rangeText, type Range } from '../../../model/copy/range.ts'
import type { Extent } from '../../../stores/copy-port.ts'
import type { DiffOperation } from '../../operation.ts'
import type { Run } from '../../run-context.ts'
import { compareRange, type Difference, type Found } from './compare.ts'
import { NO_OUTCOME, type Outcome } from './outcome.ts'
import { DiffProgress } from './progress.ts'
import { noneSettled, type Settler } from './settle.ts'
import type { Sides } from './sides.ts'
import { tellUnread } from './unread.ts'

/** Rows of a range that is summed at once. */
const SEGMENT_ROWS = 200_000
/** Differences that are looked at once more; what is beyond them is counted as it was found. */
const MOST_RECHECKED = 20_000

export async function diffPlain(
  operation: DiffOperation,
  sides: Sides,
  extent: Extent,
  settler: Settler,
  run: Run,
): Promise<Outcome> {
  const { plan } = sides
  const name = tableText(plan.source.table)
  const ranges = plan.sortsAlike ? Math.max(1, Math.ceil(Number(extent.rows) / SEGMENT_ROWS)) : 1
  const progress = new DiffProgress(name, { rows: extent.rows, estimated: !extent.exact, ranges }, run.emit, run.clock)
  const outcome: Outcome = { ...NO_OUTCOME }
  const suspects: Difference[] = []
  let more = 0
  const found = async (what: Found): Promise<void> => {
    if (what.kind === 'unread') {
      outcome.errors += 1n
      outcome.rows += 1n
      tellUnread({ sides, run }, what.row, what.error)
      return
    }
    progress.found()
    if (what.kind === 'range') {
      outcome.ranges += 1n
      run.emit({
        type: 'log',
        level: 'error',
        table: name,
        message: `${rangeText(what.range)}: ${what.source} rows in the source and ${what.target} in the target differ, and nothing tells them apart`,
      })
    } else if (suspects.length < MOST_RECHECKED) suspects.push(what.difference)
    else {
      more++
      outcome[what.difference.kind] += 1n
    }
  }
  for await (const range of segments(sides, run)) {
    const one = await compareRange(sides, range, found, progress)
    outcome.rows += one.rows
    outcome.targetRows += one.targetRows
  }
  progress.step('looking again')
  const settled = noneSettled()
  const before = operation.fix ? (left: number): void => progress.step('mending', left + more) : undefined
  await settler.settle(suspects, settled, before)
  if (settled.gone > 0 && !operation.fix) progress.step('looking again', suspects.length - settled.gone + more)
  outcome.missing += BigInt(settled.missing)
  outcome.different += BigInt(settled.different)
  outcome.extra += BigInt(settled.extra)
  outcome.fixed += BigInt(settled.fixedMissing + settled.fixedDifferent + settled.removed)
  outcome.newer += BigInt(settled.newer)
  settler.tellUnnamed(more)
  return outcome
}

/** Parts of the table that are compared one after the other; open at both ends, so that rows outside the source's keys are found. */
async function* segments(sides: Sides, run: Run): AsyncGenerator<Range> {
  const { plan, source, signal } = sides
  if (plan.source.key.length === 0) {
    yield { by: 'all' }
    return
  }
  if (plan.sortsAlike) {
    for await (const range of source.cut(plan.source, EVERY_KEY, plan.where ?? null, SEGMENT_ROWS, signal)) {
      if (run.interrupt.stop.aborted) return
      yield range
    }
  } else yield EVERY_KEY
  if (plan.source.columns.some(({ name, nullable }) => nullable && plan.source.key.includes(name)))
    yield { by: 'nullKey' }
}
