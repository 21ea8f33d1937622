/** `partition ensure`: creates partitions of the current and future periods, and reports alarms. */
import { tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import type { PartitionAlarm } from '../../../model/partition/events.ts'
import { asSluiceError, SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import type { NewPartition, MaintenanceStore, Made } from '../../../model/partition/maintenance-port.ts'
import { openCopyStore, openExisting } from '../../../engine/copy/open-stores.ts'
import { alarmsOf, openGaps, type Alarm } from '../../alarms.ts'
import { newNameFor } from '../../new-partition-name.ts'
import { periodsWithin, type PlacedPeriod } from '../../coverage.ts'
import { eachTable, type TableWithCoverage } from '../../each-table.ts'
import { failedTables } from '../../failed-tables.ts'
import { uncoveredOf, maintenanceOf, partitionCoverage, type PartitionCoverage } from '../../partition-coverage.ts'
import { countDefaultRows } from '../../default-rows.ts'
import { coverageEvent } from '../../coverage-event.ts'
import { partitionTableEvent } from '../../table-event.ts'
import { zonesText } from '../../zones.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { partitionEnsure, PartitionEnsureOperation } from './declaration.ts'

type PartitionEnsureRun = RunOf<typeof partitionEnsure>

/** Alarms, most severe first: the first one that was raised determines the final error. */
const ALARM_CODES: readonly (readonly [PartitionAlarm, ErrorCode, string])[] = [
  ['none ahead', 'PARTITIONS_MISSING', 'required partitions are missing'],
  ['overlap', 'PARTITION_OVERLAP', 'partitions cover required periods only in part'],
  ['gap', 'PARTITION_GAP', 'there is a gap between two partitions'],
  ['rows in the default', 'ROWS_IN_DEFAULT', 'rows are in the default partition'],
  ['left over', 'PARTITION_LEFT_OVER', 'leftovers of an interrupted run still exist'],
  ['not given', 'PARTITION_NOT_ALIKE', 'a new partition lacks something that its neighbour has'],
]

const REFUSALS: ReadonlySet<ErrorCode> = new Set(['TABLE_REFUSED', 'ROW_REFUSED'])

type Period = PlacedPeriod & { readonly name: NewPartition['name'] }

/**
 * @throws SluiceError NO_SUCH_TABLE, UNSUPPORTED_URL, UNSUPPORTED_TYPE, BAD_FLAG, CONNECT_FAILED, TARGET_BUSY,
 * TABLE_REFUSED
 */
export async function performPartitionEnsure(
  operation: PartitionEnsureOperation,
  run: PartitionEnsureRun,
): Promise<Ending> {
  const { tables, calendar, epoch, dryRun } = operation
  // The wait for a lock is limited for the first reads of a table, too.
  const waits = { lockWaitMs: operation.budgetMs }
  await using store = await (dryRun
    ? openCopyStore(operation.from, { mode: 'read', ...waits })
    : openExisting(operation.from, waits))
  const maintenance = maintenanceOf(store)
  const all: EnsureTotals = { tables: 0, made: 0, found: 0, planned: 0, moved: 0n, raised: [], isStopped: false }
  const options = { tables, calendar, epoch, sizes: false }
  const each = (found: TableWithCoverage): Promise<void> => ensure(found, operation, maintenance, run, all)
  const { errors, skippedTables, unread, stopped } = await eachTable(store, options, run, each)
  return {
    ...alarmError(new Set(all.raised)),
    ...failedTables(errors),
    stopped: stopped || all.isStopped,
    ...(unread.length === 0 ? {} : { notChecked: unread.join('; ') }),
    totals: {
      tables: dec(all.tables),
      passedOver: dec(skippedTables),
      ...(errors.length === 0 ? {} : { failed: dec(errors.length) }),
      [dryRun ? 'planned' : 'made']: dec(dryRun ? all.planned : all.made),
      found: dec(all.found),
      moved: dec(all.moved),
      alarms: dec(all.raised.length),
    },
  }
}

/** Totals of all tables so far. */
type EnsureTotals = {
  tables: number
  made: number
  found: number
  planned: number
  moved: bigint
  readonly raised: PartitionAlarm[]
  /** True if the run was stopped within a table. */
  isStopped: boolean
}

async function ensure(
  found: TableWithCoverage,
  operation: PartitionEnsureOperation,
  maintenance: MaintenanceStore,
  run: PartitionEnsureRun,
  all: EnsureTotals,
): Promise<void> {
  const { name: table, archive, standing } = found
  const now = new Date(run.clock.now())
  all.tables++
  run.emit(partitionTableEvent(table, standing, now))
  const before = uncoveredOf(standing, { ...operation, now })
  const missing = await missingPeriods(found, before.missing, maintenance, run)
  const { made, failure, periods } = await attempt(found, missing, operation, maintenance, run)
  reportMade(table, periods, made, operation, run, all)
  const done = (made?.made.length ?? 0) + (made?.foundMade.length ?? 0)
  if (made !== null && done < periods.length && run.interrupt.stop.aborted) {
    all.isStopped = true
    if (failure !== null) throw failure
    return
  }
  const isChanged = made !== null || (failure !== null && !operation.dryRun)
  const after = isChanged ? await rereadCoverage(found, operation, maintenance, run) : standing
  const { leftOver } = standing.table
  if (leftOver !== undefined && after.table.leftOver === undefined) {
    const message = `removed leftovers of an interrupted run: ${leftOver}`
    run.emit({ type: 'log', level: 'note', table, message })
  }
  const coming = isChanged ? uncoveredOf(after, { ...operation, now }) : before
  const stray = await countDefaultRows({ standing: after, archive }, { ...coming, ...operation, now }, maintenance, run)
  const alarms = alarmsOf(after, { ...operation, now, coming, stray, archive, refused: failure !== null })
  for (const alarm of [...alarms, ...notGiven(made)]) {
    all.raised.push(alarm.alarm)
    run.emit({ type: 'partition.alarm', table, ...alarm })
  }
  run.emit(coverageEvent(table, operation.ahead, coming, stray, after))
  // An incomplete creation is reported as an alarm as well.
  if (failure !== null) throw failure
}

/** One event per period that was created, found or planned, and the notes of the store. */
function reportMade(
  table: string,
  periods: readonly Period[],
  made: Made | null,
  { dryRun }: PartitionEnsureOperation,
  run: PartitionEnsureRun,
  all: EnsureTotals,
): void {
  for (const period of periods) {
    const own = made?.made.find((one) => one.name.name === period.name.name)
    const status = dryRun ? 'planned' : own === undefined ? foundStatus(period, made) : 'made'
    if (status === null) continue
    const moved = own?.moved ?? 0n
    all[status]++
    all.moved += moved
    run.emit({
      type: 'partition.made',
      table,
      partition: tableText(period.name),
      label: period.period.label,
      from: period.from,
      to: period.to,
      status,
      ...(moved === 0n ? {} : { moved: dec(moved) }),
    })
  }
  for (const message of made?.notes ?? []) run.emit({ type: 'log', level: 'note', table, message })
  if (made !== null) reportWaits(table, made, run)
}

/** Required periods, and periods in gaps that have rows in the default partition. */
async function missingPeriods(
  { standing, archive, name }: TableWithCoverage,
  missing: readonly PlacedPeriod[],
  maintenance: MaintenanceStore,
  run: PartitionEnsureRun,
): Promise<readonly Period[]> {
  const { calendar, kind, table } = standing
  if (calendar === null) throw noCalendar(name, standing)
  const named = (periods: readonly PlacedPeriod[]): readonly Period[] =>
    periods.map((period) => ({ ...period, name: newNameFor(standing, period.period) }))
  const inGaps = openGaps(standing, archive)
    .flatMap((gap) => periodsWithin(calendar.spec, gap, kind))
    .filter(({ low }) => !missing.some((one) => one.low === low))
  if (inGaps.length === 0 || !table.partitions.some(({ isDefault }) => isDefault)) return named(missing)
  const { spans } = await maintenance.countDefault(table, inGaps, run.interrupt.abort)
  return named([...inGaps.filter((_, i) => (spans[i] ?? 0n) > 0n), ...missing].toSorted((a, b) => a.low - b.low))
}

type Attempt = {
  readonly made: Made | null
  /** Why some partitions could not be created; null if all could. */
  readonly failure: SluiceError | null
  /** Requested periods; empty if the attempt was refused. After a stop, some of their partitions do not exist. */
  readonly periods: readonly Period[]
}

/**
 * Creates partitions for the periods. If rows cannot be moved, periods without rows in the default partition are still
 * created, so that they exist before their first row arrives.
 */
async function attempt(
  found: TableWithCoverage,
  periods: readonly Period[],
  operation: PartitionEnsureOperation,
  maintenance: MaintenanceStore,
  run: PartitionEnsureRun,
): Promise<Attempt> {
  const all = await attemptAll(found, periods, operation, maintenance, run)
  if (all.failure === null || !found.standing.table.partitions.some(({ isDefault }) => isDefault)) return all
  const { spans } = await maintenance.countDefault(found.standing.table, periods, run.interrupt.abort)
  const empty = periods.filter((_, i) => spans[i] === 0n)
  if (empty.length === 0 || empty.length === periods.length) return all
  const some = await attemptAll(found, empty, operation, maintenance, run)
  return { ...some, failure: all.failure }
}

/** Creates partitions for all periods; a dry run only predicts refusals. */
async function attemptAll(
  found: TableWithCoverage,
  periods: readonly Period[],
  operation: PartitionEnsureOperation,
  maintenance: MaintenanceStore,
  run: PartitionEnsureRun,
): Promise<Attempt> {
  // The next `make` removes leftovers of an interrupted run, even if no period is missing.
  const { leftOver } = found.standing.table
  if (periods.length === 0 && (leftOver === undefined || operation.dryRun))
    return { made: null, failure: null, periods }
  try {
    if (!operation.dryRun) {
      return { made: await make(found, periods, operation, maintenance, run), failure: null, periods }
    }
    const failure = await maintenance.makeRefusal(requestedPartitions(found, periods, run))
    return { made: null, failure, periods: failure === null ? periods : [] }
  } catch (error) {
    const failure = asSluiceError(error)
    if (run.interrupt.abort.aborted || !REFUSALS.has(failure.code)) throw failure
    return { made: null, failure, periods: [] }
  }
}

async function make(
  found: TableWithCoverage,
  periods: readonly Period[],
  { patienceMs, budgetMs }: PartitionEnsureOperation,
  maintenance: MaintenanceStore,
  run: PartitionEnsureRun,
): Promise<Made> {
  return maintenance.make({
    ...requestedPartitions(found, periods, run),
    lockTimeoutMs: patienceMs,
    retryLimitMs: budgetMs,
    onStep: (step, rows, total) =>
      run.emit({
        type: 'partition.progress',
        table: found.name,
        step,
        rows: dec(rows),
        ...(total === null ? {} : { total: dec(total) }),
      }),
  })
}

function requestedPartitions(
  { standing: { table } }: TableWithCoverage,
  periods: readonly Period[],
  run: Pick<PartitionEnsureRun, 'interrupt'>,
) {
  const partitions = periods.map(({ name, from, to }) => ({ name, from, to }))
  return { table, partitions, signal: run.interrupt.abort, stop: run.interrupt.stop }
}

/** `found` if another program created the partition of the period; null if a stopped run did not create it. */
function foundStatus({ name }: Period, made: Made | null): 'found' | null {
  return made?.foundMade.some((one) => one.name.name === name.name) === true ? 'found' : null
}

function reportWaits(table: string, { longestMs, tries, proved }: Made, run: PartitionEnsureRun): void {
  run.emit({
    type: 'partition.waits',
    table,
    longestMs,
    tries,
    ...(proved === null ? {} : { proved: dec(proved.rows) }),
  })
}

async function rereadCoverage(
  { standing, archive }: TableWithCoverage,
  { calendar, epoch }: PartitionEnsureOperation,
  maintenance: MaintenanceStore,
  run: PartitionEnsureRun,
): Promise<PartitionCoverage> {
  const { abort: signal } = run.interrupt
  const archived = (): Promise<TableWithCoverage['archive']> => Promise.resolve(archive)
  const options = { epoch, archived, sizes: false, signal }
  return (await partitionCoverage(maintenance, standing.table, calendar, options)) ?? standing
}

function notGiven(made: Made | null): readonly Alarm[] {
  return (made?.notGiven ?? []).map(({ partition, what, why, hint }) => ({
    alarm: 'not given',
    partition,
    detail: `it lacks ${what}: ${why}`,
    hint: hint ?? 'add it by hand, or with a login that has the right',
  }))
}

function alarmError(alarms: ReadonlySet<PartitionAlarm>): { readonly error?: SluiceError } {
  const found = ALARM_CODES.filter(([alarm]) => alarms.has(alarm))
  const [gravest] = found
  if (gravest === undefined) return {}
  return {
    error: new SluiceError(gravest[1], found.map(([, , words]) => words).join('; '), { hint: 'see the alarms above' }),
  }
}

function noCalendar(name: string, { table: { partitions }, zones }: PartitionCoverage): SluiceError {
  if (zones.length > 0) {
    return new SluiceError('BAD_FLAG', `the partitions of ${name} do not show its time zone`, {
      reason: `their bounds are the start of a day in ${String(zones.length)} time zones`,
      hint: `name it with --zone, such as ${zonesText(zones)}`,
    })
  }
  const bounded = partitions.filter(({ isDefault }) => !isDefault)
  return new SluiceError('BAD_FLAG', `the partitions of ${name} do not show its calendar`, {
    reason:
      bounded.length === 0
        ? 'no partition has bounds'
        : `the bounds of ${bounded
            .slice(-3)
            .map((one) => tableText(one.name))
            .join(', ')} do not match days, weeks, months, quarters or years`,
    hint: 'name it with --calendar, --first-month, --year-offset, --first-weekday and --zone',
  })
}
