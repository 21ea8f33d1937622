/** Prepares a table so that workers can claim its chunks. */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { againWork } from '../again/again-work.ts'
import type { TableContext } from './context.ts'
import type { TimeRange } from '../../../model/copy/period-marks.ts'
import type { ChunkLedger } from '../ledger/chunks.ts'
import { mayContain } from '../plan/period-cut.ts'
import { withRetries } from '../workers/retries.ts'
import type { PlannedCopy, PlannedTable } from '../plan/plan-copy.ts'
import { honourRing } from './cut-ring.ts'
import { cutTable, reconcilePlan } from './cut-table.ts'
import { ensureTable, planAgain } from './create-table.ts'
import { contextOf } from './start-context.ts'
import { reportStarted } from './report-started.ts'
import { reclaimDead } from '../workers/reclaim.ts'
import type { CopyContext } from './copy-context.ts'
import type { TableRun } from './table-run.ts'

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
      const ready = await ensureTable(context, one, planned, runs)
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
