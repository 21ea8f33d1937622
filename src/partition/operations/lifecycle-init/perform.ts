/** `lifecycle init`: inspects a table and writes its lifecycle entry. */
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { archivedAs, recordOf } from '../../../archive/plan/archived-as.ts'
import { columnNamed } from '../../../engine/copy/plan/column-named.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../../../model/calendar/calendar.ts'
import { knownTimeKind } from '../../../archive/plan/time-kind.ts'
import { openSourceStore } from '../../../engine/copy/open-stores.ts'
import { entryText, withEntry, type WrittenEntry } from '../../lifecycle/config-text.ts'
import { oneSourceTable } from '../../../archive/work/each-table.ts'
import { filledPeriods } from '../../filled-periods.ts'
import { rowYears } from '../../planned-periods.ts'
import { OTHER_COLUMN, plannedTable } from '../../planned-table.ts'
import { partitionCoverage, type PartitionCoverage } from '../../partition-coverage.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { lifecycleInit, LifecycleInitOperation } from './declaration.ts'

type Run = RunOf<typeof lifecycleInit>

/** Longest wait for a locked table. */
const INSPECT_WAIT_MS = 10_000
/** Default of --ahead in the commands. */
const AHEAD = 2

type Found = Pick<WrittenEntry, 'by' | 'calendar' | 'found'>

/** @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, BAD_FLAG, BAD_CONFIG, CONNECT_FAILED */
export async function performLifecycleInit(operation: LifecycleInitOperation, run: Run): Promise<Ending> {
  const { from, table, write, replace, fromText, archive, olderThan } = operation
  // Refuse an unusable file before the table is read, which may take minutes.
  const before = write === null ? '' : await textOf(write)
  const { abort: signal } = run.interrupt
  await using store = await openSourceStore(from, undefined, { lockWaitMs: INSPECT_WAIT_MS })
  const spec = await oneSourceTable({ store }, table, signal)
  const name = tableText(spec.table)
  const inspect = async (): Promise<Found> => {
    const standing = await readCoverage(store, spec, operation, signal)
    return standing === null
      ? await fromUnpartitioned(store, spec, operation, signal)
      : fromPartitioned(standing, operation)
  }
  const check: WrittenEntry = { table: name, found: [], by: '', calendar: DEFAULT_CALENDAR, ahead: AHEAD }
  if (write !== null) withEntry(before, check, { file: write, replace })
  const entry: WrittenEntry = {
    ...(await inspect()),
    table: name,
    epoch: operation.epoch,
    from: fromText,
    ahead: AHEAD,
    archive,
    olderThan,
  }
  if (write === null) {
    run.emit({ type: 'lifecycle.config', table: name, text: entryText(entry) })
    return { totals: { tables: dec(1) } }
  }
  const text = withEntry(before, entry, { file: write, replace })
  await storeText(write, text)
  run.emit({ type: 'lifecycle.config', table: name, file: write, text })
  return { totals: { tables: dec(1) }, wrote: [write] }
}

async function readCoverage(
  store: CopyStore,
  spec: TableSpec,
  { calendar, epoch }: LifecycleInitOperation,
  signal: AbortSignal,
): Promise<PartitionCoverage | null> {
  const maintenance = store.offers.maintenance
  const archived = async () => await recordOf(store, spec, signal)
  return maintenance === undefined
    ? null
    : await partitionCoverage(maintenance, spec, calendar, { epoch, archived, sizes: true, signal })
}

/** Values for the entry of a partitioned table, derived from its partitioning. */
function fromPartitioned(
  { table, calendar, zone }: PartitionCoverage,
  { by, calendar: options }: LifecycleInitOperation,
): Found {
  const { column, partitions: all } = table
  if (by !== undefined && by !== column.name) {
    throw new SluiceError('BAD_FLAG', `${tableText(table.table)} is partitioned by ${column.name}, not by ${by}`, {
      hint: 'remove --by',
    })
  }
  const rows = all.reduce((sum, one) => sum + (one.rows ?? 0n), 0n)
  return {
    by: column.name,
    calendar: calendar?.spec ?? { ...DEFAULT_CALENDAR, zone, ...options },
    found: [
      `Partitioned by ${oneLine(column.name)}: ${all.length} partitions, about ${rows} rows.`,
      ...(calendar === null
        ? ['The partitions do not show the calendar: the one below is a guess.']
        : [`The calendar is that of ${calendar.from}.`]),
    ],
  }
}

async function fromUnpartitioned(
  store: CopyStore,
  table: TableSpec,
  { by, calendar, epoch }: LifecycleInitOperation,
  signal: AbortSignal,
): Promise<Found> {
  if (by === undefined) {
    const times = table.columns.filter((column) => (store.offers.times?.condition(column, null, null) ?? null) !== null)
    throw new SluiceError('BAD_FLAG', `${tableText(table.table)} is not partitioned, so --by must name a column`, {
      hint:
        times.length === 0
          ? 'name another table: this one has no time column'
          : `name the time column, such as --by ${times[0]?.name ?? ''}`,
    })
  }
  const column = columnNamed(table, by)
  const spec: CalendarSpec = { ...DEFAULT_CALENDAR, ...calendar }
  const plan = store.offers.partitionPlan
  const size = `about ${table.rows} rows, ${table.bytes} bytes`
  if (plan === undefined) {
    const record = epoch === undefined ? await archivedAs(store, table, column, signal) : null
    knownTimeKind(table, column, { epoch, bounds: [], record }, OTHER_COLUMN)
    return { by: column.name, calendar: spec, found: [`No partitions: ${size}.`] }
  }
  const { planned, years } = await plannedTable({ store, plan, signal }, table, column, {
    epoch,
    exact: false,
  })
  const filled = await filledPeriods({ plan, signal }, planned, spec, rowYears(years).main, { exact: false })
  const [first, last] = [filled.periods[0], filled.periods.at(-1)]
  const rows = filled.periods.reduce((sum, one) => sum + one.rows, 0n)
  const about = filled.sampled === null ? '' : 'about '
  return {
    by: column.name,
    calendar: spec,
    found: [
      `Not partitioned: ${size}.`,
      first === undefined || last === undefined
        ? `No row has a time in ${oneLine(column.name)}.`
        : `${about}${rows} rows in ${filled.periods.length} periods by ${oneLine(column.name)}, ${first.period.label} to ${last.period.label}.`,
    ],
  }
}

/** Removes line breaks, which would end a comment. */
function oneLine(name: string): string {
  return name.replaceAll(/\s+/g, ' ')
}

/** Empty if the file does not exist. @throws SluiceError BAD_CONFIG */
async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw notWritten(file, error)
  }
}

/** Replaces the file atomically. @throws SluiceError BAD_CONFIG */
async function storeText(file: string, text: string): Promise<void> {
  try {
    const mode = (await stat(file).catch(() => null))?.mode
    const temporaryFile = `${file}.${process.pid}.new`
    await writeFile(temporaryFile, text, mode === undefined ? {} : { mode: mode & 0o777 })
    await rename(temporaryFile, file)
  } catch (error) {
    throw notWritten(file, error)
  }
}

function notWritten(file: string, error: unknown): SluiceError {
  return new SluiceError('BAD_CONFIG', `the config file cannot be written: ${(error as Error).message}`, {
    where: file,
    hint: 'name another file with --write, or - to print it',
    cause: error,
  })
}
