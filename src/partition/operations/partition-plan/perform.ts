/** `partition plan`: what it takes to partition a table that is not, and how long. Nothing is changed. */
import { tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { PlanFinding, PlannedTable } from '../../../model/partition/plan-port.ts'
import { openSourceStore } from '../../../engine/copy/open-stores.ts'
import { emitForecast } from '../../forecast-events.ts'
import type { Filled, FilledPeriod } from '../../filled-periods.ts'
import { measured, type Rate } from '../../rate.ts'
import { copyFindings, planTwin, takenFindings } from '../../twin-plan.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { partitionPlan as declared, PartitionPlanOperation } from './declaration.ts'

type Run = RunOf<typeof declared>

/** Longest that a look waits for a table that others keep to themselves. */
const LOOK_WAIT_MS = 10_000
const ORDER: readonly PlanFinding['verdict'][] = ['refused', 'changes', 'not looked', 'made', 'fine']

/** @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, BAD_FLAG, UNSUPPORTED_URL, CONNECT_FAILED */
export async function partitionPlan(operation: PartitionPlanOperation, run: Run): Promise<Ending> {
  const { abort: signal } = run.interrupt
  await using store = await openSourceStore(operation.from, undefined, { lockWaitMs: LOOK_WAIT_MS })
  const plan = store.partitionPlan?.()
  if (plan === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `${store.system} has no look at what partitioning a table would take`, {
      where: store.label,
      hint: 'partition plan works on PostgreSQL',
    })
  }
  const source = { store, plan, signal }
  const about = await planTwin(source, operation, new Date(run.clock.now()))
  const { planned, twin } = about
  if (twin === null) return ended(planned, tellFindings(planned, about.findings, run), [], 0, [])
  const findings = tellFindings(
    planned,
    [...about.findings, ...(await takenFindings(source, about)), ...(await copyFindings(source, about))],
    run,
  )
  const { all: statements } = await plan.twin(planned, twin.name, twin.partitions, signal)
  const rate = await measured(plan, planned, twin.partitions, operation, signal)
  emitForecast(planned, twin.filled.periods, rate, operation, run.emit)
  for (const sql of statements) run.emit({ type: 'partition.sql', table: tableText(planned.table.table), sql })
  return ended(planned, findings, twin.filled.periods, twin.partitions.length, notChecked(findings, twin.filled, rate))
}

function tellFindings(
  { table: { table } }: PlannedTable,
  found: readonly PlanFinding[],
  { emit }: Run,
): readonly PlanFinding[] {
  const sorted = found.toSorted((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict))
  for (const finding of sorted) emit({ type: 'partition.finding', table: tableText(table), ...finding })
  return sorted
}

function notChecked(
  findings: readonly PlanFinding[],
  { sampled, periods, unseen }: Filled,
  rate: Rate | null,
): readonly string[] {
  const what = periods.some(({ off }) => off !== null)
    ? 'rows of periods are estimated, right to within ± in 95 of 100 cases, and their bytes,'
    : 'rows of periods were counted by an index; their bytes are estimated'
  return [
    ...(sampled === null ? [] : [`${what} from ${sampled.blocks} of ${sampled.of} blocks (--exact reads all)`]),
    ...(unseen ? ['periods of which no block was read are not listed'] : []),
    ...(rate === null ? [] : rate.notMeasured),
    ...findings.flatMap(({ verdict, about, detail }) => (verdict === 'not looked' ? [`${about}: ${detail}`] : [])),
  ]
}

function ended(
  { table: { table } }: PlannedTable,
  findings: readonly PlanFinding[],
  periods: readonly FilledPeriod[],
  partitions: number,
  missed: readonly string[],
): Ending {
  const refused = findings.filter(({ verdict }) => verdict === 'refused')
  const error =
    refused.length === 0
      ? null
      : new SluiceError(
          'PARTITION_REFUSED',
          `${tableText(table)} cannot be partitioned as it is: ${refused.length} ${refused.length === 1 ? 'thing is' : 'things are'} in the way`,
          {
            where: tableText(table),
            reason: [...new Set(refused.map(({ about }) => about))].join(', '),
            hint: 'each refused finding says what to do; then plan again',
          },
        )
  return {
    totals: {
      findings: dec(findings.length),
      refused: dec(refused.length),
      partitions: dec(partitions),
      rows: dec(periods.reduce((sum, { rows }) => sum + rows, 0n)),
      bytes: dec(periods.reduce((sum, { bytes }) => sum + bytes, 0n)),
    },
    ...(missed.length === 0 ? {} : { notChecked: missed.join('; ') }),
    ...(error === null ? {} : { error }),
  }
}
