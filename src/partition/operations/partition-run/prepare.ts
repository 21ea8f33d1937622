/** Stages of `partition run` before its copy: inspects both sides, creates a missing new table, sets period bounds. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { PeriodOptions } from '../../../model/copy/period-marks.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RangedTable } from '../../../model/partition/maintenance-port.ts'
import type { PlanFinding } from '../../../model/partition/plan-port.ts'
import { openCopyStore, openSourceStore } from '../../../engine/copy/open-stores.ts'
import { onSide } from '../../../engine/copy/sides.ts'
import type { RunOf } from '../../../engine/run/run-context.ts'
import { chosenSlices, periodMarks, refuseUnknownFirst } from '../../period-marks.ts'
import type { PlanSource } from '../../planned-table.ts'
import { indexStatement, type NewTablePlan } from '../../new-table-plan.ts'
import {
  newTableName,
  notPartitioned,
  placedNewTable,
  planNewTableAt,
  rangedAt,
  newTablePlace,
  newTableThere,
  replicationRefusal,
  type NewTableFit,
  type NewTablePlace,
} from '../../new-table-place.ts'
import type { partitionRun, PartitionRunOperation } from './declaration.ts'
import { refusedError } from '../../plan-findings.ts'

export type PartitionRun = RunOf<typeof partitionRun>

type Prepared = { readonly about: NewTableFit; readonly periods: PeriodOptions }

/** Longest wait for a locked table. */
const INSPECT_WAIT_MS = 10_000

/** @throws SluiceError as `performPartitionRun` */
export async function prepare(operation: PartitionRunOperation, to: string, run: PartitionRun): Promise<Prepared> {
  await using from = await openSourceStore(operation.from, undefined, { lockWaitMs: INSPECT_WAIT_MS })
  await using target = await onSide('target', () => openCopyStore(to, { mode: 'write' }))
  const place = newTablePlace(from, target, run.interrupt.abort, 'partition run')
  const planned = await planNewTableAt(place, { ...operation, exact: false }, new Date(run.clock.now()))
  const { newTable } = planned
  if (newTable === null) throw refused(planned, run)
  const about = { ...planned, newTable }
  const there = (await newTableBefore(place, about, run)) ?? (await makeNewTable(place, about, operation, run))
  return { about, periods: marksOf(about, there, operation, run) }
}

/** The new table if an earlier run or the user created it; otherwise null. */
async function newTableBefore(
  place: NewTablePlace,
  about: NewTableFit,
  run: PartitionRun,
): Promise<RangedTable | null> {
  const there = await newTableThere(place, about)
  if (there === null) return null
  await refuseUnindexed(place.source, about)
  const message = `${tableText(newTableName(about))} already exists: its ${there.partitions.length} partitions are used, not the calendar of this command`
  run.emit({ type: 'log', level: 'note', message })
  await reportMissingConstraints(place, about, run)
  return there
}

/**
 * Reports constraints that the new table lacks: an earlier run that left them out may have been killed before its
 * report.
 */
async function reportMissingConstraints(
  { source, maker }: NewTablePlace,
  about: NewTableFit,
  run: PartitionRun,
): Promise<void> {
  const { planned, newTable } = about
  const { late } = await source.plan.newTable(planned, newTable.name, newTable.partitions, source.signal)
  const name = newTableName(about)
  const lacking = await onSide('target', () => maker.missingObjects(name, late, source.signal))
  if (lacking.length > 0) reportLate(name, lacking, run)
}

async function makeNewTable(
  place: NewTablePlace,
  about: NewTableFit,
  operation: PartitionRunOperation,
  run: PartitionRun,
): Promise<RangedTable> {
  const { source, target, maker } = place
  const { newTable } = about
  const { findings, statements } = await placedNewTable(place, about)
  const all: NewTablePlan = { ...about, findings }
  if (findings.some(({ verdict }) => verdict === 'refused')) throw refused(all, run)
  await refuseUnindexed(source, about)
  // Check before the new table is created: leftovers of a refused run would prevent `partition in-place`.
  const unheard = await replicationRefusal(place, about)
  if (unheard !== null) throw cannotReplicate(unheard, source.store.label)
  refuseUnknownFirst(operation.first, newTable.partitions)
  const name = newTableName(about)
  const coming = { table: name, partitions: plannedPartitions(newTable) }
  if (operation.numbers !== undefined) chosenSlices(marksOf(about, coming, operation, run), operation.numbers)
  reportChanges(all, run)
  const late = new Set(statements.late)
  await maker.make(
    statements.all.filter((one) => !late.has(one)),
    source.signal,
  )
  const message = `${tableText(name)} is created, with ${newTable.partitions.length} partitions and one for all other rows`
  run.emit({ type: 'log', level: 'note', message })
  if (late.size > 0) reportLate(name, statements.late, run)
  const there = await rangedAt(target, name, source.signal)
  if (there === null) throw notPartitioned(name, target)
  return there
}

function cannotReplicate({ detail, hint }: PlanFinding, where: string): SluiceError {
  const instead = 'run sluice partition in-place, which needs no stream'
  return new SluiceError('NOT_FOLLOWABLE', detail, {
    where,
    hint: hint === undefined ? instead : `${hint}; or ${instead}`,
  })
}

function marksOf(
  { planned: { kind }, spec }: NewTablePlan,
  newTable: Pick<RangedTable, 'table' | 'partitions'>,
  { slices, first }: PartitionRunOperation,
  run: PartitionRun,
): PeriodOptions {
  return periodMarks({ newTable, kind, spec, slices: slices ?? null, first, now: run.clock.now() })
}

/** Partitions of the new table, before their creation. */
function plannedPartitions({ partitions }: NonNullable<NewTablePlan['newTable']>): RangedTable['partitions'] {
  return partitions.map(({ name, from, to }) => ({
    name: { name },
    identity: name,
    from,
    to,
    isDefault: false,
    rows: null,
    bytes: null,
  }))
}

/** @throws SluiceError PARTITION_REFUSED */
async function refuseUnindexed({ plan, signal }: PlanSource, { planned }: NewTablePlan): Promise<void> {
  if (await plan.isIndexed(planned, signal)) return
  const { table } = planned.table
  throw new SluiceError('PARTITION_REFUSED', `no index of ${tableText(table)} begins with ${planned.column.name}`, {
    where: tableText(table),
    reason: 'each period is copied separately, and without an index each would read the whole table',
    hint: `${indexStatement(planned)}, then run the same command again`,
  })
}

/** @param late statements that were left out */
function reportLate(name: TableName, late: readonly string[], run: PartitionRun): void {
  const message = `${tableText(name)} is without foreign keys, exclusions or unique indexes of the old table: a row copied late may violate them. The cutover is refused without them`
  run.emit({ type: 'log', level: 'warn', message, hint: `once the table is live: ${late.join('; ')}` })
}

/** Reports findings that change something; unchanged properties need no line. */
function reportChanges({ findings, planned }: NewTablePlan, run: PartitionRun): void {
  const table = tableText(planned.table.table)
  for (const { verdict, about, object, detail, hint } of findings) {
    if (verdict !== 'changes' && verdict !== 'not looked') continue
    const message = `${about}${object === undefined ? '' : ` ${object}`}: ${detail}`
    run.emit({ type: 'log', level: 'note', table, message, ...(hint === undefined ? {} : { hint }) })
  }
}

function refused({ findings, planned }: NewTablePlan, run: PartitionRun): SluiceError {
  const table = tableText(planned.table.table)
  const found = findings.filter(({ verdict }) => verdict === 'refused')
  for (const { about, object, detail, hint } of found) {
    const message = `${about}${object === undefined ? '' : ` ${object}`}: ${detail}`
    run.emit({ type: 'log', level: 'error', table, message, ...(hint === undefined ? {} : { hint }) })
  }
  return refusedError(table, 'partitioned', found, 'run sluice partition plan: it shows what to do about each')
}
