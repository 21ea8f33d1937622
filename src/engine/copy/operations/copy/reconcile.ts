/**
 * Stage of a copy that reconciles plan and ledger: what was started already, and what prevents the copy from
 * continuing.
 */
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import { refusedForAgain } from '../../again/delete-extra.ts'
import { CopyTrack } from '../../compat/cdm/copy-track.ts'
import { begunPlans } from '../../ledger/begun-plans.ts'
import { beginLedger } from '../../ledger/other-ledgers.ts'
import { tableKeyOf, type RunOwner, type TableKey } from '../../ledger/owner.ts'
import { refuseFollowed } from '../../ledger/refuse-followed.ts'
import { RunLedger } from '../../ledger/runs.ts'
import { SharedRestarts } from '../../ledger/shared-restarts.ts'
import { asStarted, withLedgerNames, type PlannedCopy } from '../../plan/plan-copy.ts'
import type { CopyOperation } from './declaration.ts'
import { planExtras, type PlannedCopyRun } from './plan.ts'
import { ledgerProgress } from './ledger-progress.ts'

/** A copy that may start: the plan matches the ledger, and the operation has the options for the remaining work. */
export type ReconciledCopy = PlannedCopyRun & {
  readonly database: LedgerDatabase
  readonly owner: RunOwner
  readonly runs: RunLedger
  /** Restarts of earlier executions; only in a task of a distributed run that restarts. */
  readonly restarts: SharedRestarts | undefined
}

/** @throws SluiceError if the ledger does not allow the copy */
export async function reconcileCopy(plannedCopy: PlannedCopyRun, database: LedgerDatabase): Promise<ReconciledCopy> {
  const { companion, run, to } = plannedCopy
  await beginLedger(plannedCopy.planned, database, run.interrupt.abort)
  const owner: RunOwner = { ...run.owner, runId: BigInt(run.runId) }
  const runs = new RunLedger(database, owner)
  const restarts = await restartsOf(plannedCopy, database)
  const known = { ...plannedCopy, database, owner, runs, restarts }
  let operation = await withoutRestart(known)
  let planned = await matchLedger(known, plannedCopy.planned, operation)
  const isOther = planned.tables.some((one, at) => one !== plannedCopy.planned.tables[at])
  const others = isOther
    ? await planExtras(plannedCopy, planned)
    : { objects: plannedCopy.objects, left: plannedCopy.left }
  if (companion === null) await refuseFollowed(to, { database, signal: run.interrupt.abort }, targetTableKeys(planned))
  const readsAll =
    operation.againWhenDone === true && !(await CopyTrack.isContinued({ operation, to, database }, planned))
  if (readsAll && (await isDone(planned, known))) {
    operation = { ...operation, again: true }
    planned = refusedForAgain(planned, operation)
    const message =
      'earlier runs copied all tables: every row is read and compared once more, and written again if it differs'
    run.emit({ type: 'log', level: 'note', message })
  }
  if (companion !== null) operation = { ...operation, noLook: true }
  return { ...known, ...others, operation, planned }
}

/** The current plan, adapted to the copy in the ledger; with `restart`, only target names are taken from the ledger. */
export function matchLedger(
  { planner, database }: Pick<ReconciledCopy, 'planner' | 'database'>,
  some: PlannedCopy,
  options: CopyOperation,
): Promise<PlannedCopy> {
  return (options.restart ? withLedgerNames : asStarted)(some, options, planner, begunPlans(database))
}

export function targetTableKeys({ tables }: PlannedCopy): readonly TableKey[] {
  return tables.map(({ targetName }) => tableKeyOf(targetName))
}

async function restartsOf(
  { operation, run, isRestart }: PlannedCopyRun,
  database: LedgerDatabase,
): Promise<SharedRestarts | undefined> {
  const isRestarted = isRestart || (operation.follow?.resync ?? []).length > 0 || operation.follow?.moved === true
  const restarts = isRestarted && run.sharedRun !== undefined ? new SharedRestarts(database, run.sharedRun) : undefined
  await restarts?.prepare()
  return restarts
}

/** Removes `restart` if earlier executions of the distributed run have restarted all tables. */
async function withoutRestart(known: ReconciledCopy): Promise<CopyOperation> {
  const { operation, restarts, planned } = known
  if (restarts === undefined || !operation.restart) return operation
  return {
    ...operation,
    restart: !(await restarts.haveChunks(targetTableKeys(await matchLedger(known, planned, operation)))),
  }
}

/** True if earlier runs have copied everything under the same plan. */
async function isDone(
  planned: PlannedCopy,
  around: Pick<ReconciledCopy, 'database' | 'owner' | 'runs'>,
): Promise<boolean> {
  const found = await ledgerProgress(planned, around)
  return found.length > 0 && found.every((standing) => standing === 'done')
}
