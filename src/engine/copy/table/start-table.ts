/** Prepares a table so that workers can claim its chunks. */
import { canFollow } from '../../../model/copy/offers.ts'
import { ComputedRows } from '../chunk/computed-rows.ts'
import { FrameRows } from '../chunk/frame-rows.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../../model/copy/column-type.ts'
import type { TimeRange } from '../../../model/copy/period-marks.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { Range } from '../../../model/copy/range.ts'
import { againWork } from '../again/again-work.ts'
import { inspectTarget, type TableContext } from './context.ts'
import { notEmpty } from '../chunk/refused-rows.ts'
import { ChunkLedger } from '../ledger/chunks.ts'
import { tableKeyOf } from '../ledger/owner.ts'
import { Planning } from '../ledger/planning.ts'
import { refuseFollowedSince } from '../ledger/refuse-followed.ts'
import type { RunLedger } from '../ledger/runs.ts'
import { isRanged } from '../recount/ranged.ts'
import { retryMsOf } from '../workers/failure.ts'
import { withRetries } from '../workers/retries.ts'
import { targetTableNow, type PlannedCopy, type PlannedTable } from '../plan/plan-copy.ts'
import { planTable } from '../plan/table-plan.ts'
import { honourRing } from './cut-ring.ts'
import { checkTargetMark } from './same-table.ts'
import { cutTable, reconcilePlan } from './cut-table.ts'
import { reportStarted, type CopyableTable } from './report-started.ts'
import { reclaimDead } from '../workers/reclaim.ts'
import type { CopyContext } from './copy-context.ts'
import type { TableRun } from './table-run.ts'
import { UnevenElements } from '../chunk/uneven-elements.ts'
import { comparePeriodTimes } from '../plan/period-cut.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { targetRange, targetRequest } from '../diff/sides.ts'
import { countRanges, keysRequest } from '../recount/counts.ts'
import { PeriodProgress } from './period-progress.ts'
import type { KeyRange } from '../plan/covered.ts'
import { onSide } from '../sides.ts'

/** Rows per batch: enough for the target's fastest path, and few enough for memory and for a fast stop. */
const BATCH_ROWS = 5000
const REQUEST_ROWS = 25_000
const BATCH_BYTES = 4 * 1024 * 1024
const PLANNING_POLL_MS = 300

/**
 * Prepares one table so that workers can claim its chunks. An error does not affect other tables.
 * @returns null if `elsewhere` is 'leave' and another process copies the table alone, because the table has no key
 */
export async function startTable(one: PlannedTable, planned: PlannedCopy, copyContext: CopyContext): Promise<TableRun>
export async function startTable(
  one: PlannedTable,
  planned: PlannedCopy,
  copyContext: CopyContext,
  elsewhere: 'wait' | 'leave',
): Promise<TableRun | null>
export async function startTable(
  one: PlannedTable,
  planned: PlannedCopy,
  copyContext: CopyContext,
  elsewhere: 'wait' | 'leave' = 'wait',
): Promise<TableRun | null> {
  const begun = copyContext.run.clock.ticks()
  if (one.plan === null) return failed(one, begun, one.error, copyContext)
  const context = contextOf(one, planned, copyContext)
  const { name } = context
  try {
    await reconcile(context, one, planned, copyContext)
    const whole = await divided(context, one, planned, { around: copyContext, elsewhere })
    if (whole === null) return null
    const ready = await withEarlier(whole, copyContext)
    const again = copyContext.operation.again === true ? againWork() : null
    await reportStarted(ready, one, copyContext, again)
    return {
      name,
      context: ready,
      begun,
      error: null,
      done: false,
      busy: 0,
      ...(again === null ? {} : { again }),
    }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.kind === 'stopped' || error.code === 'INTERNAL') throw thrown
    // Lets a process that waits for the table continue before the end of this run.
    await context.planning.end().catch(() => undefined)
    return failed(one, begun, error, copyContext)
  }
}

/** Result for a table that has failed: workers take no chunks of it. */
function failed(one: PlannedTable, begun: number, error: SluiceError, { run }: CopyContext): TableRun {
  const name = tableText(one.source.table)
  run.emit({
    type: 'table.finished',
    table: name,
    status: error.kind === 'state' || error.kind === 'unsupported' || error.kind === 'usage' ? 'refused' : 'failed',
    ms: Math.round(run.clock.ticks() - begun),
    error: error.info(),
  })
  return { name, context: null, begun, error, done: true, busy: 0 }
}

function contextOf(
  { source, targetName, plan, ring }: CopyableTable,
  { from, to }: PlannedCopy,
  copyContext: CopyContext,
): TableContext {
  const { operation, run, views, database, owner, throttle, pulse } = copyContext
  const name = tableText(source.table)
  const key = tableKeyOf(targetName)
  const ledger = new ChunkLedger(database, key, owner)
  if (copyContext.fence !== undefined) ledger.claims.requireGuard(copyContext.fence)
  else if (canFollow(from, to)) ledger.claims.checkAfterClaim(() => refuseFollowedSince(database, key))
  return {
    name,
    plan,
    ring,
    ...periodsToStart(name, plan, to, copyContext),
    key,
    sourceLabel: from.label,
    store: to,
    target: to.target(),
    views,
    only: null,
    ledger,
    planning: new Planning(database, key, owner),
    database,
    owner,
    throttle,
    frameRows: new FrameRows(plan.source),
    computedRows: new ComputedRows(),
    pulse,
    batch: {
      // If the target counts requests, each request carries as many rows as its limit of bytes allows.
      rows: to.can.requests === undefined ? (operation.batchRows ?? BATCH_ROWS) : REQUEST_ROWS,
      bytes: BATCH_BYTES,
    },
    maxAside: operation.maxAside,
    uneven: new UnevenElements(),
    ...(copyContext.weak === undefined ? {} : { weak: copyContext.weak }),
    ...(operation.again === true ? { compares: true as const } : {}),
    ...(operation.follow !== undefined && operation.follow.fireTriggers !== true
      ? { pastTriggers: true as const }
      : {}),
    emit: run.emit,
    retryMs: retryMsOf(copyContext.from, to),
    signal: run.interrupt.abort,
  }
}

/** Frees chunks of dead processes, and reconciles the plan with the ledger's. */
async function reconcile(
  context: TableContext,
  { options: requests }: PlannedTable,
  { from }: PlannedCopy,
  { operation, database, owner, runs, restarts }: CopyContext,
): Promise<void> {
  const { name: table, key, ledger, emit } = context
  for (const { chunk, why } of await reclaimDead(database, ledger, owner)) {
    emit({ type: 'chunk.released', table, chunk: String(chunk.no), reason: why })
  }
  const restart = restarts === undefined ? operation.restart : !(await restarts.has('chunks', key))
  const isFollowed = operation.follow !== undefined
  await reconcilePlan(context, runs, from.identity, { restart, isFollowed }, requests)
  if (restarts !== undefined && restart) await restarts.note('chunks', key)
}

/** Applies state of earlier runs for rings and periods; with periods, limits claims to the wanted time span. */
async function withEarlier(context: TableContext, { operation: { span } }: CopyContext): Promise<TableContext> {
  const { ring, periods, ledger } = context
  if (ring !== null) await honourRing(context, ring)
  await periods?.progress.load(ledger.each())
  if (periods === undefined || span === undefined || !(await limitToSpan(ledger, span))) return context
  return { ...context, periods: { ...periods, leavesOut: true } }
}

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

/**
 * Creates the table in the target and divides it, unless another process does or did so.
 * @returns the context with the plan for the current table; null as in `startTable`
 */
async function divided(
  context: TableContext,
  one: PlannedTable,
  planned: PlannedCopy,
  { around, elsewhere }: { readonly around: CopyContext; readonly elsewhere: 'wait' | 'leave' },
): Promise<TableContext | null> {
  const { runs, views, steering } = around
  const divide = async (): Promise<TableContext | null> => {
    let view: SourceView | null = null
    try {
      const ready = await withTable(context, one, planned, runs)
      await ready.ledger.reopenFailed()
      view = await views.current()
      await cutTable(ready, runs, view, one.extent)
      // Keep the lease for block ranges: another process cannot use them, and waits until all of them are copied.
      if (ready.plan.cut === 'key') await ready.planning.end()
      return ready.plan.cut === 'block' ? { ...ready, only: view } : ready
    } catch (thrown) {
      const error = asSluiceError(thrown)
      const { code, kind, message } = error
      if (kind === 'source' && view !== null) await views.renew(view, error)
      if (code !== 'LEASE_LOST') throw thrown
      context.emit({ type: 'log', level: 'note', table: context.name, message })
      return null
    }
  }
  for (;;) {
    const is = await mayCut(context, around, elsewhere)
    if (is === 'copied elsewhere') return null
    if (is === 'cut') return withRetries(() => planAgain(context, one, planned), context, steering.stop)
    const ready = await withRetries(divide, context, steering.stop)
    if (ready !== null) return ready
  }
}

/**
 * Waits for another process that divides the table.
 * @returns `to be cut` if this process must divide the table, `cut` if it is divided, `copied elsewhere` if another
 * process copies it alone
 */
async function mayCut(
  { key, name, plan, planning }: TableContext,
  { run, runs, steering }: CopyContext,
  elsewhere: 'wait' | 'leave',
): Promise<'to be cut' | 'cut' | 'copied elsewhere'> {
  for (let reported = false; ; reported = true) {
    if (await planning.take()) return 'to be cut'
    if (plan.cut === 'key' && (await runs.plan(key))?.planned === true) return 'cut'
    if (plan.cut !== 'key' && elsewhere === 'leave') return 'copied elsewhere'
    throwIfAborted(steering.stop)
    const doing =
      plan.cut === 'key' ? 'dividing the table into chunks' : 'copying the table, which cannot be shared without a key'
    if (!reported) run.emit({ type: 'log', level: 'note', table: name, message: `another run is ${doing}; waiting` })
    await sleep(PLANNING_POLL_MS)
  }
}

/**
 * Creates the table, unless it was created since the plan was made.
 * @throws SluiceError PLAN_CHANGED if a table with copied rows is missing or empty, or is another table
 */
async function withTable(
  context: TableContext,
  one: PlannedTable,
  planned: PlannedCopy,
  runs: RunLedger,
): Promise<TableContext> {
  const ready = await planAgain(context, one, planned)
  const { ledger, plan, signal, target } = ready
  const { written: copied, kept, isBegun, chunks, closed } = await ledger.totals()
  const isFirst = !isBegun
  const before = { kept, holdsRows: await ledger.has('(rows_read > 0 OR rows_written > 0 OR cursor_key IS NOT NULL)') }
  // An empty table has no surplus: record this, so that the table can later be counted as a whole.
  if (isFirst && !isRanged(plan) && (plan.create || (await isEmpty(ready)))) await runs.notePlanSurplus(ready.key, 0n)
  // A copy of a table without a key cannot be resumed: it empties the table that it created, and begins again.
  const isEmptied =
    !plan.create && plan.cut !== 'key' && closed.chunks < chunks && (await runs.plan(ready.key))?.madeHere
  if (copied > 0n && isEmptied !== true && (plan.create || (await isEmpty(ready)))) throw lostRows(ready, copied)
  if (!plan.create) {
    await checkTargetMark(ready, runs, before)
    if (isFirst && overwrites(ready) && !(await isEmpty(ready))) throw notEmpty(plan.target.table.name)
    return ready
  }
  try {
    await target.create(plan.target, signal)
  } catch (thrown) {
    // This process has the lease, so no other process creates the table. If the table exists now, an earlier attempt
    // has created it, and its reply was lost.
    const made = await planAgain(ready, one, planned)
    if (made.plan.create) throw thrown
    await checkTargetMark(made, runs, before)
    return made
  }
  await checkTargetMark(ready, runs, before)
  return ready
}

/** True if rows could be overwritten unnoticed: the target accepts duplicate keys, and no range can be checked. */
function overwrites({ plan, store }: TableContext): boolean {
  return store.can.atomic === 'row' && plan.onExisting === 'refuse' && !(plan.cut === 'key' && plan.sortsAlike)
}

/** True if the target's table holds no row at all, of any origin. */
async function isEmpty(context: TableContext): Promise<boolean> {
  return !(await inspectTarget(context, { by: 'all' }, (writer) => writer.hasRows()))
}

/** Error: the ledger lists copied rows, but the target table is missing or empty. */
function lostRows({ name, plan }: TableContext, copied: bigint): SluiceError {
  const what = plan.create ? 'no longer exists in the target' : 'is empty in the target'
  const how = plan.create ? 'dropped' : 'emptied'
  return new SluiceError('PLAN_CHANGED', `${tableText(plan.target.table)} ${what}`, {
    reason: `according to the ledger, ${copied} rows of ${name} were copied into it`,
    hint: `if it was ${how} on purpose, begin again with --restart`,
  })
}

/** The context with a new plan if another process has created the table meanwhile; otherwise the same context. */
async function planAgain(context: TableContext, one: PlannedTable, planned: PlannedCopy): Promise<TableContext> {
  const { plan, signal } = context
  if (!plan.create) return context
  const { from, to } = planned
  const found = await targetTableNow(one.targetName, to, signal)
  if (found === null) return context
  const detailed = await to.dependencies().detailed(found, signal)
  const again = planTable(from, to, plan.source, detailed, one.targetName, one.options)
  return { ...context, plan: { ...again, chunkRows: plan.chunkRows } }
}

/** @param name of the source's table, for events @param store the target */
function periodsToStart(
  name: string,
  plan: TablePlan,
  store: CopyStore,
  { operation, run }: CopyContext,
): Pick<TableContext, 'periods'> {
  const options = operation.periods
  if (options === undefined) return {}
  const proof = operation.verify === 'count' ? 'count' : 'chunk'
  const { abort: signal } = run.interrupt
  const request = keysRequest(plan, targetRequest({ plan }, { by: 'all' }))
  const count = (range: KeyRange): Promise<bigint> =>
    onSide('target', async () => {
      await using view = await store.source(signal)
      return (await countRanges(view, request, [targetRange({ plan }, range)], signal))[0] ?? 0n
    })
  return {
    periods: {
      options,
      progress: new PeriodProgress(name, options, { emit: run.emit, clock: run.clock, proof, count }),
    },
  }
}
