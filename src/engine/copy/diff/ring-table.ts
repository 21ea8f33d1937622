/**
 * Compares a table with a token ring: several workers compare its ranges. A range is reported after its differences
 * were read again and, if requested, repaired.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import { EVERY_KEY } from '../../../model/copy/range.ts'
import type { TokenRange } from '../../../model/copy/ring.ts'
import { dec } from '../../../model/run/event.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { DiffRun } from './diff-run.ts'
import type { RingPlan } from '../plan/ring-plan.ts'
import type { RowDifference } from './difference.ts'
import type { ComparedPart } from './copied-part.ts'
import type { CopiedTable } from './copied-table.ts'
import { CopiedTokens, type TokenPiece } from './copied-tokens.ts'
import { addOutcome, NO_OUTCOME, type DiffCounts } from './outcome.ts'
import { EXTRA, DiffProgress } from './progress.ts'
import {
  noProcessed,
  type ProcessedCounts,
  type DifferenceProcessor,
  type RepairContext,
} from './process-differences.ts'
import type { DiffSides } from './sides.ts'
import { findExtra } from './extra.ts'
import { trackDiff, type DiffRange, type DiffRecord } from './tracked.ts'
import type { DiffOperation } from '../operations/diff/declaration.ts'
import type { PlannedTable } from '../plan/plan-copy.ts'
import { compareTokens, type TokenHooks, type TokenTally } from './tokens.ts'

/** Limit of differences of a range that are passed to the processor in one call. */
const PROCESSED_AT_ONCE = 1000

type ComparedRing = {
  readonly operation: DiffOperation
  readonly table: PlannedTable
  readonly ring: RingPlan
  readonly sides: DiffSides
  readonly processor: DifferenceProcessor
  readonly stores: RepairContext
  /** Null if no copy of the same rows is known, or nothing is repaired. */
  readonly copied: CopiedTable | null
  readonly run: DiffRun
}

type RingTable = Pick<ComparedRing, 'sides' | 'ring' | 'processor' | 'run'> & {
  /** Ranges in the order of comparison. */
  readonly ranges: readonly TokenRange[]
  readonly workers: number
  readonly progress: DiffProgress
  readonly record: DiffRecord | null
  readonly copied: CopiedTokens | null
}

/** @returns totals of the ranges, and the error of the first range that could not be compared completely */
export async function diffRing(
  compared: ComparedRing,
): Promise<{ readonly outcome: DiffCounts; readonly error?: SluiceError }> {
  const { operation, table, ring, sides, processor, copied, run } = compared
  const { record, ranges } = await trackDiff(operation, table, ring, compared.stores, run)
  const { rows, exact } = table.extent
  const progress = new DiffProgress(
    tableText(sides.plan.source.table),
    { rows, estimated: !exact, ranges: ranges.length },
    run.emit,
    run.clock,
  )
  try {
    const tokens = copied === null ? null : await CopiedTokens.of(copied, ring)
    const { workers } = operation
    const found = await diffRanges({ sides, ring, processor, run, ranges, workers, progress, record, copied: tokens })
    await copied?.note()
    processor.reportUnnamed(0)
    return found
  } finally {
    await record?.end()
  }
}

async function diffRanges(table: RingTable): Promise<{ readonly outcome: DiffCounts; readonly error?: SluiceError }> {
  const outcome: DiffCounts = { ...NO_OUTCOME }
  const errors: SluiceError[] = []
  let next = 0
  const runWorker = async (worker: number): Promise<void> => {
    while (next < table.ranges.length && !table.run.interrupt.stop.aborted) {
      const tokens = table.ranges[next++]
      if (tokens === undefined) return
      const { event, one, error } = await diffRange(table, tokens, worker)
      addOutcome(outcome, one)
      if (error !== undefined) errors.push(error)
      table.progress.settled(0n)
      await table.record?.ended(tokens, event)
      table.run.emit(event)
    }
  }
  const count = Math.max(1, Math.min(table.workers, table.ranges.length))
  // Wait for all workers, even if one fails.
  for (const ended of await Promise.allSettled(Array.from({ length: count }, (_, i) => runWorker(i + 1))))
    if (ended.status === 'rejected') throw ended.reason
  const { plan } = table.sides
  if (!plan.sortsAlike && !table.run.interrupt.stop.aborted) await findExtraRows(table, outcome)
  const [error] = errors
  return error === undefined ? { outcome } : { outcome, error }
}

async function diffRange(
  table: RingTable,
  tokens: TokenRange,
  worker: number,
): Promise<{ readonly event: DiffRange; readonly one: DiffCounts; readonly error?: SluiceError }> {
  const { sides, progress, run, record, copied } = table
  const begun = run.clock.ticks()
  const { settled, add, settle } = processing(table)
  const tally: TokenTally = { rows: 0, targetRows: 0, valid: 0, unread: 0 }
  let error: SluiceError | undefined
  const hooksOf = (part: ComparedPart | null): TokenHooks => ({
    found: async (difference) => {
      progress.found()
      copied?.table.found(difference, part)
      await add(difference)
    },
    unread: (row, why) => {
      if (part !== null) part.isUnclear = true
      table.processor.reportUnread(row, why)
    },
    compared: (rows) => progress.compared(BigInt(rows)),
  })
  let pieces: readonly TokenPiece[] = []
  try {
    pieces = (await copied?.pieces(tokens)) ?? [{ range: tokens, part: null }]
    await record?.begun(tokens)
    for (const { range, part } of pieces) {
      addTally(tally, await compareTokens(sides, range, hooksOf(part)))
      copied?.compared(range, part)
    }
    await settle()
    await copied?.table.noteFinishedChunks()
  } catch (thrown) {
    error = asSluiceError(thrown)
    if (error.kind === 'stopped' || error.code === 'INTERNAL') throw thrown
    for (const { part } of pieces) if (part !== null) part.isUnclear = true
  }
  const one = outcomeOf(tally, settled)
  const event = { ...eventOf(table, tokens, tally, settled, run.clock.ticks() - begun, error), worker }
  return { event, one, ...given(error) }
}

/**
 * If the target is not on the same ring, searches the source for all target rows. If only a part of the ring is
 * compared, it is unknown which target rows belong to this part, so the search is skipped.
 */
async function findExtraRows(ringTable: RingTable, outcome: DiffCounts): Promise<void> {
  const { sides, ring, progress, copied, run } = ringTable
  const table = tableText(sides.plan.source.table)
  if (ring.part !== null) {
    const message = 'surplus rows are not searched, because only a part of the ring is compared'
    run.emit({ type: 'log', level: 'note', table, message })
    return
  }
  const { settled, add, settle } = processing(ringTable)
  progress.step(EXTRA)
  const found = async (difference: RowDifference): Promise<void> => {
    outcome.targetRows += 1n
    progress.found()
    copied?.table.found(difference, copied.table.whole)
    await add(difference)
  }
  await findExtra(sides, EVERY_KEY, found, (rows) => progress.addSearched(rows))
  progress.step(EXTRA)
  await settle()
  copied?.noteExtraSearched()
  addOutcome(outcome, outcomeOf({ rows: 0, targetRows: 0, valid: 0, unread: 0 }, settled))
}

/** Processes differences in groups. @returns their counts so far, and what takes one more or processes the rest */
function processing({ processor, copied }: Pick<RingTable, 'processor' | 'copied'>) {
  const settled = noProcessed()
  const waiting: RowDifference[] = []
  const settle = async (): Promise<void> => {
    const some = waiting.splice(0)
    await processor.process(some, settled)
    copied?.table.finishDifferences(some)
  }
  const add = async (difference: RowDifference): Promise<void> => {
    waiting.push(difference)
    if (waiting.length >= PROCESSED_AT_ONCE) await settle()
  }
  return { settled, add, settle }
}

function addTally(sum: TokenTally, one: TokenTally): void {
  for (const name of Object.keys(sum) as (keyof TokenTally)[]) sum[name] += one[name]
}

function outcomeOf({ rows, targetRows, unread }: TokenTally, settled: ProcessedCounts): DiffCounts {
  const { missing, different, extra, fixedMissing, fixedDifferent, removed, newer, errors } = settled
  return {
    rows: BigInt(rows + unread) + settled.rows,
    targetRows: BigInt(targetRows) + settled.targetRows,
    missing: BigInt(missing),
    extra: BigInt(extra),
    different: BigInt(different),
    fixed: BigInt(fixedMissing + fixedDifferent + removed),
    ranges: 0n,
    newer: BigInt(newer),
    errors: BigInt(errors + unread),
  }
}

function eventOf(
  { sides }: RingTable,
  { low, high }: TokenRange,
  { rows, unread }: TokenTally,
  settled: ProcessedCounts,
  ms: number,
  error: SluiceError | undefined,
): Omit<DiffRange, 'worker'> {
  const { missing, different, extra, fixedMissing, fixedDifferent, removed, errors } = settled
  const open = missing - fixedMissing + different - fixedDifferent + extra - removed
  const differed = missing + different + extra > 0
  const failed = error !== undefined || unread + errors > 0
  return {
    type: 'diff.range',
    table: tableText(sides.plan.source.table),
    from: dec(low),
    to: dec(high),
    status: failed ? 'FAIL' : !differed ? 'PASS' : open === 0 ? 'DIFF_CORRECTED' : 'DIFF',
    rows: dec(rows + unread),
    valid: dec(Math.max(0, rows - missing - different)),
    missing: dec(missing),
    fixedMissing: dec(fixedMissing),
    different: dec(different),
    fixedDifferent: dec(fixedDifferent),
    extra: dec(extra),
    removed: dec(removed),
    errors: dec(unread + errors),
    ms: Math.round(ms),
    ...(error === undefined ? {} : { error: error.info() }),
  }
}

const given = (error: SluiceError | undefined): { readonly error?: SluiceError } =>
  error === undefined ? {} : { error }
