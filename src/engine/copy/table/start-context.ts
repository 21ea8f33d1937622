/** The context of a table that begins to be copied, with its batch size. */
import { canFollow } from '../../../model/copy/offers.ts'
import { ComputedRows } from '../chunk/computed-rows.ts'
import { FrameRows } from '../chunk/frame-rows.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import type { TableContext } from './context.ts'
import { ChunkLedger } from '../ledger/chunks.ts'
import { tableKeyOf } from '../ledger/owner.ts'
import { Planning } from '../ledger/planning.ts'
import { refuseFollowedSince } from '../ledger/refuse-followed.ts'
import { retryMsOf } from '../workers/failure.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import type { CopyableTable } from './report-started.ts'
import type { CopyContext } from './copy-context.ts'
import { TimeLosses } from '../chunk/time-losses.ts'
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
/** @returns the context before the table is reconciled with the ledger, and before it is divided */
export function contextOf(
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
    timeLosses: new TimeLosses(),
    ...(copyContext.weak === undefined ? {} : { weak: copyContext.weak }),
    ...(operation.again === true ? { compares: true as const } : {}),
    ...(operation.follow === undefined ? {} : { isOfStream: true as const }),
    ...(operation.follow !== undefined && operation.follow.fireTriggers !== true
      ? { pastTriggers: true as const }
      : {}),
    emit: run.emit,
    retryMs: retryMsOf(copyContext.from, to),
    signal: run.interrupt.abort,
  }
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
