/** `partition plan`: what it takes to partition a table that is not, and how long. Nothing is changed. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { PlanFinding, PlannedTable } from '../../../stores/partition-plan-port.ts'
import { noSuchTable } from '../../archiving/each-table.ts'
import { columnNamed } from '../../archiving/value-kind.ts'
import { DEFAULT_CALENDAR } from '../../calendar/calendar.ts'
import { openSourceStore } from '../../copy/open-stores.ts'
import { plannedTable, type PlanStore } from '../../partitioning/planned-table.ts'
import { periodFindings } from '../../partitioning/period-findings.ts'
import { plannedPeriods, partitionName, rowYears } from '../../partitioning/planned-periods.ts'
import { measured, type Rate } from '../../partitioning/rate.ts'
import { filledPeriods, type Filled, type FilledPeriod } from '../../partitioning/filled-periods.ts'
import { emitForecast } from '../../partitioning/forecast-events.ts'
import { placedPeriod } from '../../partitioning/coverage.ts'
import type { Ending, RunOf } from '../../run-context.ts'
import type { partitionPlan as declared, PartitionPlanOperation } from './declaration.ts'

type Run = RunOf<typeof declared>

/** Longest that a look waits for a table that others keep to themselves. */
const LOOK_WAIT_MS = 10_000
/** Coming periods that a new table gets partitions for. */
const AHEAD = 2
/** A table of which nothing more can be said. */
const WHOLLY = new Set(['partitioned', 'partition'])
const ORDER: readonly PlanFinding['verdict'][] = ['refused', 'changes', 'not looked', 'made', 'fine']

/** @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, BAD_FLAG, UNSUPPORTED_URL, CONNECT_FAILED */
export async function partitionPlan(operation: PartitionPlanOperation, run: Run): Promise<Ending> {
  const { from, by, exact } = operation
  const spec = { ...DEFAULT_CALENDAR, ...operation.calendar }
  const { abort: signal } = run.interrupt
  await using store = await openSourceStore(from, undefined, { lockWaitMs: LOOK_WAIT_MS })
  const plan = store.partitionPlan?.()
  if (plan === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `${store.system} has no look at what partitioning a table would take`, {
      where: store.label,
      hint: 'sluice partition plan works on PostgreSQL',
    })
  }
  const table = await oneTable(store, operation.table, signal)
  const { planned, years } = await plannedTable({ store, plan, signal }, table, columnNamed(table, by), exact)
  const found = await plan.findings(planned, years.nulls.rows > 0n, signal)
  if (found.some(({ about, verdict }) => verdict === 'refused' && WHOLLY.has(about))) {
    return ended(planned, tellFindings(planned, found, run), [], 0, [])
  }
  const filled = await filledPeriods({ plan, signal }, planned, spec, rowYears(years).main, operation)
  const periods = plannedPeriods(
    spec,
    filled.periods.map(({ period }) => period),
    new Date(run.clock.now()),
    AHEAD,
  )
  const partitions = periods.flatMap((period) => {
    const { from: low, to, low: begins, high } = placedPeriod(spec, period, planned.kind)
    // A day that a zone has left out.
    return begins < high ? [{ name: partitionName(table.table.name, period.label), from: low, to }] : []
  })
  const name = partitionName(table.table.name, 'partitioned')
  const taken = takenFindings(await plan.taken(planned, [name, ...partitions.map((one) => one.name)], signal))
  const findings = tellFindings(
    planned,
    [...found, ...periodFindings(planned, years, rowYears(years), found), ...taken],
    run,
  )
  const statements = await plan.twin(planned, name, partitions, signal)
  const rate = await measured(plan, planned, partitions, operation, signal)
  emitForecast(planned, filled.periods, rate, operation, run.emit)
  for (const sql of statements) run.emit({ type: 'partition.sql', table: tableText(table.table), sql })
  return ended(planned, findings, filled.periods, partitions.length, notChecked(findings, filled, rate))
}

async function oneTable(store: PlanStore, name: string, signal: AbortSignal): Promise<TableSpec> {
  const [table, ...others] = await store.tables(name, signal)
  const isPattern = /[*?]/.test(name)
  if (table === undefined) throw noSuchTable(name, store)
  if (others.length === 0) return table
  throw new SluiceError('AMBIGUOUS_TABLE', `${name} is more than one table`, {
    where: store.label,
    hint: isPattern ? 'plan takes one table: name it' : 'name it with its schema',
  })
}

const NAMED = 5

function takenFindings(taken: readonly string[]): readonly PlanFinding[] {
  if (taken.length === 0) return []
  const more = taken.length > NAMED ? ` and ${taken.length - NAMED} more` : ''
  return [
    {
      verdict: 'refused',
      about: 'name',
      object: taken.slice(0, NAMED).join(', ') + more,
      detail: 'something else has the name already: the statements below would not run',
      hint: 'is it left over from another try? then drop it',
    },
  ]
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
