/**
 * Stage of a run that reports its plan; refuses a run that selects no partition, or whose due partitions are all
 * blocked.
 */
import { isByValue } from '../../ledger/by-value.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { emitArchiveForecast } from '../../plan/forecast.ts'
import { emitArchivePlan } from '../../plan/plan-event.ts'
import type { ArchiveOperation } from './declaration.ts'
import { isProcessed, workersOf, type PlannedArchiveRun, type ArchiveTablePlan } from './plan.ts'
import { reportTable, reportChanges, reportGrace, reportUnplaced } from './messages.ts'

/** @throws SluiceError BAD_FLAG, PARTITIONS_BLOCKED */
export async function agreeArchiveRun({ operation, run, plans }: PlannedArchiveRun): Promise<void> {
  for (const plan of plans) {
    emitArchivePlan(plan, run.emit)
    const workers = workersOf(plan, operation)
    await emitArchiveForecast(plan, { database: plan.opened.database, workers }, run.emit)
    reportUnplaced(plan, run)
    reportChanges(plan, run)
    if ((operation.workers ?? 1) !== workers) reportTable(run, 'note', plan.table, ONE_WORKER)
  }
  refuseAimless(plans, operation)
  const blocked = blockersOf(plans)
  if (blocked.length > 0 && plans.every(({ partitions }) => !partitions.some(isProcessed))) throw allBlocked(blocked)
  for (const { plan, text } of blocked) reportTable(run, 'warn', plan.table, `it stays: ${text}`)
  for (const plan of plans) reportGrace(plan, operation, run)
}

const ONE_WORKER =
  'one worker is used: while a partition with subpartitions is read, other partitions cannot be detached'

/** Refuses new tables if no option defines which partitions are due. Tables in the ledger need no such option. */
function refuseAimless(plans: readonly ArchiveTablePlan[], { olderThan, partitions }: ArchiveOperation): void {
  if (olderThan !== undefined || partitions.length > 0 || plans.some(({ fresh }) => !fresh)) return
  throw new SluiceError('BAD_FLAG', 'the partitions to archive are not given', {
    hint: plans.every(({ archived }) => isByValue(archived))
      ? 'name partitions with --partition; sluice archive plan with the same options lists them'
      : 'give --older-than 8q, or name partitions with --partition',
  })
}

type Blocked = { readonly plan: ArchiveTablePlan; readonly text: string }

/** Due partitions that have rows and are blocked, each with the reason. */
function blockersOf(plans: readonly ArchiveTablePlan[]): readonly Blocked[] {
  return plans.flatMap((plan) =>
    plan.partitions
      .filter(({ status, candidate }) => status === 'blocked' && candidate?.rows !== 0n)
      .map(({ label, note }) => ({ plan, text: note === undefined ? label : `${label}: ${note}` })),
  )
}

const NAMED_BLOCKERS = 5

function allBlocked(blocked: readonly Blocked[]): SluiceError {
  const named = blocked.slice(0, NAMED_BLOCKERS).map(({ plan, text }) => `${tableText(plan.table.table)} ${text}`)
  const more = blocked.length > named.length ? `; and ${blocked.length - named.length} more` : ''
  const what = blocked.length === 1 ? 'the only due partition is' : `all ${blocked.length} due partitions are`
  return new SluiceError('PARTITIONS_BLOCKED', `${what} blocked, and nothing was archived`, {
    reason: `${named.join('; ')}${more}`,
    hint: 'remove the causes, then run the same command again; sluice archive plan lists them',
  })
}
