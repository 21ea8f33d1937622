/** Last stage of a dry run: shows the plan, changes nothing and creates no ledger. */
import { dec } from '../../../model/run/event.ts'
import { reportDoubtful } from '../../plan/unfit-values.ts'
import { PlanCounts } from '../../plan/counted.ts'
import { emitArchiveForecast } from '../../plan/forecast.ts'
import { emitArchivePlan } from '../../plan/plan-event.ts'
import { resumeState, reportResumeState } from '../../plan/resumable.ts'
import { withRowCounts } from '../../plan/plan-counts.ts'
import type { PlannedPartition } from '../../plan/planned-status.ts'
import type { Ending } from '../../../engine/run/run-context.ts'
import { planContext, workersOf, type PlannedArchiveRun, type ArchiveTablePlan } from './plan.ts'
import { reportChanges, reportReferrers, reportUnplaced, reportUnsure, reportValues } from './messages.ts'

export async function showArchivePlan({ operation, run, plans, refused }: PlannedArchiveRun): Promise<Ending> {
  const inspected = new PlanCounts()
  for (const planned of plans) {
    const { opened } = planned
    const around = planContext(opened, run)
    const plan = await withRowCounts(planned, around)
    const standing = await resumeState(plan.archived, opened, run, plan.table.table)
    emitArchivePlan(plan, run.emit, standing)
    await emitArchiveForecast(plan, { database: opened.database, workers: workersOf(plan, operation) }, run.emit)
    reportUnplaced(plan, run)
    reportValues(plan, run)
    reportReferrers(plan, run)
    reportChanges(plan, run)
    reportUnsure(plan, run)
    if (operation.exact === true) await reportDoubtful(plan, { ...around, emit: run.emit })
    reportResumeState(plan.table.table, standing, run)
    for (const { counted } of plan.partitions) if (counted !== undefined) inspected.addPeriod(counted)
  }
  const error = refused.first === undefined ? {} : { error: refused.first }
  return { totals: totalsOf(plans), ...inspected.notChecked('sluice archive verify checks more'), ...error }
}

function totalsOf(plans: readonly ArchiveTablePlan[]): Readonly<Record<string, string>> {
  const all = plans.flatMap(({ partitions }) => partitions)
  const due = all.filter(({ status }) => status === 'due' || status === 'resume')
  const rows = (some: readonly PlannedPartition[]): bigint =>
    some.reduce((sum, { known, candidate }) => sum + (known?.digest?.rows ?? candidate?.rows ?? 0n), 0n)
  return { tables: dec(plans.length), partitions: dec(all.length), due: dec(due.length), rows: dec(rows(due)) }
}
