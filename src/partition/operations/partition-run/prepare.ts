/**
 * The stages of `partition run` before its copy: both sides are looked at, the new table is made where it is not there,
 * and it is settled where its rows are parted.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { PeriodWish } from '../../../model/copy/period-marks.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { RangedTable } from '../../../model/partition/maintenance-port.ts'
import { tableKeyOf } from '../../../engine/copy/ledger/owner.ts'
import { openCopyStore, openSourceStore } from '../../../engine/copy/open-stores.ts'
import { onSide } from '../../../engine/copy/sides.ts'
import { streamsInto } from '../../../engine/copy/ledger/streams-into.ts'
import type { RunOf } from '../../../engine/run/run-context.ts'
import { chosenSlices, periodMarks, refuseUnknownFirst } from '../../period-marks.ts'
import { partitionName } from '../../planned-periods.ts'
import type { PlanSource } from '../../planned-table.ts'
import { indexStatement, planTwin, takenFindings, type TwinPlan } from '../../twin-plan.ts'
import type { partitionRun, PartitionRunOperation } from './declaration.ts'

export type PartitionRun = RunOf<typeof partitionRun>

/** A table that may have a twin, and what that is going to be. */
type Fit = TwinPlan & { readonly twin: NonNullable<TwinPlan['twin']> }

type Prepared = { readonly about: Fit; readonly periods: PeriodWish }

/** Longest that a look waits for a table that others keep to themselves. */
const LOOK_WAIT_MS = 10_000

/** @throws SluiceError as `partitionRun` */
export async function prepare(operation: PartitionRunOperation, to: string, run: PartitionRun): Promise<Prepared> {
  await using from = await openSourceStore(operation.from, undefined, { lockWaitMs: LOOK_WAIT_MS })
  await using target = await onSide('target', () => openCopyStore(to, { mode: 'write' }))
  const planned = await planTwinOf(operation, from, target, run)
  const { about, name } = planned
  const there = (await twinThere(planned, run)) ?? (await makeTwin(planned, operation, run))
  const { column } = about.planned
  if (there.column.name !== column.name) {
    throw new SluiceError('TABLE_REFUSED', `${tableText(name)} is partitioned by ${there.column.name}`, {
      where: target.label,
      hint: `name another table with --into, or give --by ${there.column.name}`,
    })
  }
  return { about, periods: marksOf(about, there, operation, run) }
}

type Planned = {
  readonly source: PlanSource
  readonly target: CopyStore
  readonly maker: NonNullable<ReturnType<NonNullable<CopyStore['partitionPlan']>>>
  readonly about: Fit
  /** Of the new table. */
  readonly name: TableName
}

async function planTwinOf(
  operation: PartitionRunOperation,
  from: CopyStore,
  target: CopyStore,
  run: PartitionRun,
): Promise<Planned> {
  const { abort: signal } = run.interrupt
  const ours = from.partitionPlan?.()
  const maker = target.partitionPlan?.()
  if (ours === undefined || maker === undefined) {
    const { system, label } = ours === undefined ? from : target
    throw new SluiceError('UNSUPPORTED_URL', `${system} has no tables that sluice partitions while they are used`, {
      where: label,
      hint: 'partition run works on PostgreSQL, within one database or from one to another',
    })
  }
  const source: PlanSource = { store: from, plan: ours, signal }
  const wish = { ...operation, exact: false, nameOf: (table: TableName) => newName(table, from, target, signal) }
  const about = await planTwin(source, wish, new Date(run.clock.now()))
  const { twin } = about
  if (twin === null) throw refused(about, run)
  const name = { ...about.planned.table.table, name: twin.name }
  return { source, target, maker, about: { ...about, twin }, name }
}

/** The new table as an earlier run, or an operator, has made it; null where it is not there. */
async function twinThere({ source, target, about, name }: Planned, run: PartitionRun): Promise<RangedTable | null> {
  const there = await rangedAt(target, name, source.signal)
  if (there === null) return null
  await refuseUnindexed(source, about)
  const message = `${tableText(name)} is there already: its own ${there.partitions.length} partitions count, whatever the calendar of this command`
  run.emit({ type: 'log', level: 'note', message })
  return there
}

async function makeTwin(planned: Planned, operation: PartitionRunOperation, run: PartitionRun): Promise<RangedTable> {
  const { source, target, maker, about, name } = planned
  const { signal, store: from } = source
  const { twin } = about
  const taken = from.identity === target.identity ? await takenFindings(source, about) : []
  const all: TwinPlan = { ...about, findings: [...about.findings, ...taken] }
  if (all.findings.some(({ verdict }) => verdict === 'refused')) throw refused(all, run)
  await refuseUnindexed(source, about)
  await refuseUnfollowable(from, signal)
  refuseUnknownFirst(operation.first, twin.partitions)
  const coming = { table: name, partitions: comingOf(twin) }
  if (operation.numbers !== undefined) chosenSlices(marksOf(about, coming, operation, run), operation.numbers)
  tellChanges(all, run)
  const { all: statements, late } = await source.plan.twin(about.planned, twin.name, twin.partitions, signal)
  await maker.make(
    statements.filter((one) => !late.includes(one)),
    signal,
  )
  const message = `${tableText(name)} is made, with ${twin.partitions.length} partitions and one for all other rows`
  run.emit({ type: 'log', level: 'note', message })
  if (late.length > 0) tellLate(planned, late, run)
  const there = await rangedAt(target, name, signal)
  if (there === null) throw notPartitioned(name, target)
  return there
}

function marksOf(
  { planned: { kind }, spec }: TwinPlan,
  twin: Pick<RangedTable, 'table' | 'partitions'>,
  { slices, first }: PartitionRunOperation,
  run: PartitionRun,
): PeriodWish {
  return periodMarks({ twin, kind, spec, slices: slices ?? null, first, now: run.clock.now() })
}

/**
 * Before the new table is made: what a refused run left would be in the way of `partition in-place`.
 * @throws SluiceError NOT_FOLLOWABLE for a server whose changes cannot be followed
 */
async function refuseUnfollowable(from: CopyStore, signal: AbortSignal): Promise<void> {
  const exam = await from.changeSource?.('slot')?.examine([], signal)
  const first = exam?.refusals.find(({ table }) => table === undefined)
  if (first === undefined) return
  throw new SluiceError('NOT_FOLLOWABLE', first.message, {
    where: from.label,
    hint: `${first.hint}; or sluice partition in-place, which follows nothing`,
  })
}

/** Beside the old table it has another name until the cutover; in another database it has the name of the old one, unless a stream fills one beside it there. */
async function newName(table: TableName, from: CopyStore, target: CopyStore, signal: AbortSignal): Promise<string> {
  const beside = { ...table, name: partitionName(table.name, 'partitioned') }
  if (from.identity === target.identity) return beside.name
  await using database = await onSide('target', () => target.ledger())
  const streams = await streamsInto(target, { database, signal }, [tableKeyOf(beside)])
  return streams.some(({ sourceIdentity }) => sourceIdentity === from.identity) ? beside.name : table.name
}

/** Partitions that are not made yet. */
function comingOf({ partitions }: NonNullable<TwinPlan['twin']>): RangedTable['partitions'] {
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

/** @returns null where there is no table of that name. @throws SluiceError TABLE_REFUSED for one that is not partitioned */
async function rangedAt(store: CopyStore, name: TableName, signal: AbortSignal): Promise<RangedTable | null> {
  const maintenance = store.maintenance?.()
  if (maintenance === undefined) return null
  try {
    const found = await onSide('target', () => maintenance.look(name, false, signal))
    if (found === null) throw notPartitioned(name, store)
    return found
  } catch (thrown) {
    if (asSluiceError(thrown).code === 'NO_SUCH_TABLE') return null
    throw thrown
  }
}

function notPartitioned(name: TableName, store: CopyStore): SluiceError {
  return new SluiceError('TABLE_REFUSED', `${tableText(name)} is there already, and is not partitioned`, {
    where: store.label,
    hint: 'name another table with --into',
  })
}

/** @throws SluiceError PARTITION_REFUSED */
async function refuseUnindexed({ plan, signal }: PlanSource, { planned }: TwinPlan): Promise<void> {
  if (await plan.isIndexed(planned, signal)) return
  const { table } = planned.table
  throw new SluiceError('PARTITION_REFUSED', `no index of ${tableText(table)} begins with ${planned.column.name}`, {
    where: tableText(table),
    reason: 'each period is copied by itself, and without an index each would read the whole table',
    hint: `${indexStatement(planned)}, then run the same command again`,
  })
}

/** @param late statements that were left out */
function tellLate({ source, target, name }: Planned, late: readonly string[], run: PartitionRun): void {
  const elsewhere =
    source.store.identity === target.identity
      ? ''
      : '; a foreign key to a table that the other database does not have stays with the old table'
  const message = `${tableText(name)} is made without what a row copied late may break: unique indexes and exclusions beside its primary key, and foreign keys. The cutover is refused until they are there${elsewhere}`
  run.emit({ type: 'log', level: 'warn', message, hint: `once the table is live: ${late.join('; ')}` })
}

/** What somebody may want to know before the new table takes over; what is made as it was needs no line. */
function tellChanges({ findings, planned }: TwinPlan, run: PartitionRun): void {
  const table = tableText(planned.table.table)
  for (const { verdict, about, object, detail, hint } of findings) {
    if (verdict !== 'changes' && verdict !== 'not looked') continue
    const message = `${about}${object === undefined ? '' : ` ${object}`}: ${detail}`
    run.emit({ type: 'log', level: 'note', table, message, ...(hint === undefined ? {} : { hint }) })
  }
}

function refused({ findings, planned }: TwinPlan, run: PartitionRun): SluiceError {
  const table = tableText(planned.table.table)
  const found = findings.filter(({ verdict }) => verdict === 'refused')
  for (const { about, object, detail, hint } of found) {
    const message = `${about}${object === undefined ? '' : ` ${object}`}: ${detail}`
    run.emit({ type: 'log', level: 'error', table, message, ...(hint === undefined ? {} : { hint }) })
  }
  return new SluiceError(
    'PARTITION_REFUSED',
    `${table} cannot be partitioned as it is: ${found.length} ${found.length === 1 ? 'thing is' : 'things are'} in the way`,
    {
      where: table,
      reason: [...new Set(found.map(({ about }) => about))].join(', '),
      hint: 'sluice partition plan says what to do with each',
    },
  )
}
