/** `partition plan`: findings for partitioning a table, and the time it takes. Read-only. */
import { tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { PlanFinding, TableToPartition } from '../../../model/partition/plan-port.ts'
import { openCopyStore, openSourceStore } from '../../../engine/copy/open-stores.ts'
import { onSide } from '../../../engine/copy/sides.ts'
import { emitPartitionForecast } from '../../forecast-events.ts'
import type { Filled, FilledPeriod } from '../../filled-periods.ts'
import { measureRate, type MeasuredRate } from '../../rate.ts'
import { copyFindings } from '../../new-table-plan.ts'
import {
  newTableName,
  placedNewTable,
  planNewTableAt,
  newTablePlace,
  newTableThere,
  replicationRefusal,
  type NewTableFit,
  type NewTablePlace,
} from '../../new-table-place.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { partitionPlan, PartitionPlanOperation } from './declaration.ts'
import { reportFindings } from '../../plan-findings.ts'

type Run = RunOf<typeof partitionPlan>

/** Longest wait for a locked table. */
const INSPECT_WAIT_MS = 10_000
/**
 * @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, BAD_FLAG, UNSUPPORTED_URL, CONNECT_FAILED; TABLE_REFUSED if the
 * name of the new table belongs to another table
 */
export async function performPartitionPlan(operation: PartitionPlanOperation, run: Run): Promise<Ending> {
  const { from, to = from } = operation
  await using store = await openSourceStore(from, undefined, { lockWaitMs: INSPECT_WAIT_MS })
  await using target = await onSide('target', () => openCopyStore(to, { mode: 'plan', lockWaitMs: INSPECT_WAIT_MS }))
  const place = newTablePlace(store, target, run.interrupt.abort, 'partition plan')
  const { source } = place
  const planned = await planNewTableAt(place, operation, new Date(run.clock.now()))
  const { newTable } = planned
  if (newTable === null)
    return endingOf(
      planned.planned,
      reportFindings(tableText(planned.planned.table.table), planned.findings, run),
      [],
      0,
      [],
    )
  const about = { ...planned, newTable }
  const { findings: found, statements } = await newTableStatements(place, about)
  const findings = reportFindings(
    tableText(planned.planned.table.table),
    [...found, ...(await runFindings(place, about))],
    run,
  )
  const rate = await measureRate(
    source.plan,
    planned.planned,
    newTable.partitions,
    { workers: operation.lanes },
    source.signal,
  )
  emitPartitionForecast(planned.planned, newTable.filled.periods, rate, operation, run.emit)
  const table = tableText(planned.planned.table.table)
  for (const sql of statements) run.emit({ type: 'partition.sql', table, sql })
  const missed = notChecked(findings, newTable.filled, rate)
  return endingOf(planned.planned, findings, newTable.filled.periods, newTable.partitions.length, missed)
}

/** Statements and findings of the new table; no statements if a run to another database created it already. */
async function newTableStatements(
  place: NewTablePlace,
  about: NewTableFit,
): Promise<{ readonly findings: readonly PlanFinding[]; readonly statements: readonly string[] }> {
  const there = place.isElsewhere ? await newTableThere(place, about) : null
  if (there === null) {
    const { findings, statements } = await placedNewTable(place, about)
    return { findings, statements: statements.all }
  }
  const detail = `it already exists, and its ${there.partitions.length} partitions are used`
  const finding: PlanFinding = { verdict: 'fine', about: 'new table', object: tableText(newTableName(about)), detail }
  return { findings: [...about.findings, finding], statements: [] }
}

/**
 * Findings for the requirements of `partition run`. They refuse only a new table in another database: within one
 * database, `partition in-place` is an alternative that needs neither a stream nor the index.
 */
async function runFindings(place: NewTablePlace, about: NewTableFit): Promise<readonly PlanFinding[]> {
  const unheard = await replicationRefusal(place, about)
  const found = await copyFindings(place.source, about)
  if (place.isElsewhere) {
    const refused = found.map((one) => (one.about === 'index' ? { ...one, verdict: 'refused' as const } : one))
    return unheard === null ? refused : [...refused, unheard]
  }
  if (unheard === null) return found
  const detail = `${unheard.detail}: sluice partition run is refused, and sluice partition in-place needs no stream`
  return [...found, { ...unheard, verdict: 'changes', detail }]
}

function notChecked(
  findings: readonly PlanFinding[],
  { sampled, periods, unseen }: Filled,
  rate: MeasuredRate | null,
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

function endingOf(
  { table: { table } }: TableToPartition,
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
          `${tableText(table)} cannot be partitioned: ${refused.length} ${refused.length === 1 ? 'finding blocks' : 'findings block'} it`,
          {
            where: tableText(table),
            reason: [...new Set(refused.map(({ about }) => about))].join(', '),
            hint: 'follow the hint of each refused finding, then plan again',
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
