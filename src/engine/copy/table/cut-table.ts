/** Prepares a table before its chunks are copied: compares its plan with the ledger's, creates and divides it. */
import { hasWholeBounds, tableText } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { equalDigests } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { Extent, SourceView } from '../../../model/copy/source-port.ts'
import { inspectTarget, plannedReadColumns, type TableContext } from './context.ts'
import { viewDigest } from '../chunk/digest.ts'
import { coverage } from '../ledger/chunk-totals.ts'
import { storeRange } from '../ledger/keys.ts'
import { recordProof } from '../ledger/proofs.ts'
import type { PlanRow, RunLedger } from '../ledger/runs.ts'
import { CLOSED } from '../ledger/stored-chunk.ts'
import { retireReplacedCopy } from './other-tables.ts'
import { ChunkCoverage } from '../plan/covered.ts'
import { cutRing } from './cut-ring.ts'
import { gapsOfPeriods } from '../plan/period-cut.ts'
import { hashedFieldsUnder, isHashOf, OWN_ROWS, planDifference } from '../plan/plan-hash.ts'
import type { TableOptions } from '../plan/table-options.ts'

/** Tables up to this many rows are counted; for larger ones the system's estimate is used. */
export const COUNT_UP_TO = 5_000_000n

/** Chunks inserted in one call. */
const AT_ONCE = 1000

/** Compares the plan with the ledger's, or stores it. @throws SluiceError PLAN_CHANGED with the first difference */
export async function reconcilePlan(
  context: TableContext,
  runs: RunLedger,
  sourceIdentity: string,
  options: { readonly restart: boolean; readonly isFollowed: boolean },
  requests: TableOptions,
): Promise<void> {
  const { plan, key, ledger, name } = context
  let known = await runs.plan(key)
  const isKnown = ({ hash }: PlanRow): boolean => isHashOf(hash, sourceIdentity, plan)
  const unused = known !== null && !isKnown(known) && !options.restart && (await isUnused(context))
  // A stream keeps the tables with which it began.
  const mayBeOthers = known !== null && !options.restart && !unused && !options.isFollowed
  const others = mayBeOthers && (await retireReplacedCopy(context, runs, sourceIdentity))
  const instead = options.restart || unused || others
  if (known === null || instead) {
    if (known !== null && !others)
      await ledger.retireAll(unused ? 'another plan, nothing was written' : 'restart', null)
    const row: PlanRow = {
      source: context.sourceLabel,
      sourceTable: name,
      hash: plan.hash,
      plan: JSON.stringify(hashedFieldsUnder(plan.hash, sourceIdentity, plan)),
      wishes: JSON.stringify({ ...requests, rename: [...requests.rename] }),
      chunkRows: plan.chunkRows,
      planned: false,
      madeHere: plan.create || (unused && known?.madeHere === true),
    }
    await runs.savePlan(key, row, instead)
    // Another process may have stored a plan at the same time.
    known = (await runs.plan(key)) ?? row
  } else if (mayBeOthers) known = (await runs.plan(key)) ?? known
  if (isKnown(known)) return
  const reason = planDifference(known.plan, hashedFieldsUnder(known.hash, sourceIdentity, plan))
  throw new SluiceError('PLAN_CHANGED', `an earlier run began to copy ${name} under another plan`, {
    reason,
    hint: hintOf(reason, plan),
  })
}

function hintOf(reason: string, { cut, target }: TablePlan): string {
  // Chunks of another database, or of a file that was replaced, are no part of a copy of this one.
  if (reason.startsWith('source: ')) {
    const overwrite = cut === 'key' ? '; or overwrite its rows with --restart --on-existing upsert' : ''
    return `name the source of the earlier run; if this one is right, empty ${tableText(target.table)} and begin again with --restart${overwrite}`
  }
  // Users who set this option mostly have existing rows in the target, so advise a comparison.
  if (reason.startsWith('on-existing: ') && cut === 'key')
    return 'copy it as before, with --again if the target has rows: it compares them with the source and repairs what differs'
  if (reason.startsWith(`${OWN_ROWS}: `))
    return 'empty the table of the target, which may have rows of those tables, and begin again with --restart'
  return 'copy it as before, or begin again with --restart; existing rows of the target are not removed'
}

/**
 * True if no row was written under the ledger's plan and no process is about to write one: the plan may then be
 * replaced. If a chunk is no transaction of the target, each attempt may have left rows.
 */
async function isUnused({ ledger, planning, store }: TableContext): Promise<boolean> {
  const begun = store.can.atomic === 'row' ? ' OR attempt > 0' : ''
  const isUsed = await ledger.has(
    `(status = 'in_progress' OR rows_written > 0 OR rows_quarantined > 0 OR cursor_key IS NOT NULL${begun})`,
  )
  return !isUsed && !(await planning.isDividing())
}

/**
 * Divides the undivided part of a table. Completed or claimed chunks are not touched.
 * @throws SluiceError LEASE_LOST if another process divides it now
 */
export async function cutTable(
  context: TableContext,
  runs: RunLedger,
  view: SourceView,
  extent: Extent,
): Promise<void> {
  const { plan, key, ledger, planning } = context
  if (context.ring !== null) {
    await cutRing(context, context.ring)
    return
  }
  await ledger.adopt()
  await proveAdopted(context, view)
  await reopenEmptied(context, view)
  if (plan.cut !== 'key') {
    await cutOnce(context, runs, view, extent)
    return
  }
  let found = await surveyOf(context)
  const known = await runs.plan(key)
  // Chunks made by periods are not divided again.
  if (known !== null && known.chunkRows !== plan.chunkRows && context.periods === undefined) {
    await cutAgain(context, view, extent, found.last + 1)
    found = await surveyOf(context)
  }
  const writer = new ChunkInserter(context, extent, found.last + 1)
  const open: Range[] = []
  for (const gap of found.gaps) {
    // Divide the range after the last chunk only if it has rows: otherwise every run would add an empty chunk.
    if (!found.any || (await view.last(plan.source, gap, plan.where ?? null, context.signal)) !== null) open.push(gap)
  }
  // Until these ranges are divided, completed chunks do not cover the whole table, so record that first.
  if (open.length > 0) await planning.note(false, plan.chunkRows)
  for (const gap of open) {
    for await (const range of view.cut(sized(plan, extent), gap, plan.where ?? null, plan.chunkRows, context.signal)) {
      await writer.add(range)
    }
  }
  if (extent.nullKeys && !found.nullKeys) await writer.add({ by: 'nullKey' })
  await writer.flush()
  await planning.note(true, plan.chunkRows)
}

type Survey = {
  readonly any: boolean
  /** Largest chunk number. */
  readonly last: number
  readonly nullKeys: boolean
  /** Ranges that no chunk covers. */
  readonly gaps: readonly Range[]
}

/** @throws SluiceError LEDGER_DAMAGED */
async function surveyOf({ database, key, plan, periods }: TableContext): Promise<Survey> {
  const { any, last, nullKeys, ranges } = await coverage(database, key)
  const cover = new ChunkCoverage()
  for (const range of ranges) cover.add({ id: 0, range })
  const gaps =
    periods === undefined ? cover.gaps(hasWholeBounds(plan.source)) : gapsOfPeriods(periods.options, cover.mergedRanges)
  return { any, last, nullKeys, gaps }
}

/** A chunk that the script completed is accepted only if both checksums are equal; otherwise it is copied again. */
async function proveAdopted(context: TableContext, view: SourceView): Promise<void> {
  const { plan, ledger, database, owner, signal, emit, name } = context
  for await (const chunk of ledger.each(`status = 'completed' AND proof IS NULL`)) {
    if (chunk.range.by !== 'key') continue
    const { range } = chunk
    const stored = await inspectTarget(context, range, (writer) => writer.digest({ scheme: 'canonical' }))
    const request = {
      table: plan.source,
      columns: plannedReadColumns(plan),
      range,
      where: plan.where ?? null,
      ordered: false,
    }
    const source = await viewDigest(view, request, signal)
    if (equalDigests(source, stored)) {
      await recordProof(database, owner, chunk, 'canonical', source, stored, view.point)
      continue
    }
    await ledger.reopen(chunk)
    emit({
      type: 'log',
      level: 'warn',
      table: name,
      message: `chunk ${chunk.no} was completed by another program, but differs from the source (${stored.rows} rows in the target, ${source.rows} in the source): it is copied again`,
    })
  }
}

/** Reopens completed chunks without an upper bound if their range has rows now: it had none at their completion. */
async function reopenEmptied({ plan, ledger, signal }: TableContext, view: SourceView): Promise<void> {
  for await (const chunk of ledger.each(`${CLOSED} AND hi IS NULL`)) {
    const { range } = chunk
    if (chunk.status !== 'completed' || range.by !== 'key' || range.through !== null) continue
    if ((await view.last(plan.source, range, plan.where ?? null, signal)) !== null) await ledger.reopen(chunk)
  }
}

/** Divides a table without a key. Block ranges are valid in one read view only, so an interrupted copy starts again. */
async function cutOnce(context: TableContext, runs: RunLedger, view: SourceView, extent: Extent): Promise<void> {
  const { plan, key, ledger, planning, target, signal, store } = context
  const { chunks, closed, written } = await ledger.totals()
  if (chunks > 0n && closed.chunks === chunks) return
  if (chunks > 0n) {
    const known = await runs.plan(key)
    if (known?.madeHere !== true) {
      throw new SluiceError(
        'TARGET_NOT_EMPTY',
        `the interrupted copy of ${tableText(plan.source.table)} cannot be resumed: the table has no key`,
        {
          reason: 'it is unknown which of its rows are in the target',
          hint: "empty the target's table and copy again with --restart, or name unique columns with --key",
        },
      )
    }
    const there = await inspectTarget(context, { by: 'all' }, (writer) => writer.digest({ scheme: 'count' }))
    // A target that stores row by row may hold more rows of the copy than the ledger counts.
    if (store.can.atomic !== 'row' && there.rows > written) throw otherRowsError(context, there.rows, written)
    // Empty the target first: if the program ends here, the chunks remain, and the next run empties the target again.
    await target.clear(plan.target, signal)
    await planning.note(false, plan.chunkRows)
    await ledger.retireAll('restarted', planning)
  }
  const writer = new ChunkInserter(context, extent, 1)
  const whole: Range = plan.cut === 'block' ? { by: 'block', from: 0n, to: null } : { by: 'all' }
  for await (const range of view.cut(sized(plan, extent), whole, plan.where ?? null, plan.chunkRows, signal)) {
    await writer.add(range)
  }
  await writer.flush()
  await planning.note(true, plan.chunkRows)
}

function otherRowsError({ plan }: TableContext, there: bigint, written: bigint): SluiceError {
  return new SluiceError(
    'TARGET_NOT_EMPTY',
    `${tableText(plan.target.table)} has ${there} rows, but the interrupted copy wrote only ${written}`,
    {
      reason: `${tableText(plan.source.table)} has no key, so all of it is copied again: rows of other programs would be removed`,
      hint: 'move the other rows to another table, then run the same command again; or name unique columns with --key',
    },
  )
}

/** The chunk size has changed: joins unstarted ranges, and divides them again. */
async function cutAgain(context: TableContext, view: SourceView, extent: Extent, firstNo: number): Promise<void> {
  const { plan, ledger, planning, signal } = context
  const untouched = new ChunkCoverage(true)
  for await (const chunk of ledger.each(`status = 'pending' AND cursor_key IS NULL`)) untouched.add(chunk)
  let next = firstNo
  for (const { after, through, ids } of untouched.mergedRanges) {
    const ranges = []
    for await (const range of view.cut(
      sized(plan, extent),
      { by: 'key', after, through },
      plan.where ?? null,
      plan.chunkRows,
      signal,
    )) {
      ranges.push(storeRange(range, plan.source, extent))
    }
    if (await ledger.replace(ids, ranges, next, planning)) next += ranges.length
  }
}

class ChunkInserter {
  readonly #context: TableContext
  readonly #extent: Extent
  readonly #ranges: Range[] = []
  #next: number

  constructor(context: TableContext, extent: Extent, firstNo: number) {
    this.#context = context
    this.#extent = extent
    this.#next = firstNo
  }

  async add(range: Range): Promise<void> {
    this.#ranges.push(range)
    if (this.#ranges.length >= AT_ONCE) await this.flush()
  }

  async flush(): Promise<void> {
    const { ledger, plan, planning } = this.#context
    const some = this.#ranges.splice(0)
    if (some.length === 0) return
    await ledger.add(
      some.map((range) => storeRange(range, plan.source, this.#extent)),
      this.#next,
      planning,
    )
    this.#next += some.length
  }
}

/** The source's table with the counted number of rows, which shows whether keys are dense. */
function sized(plan: TablePlan, extent: Extent): TablePlan['source'] {
  return { ...plan.source, rows: extent.rows }
}
