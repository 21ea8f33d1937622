/** Time ranges of a plain table as candidates for the archive. */
import type { ArchiveRecord } from '../ledger/record.ts'
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { boundsFor } from '../../model/calendar/bounds.ts'
import type { CalendarSpec } from '../../model/calendar/calendar.ts'
import { duePeriods } from '../../model/calendar/due.ts'
import { periodAt, type Period } from '../../model/calendar/period.ts'
import type { ArchiveCandidate, CandidateRequest } from './candidate.ts'
import { latePeriods, lateText, partFor } from './further-part.ts'
import type { PeriodState } from './period-rows.ts'
import { nearestText } from './label-named.ts'
import { kindBySize, knownTimeKind } from './time-kind.ts'
import { columnNamed } from '../../engine/copy/plan/column-named.ts'

/** Part of a hint, for numbers that are not times. */
const OTHER_CUT = 'name another column with --by, or give --by-value, which makes each value a partition'

/** @throws SluiceError BAD_FLAG if no time column is given */
export async function rangeCandidates(
  table: TableSpec,
  timeColumn: string | null,
  wanted: CandidateRequest,
  record: ArchiveRecord | null,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<{ readonly candidates: readonly ArchiveCandidate[]; readonly unplaced: string | null }> {
  if (timeColumn === null) throw noTimeColumn(table)
  const column = columnNamed(table, timeColumn)
  const extent = await store.offers.timeExtents?.of(table, column, signal)
  const { low, high, nulls, unreal = 0n } = extent ?? { low: null, high: null, nulls: 0n }
  const { calendar, asked, until, epoch } = wanted
  const bounds = await ownBounds(store, table, column, signal)
  const kind =
    wanted.isLogged === true && column.type.kind === 'int'
      ? kindBySize(high === null ? [] : [high])
      : knownTimeKind(table, column, { epoch, bounds, record }, OTHER_CUT)
  const named = [...new Set(asked.map(({ period }) => period))].map((label) => periodNamed(calendar, label, record))
  const periods: readonly Period[] =
    named.length > 0 ? named : until === null ? [] : [...duePeriods(calendar, low, kind, until)]
  const candidates: ArchiveCandidate[] = []
  const labels = periods.map(({ label }) => label)
  const late = await latePeriods({ store, table, signal }, record, labels, named.length > 0 ? 'any' : 'cheap')
  await using view = await store.source(signal)
  const counted = async (first: Period, last: Period): Promise<bigint> => {
    const { from } = boundsFor(calendar, first, kind)
    const { to } = boundsFor(calendar, last, kind)
    const condition = store.offers.times?.condition(column, from, to) ?? null
    if (condition === null) {
      throw new SluiceError('BAD_FLAG', `${timeColumn} is not a time column`, {
        hint: 'name another column with --by, or give --by-value, which makes each value a partition',
      })
    }
    return (await view.extent(table, condition, true)).rows
  }
  for (let at = 0; at < periods.length; at++) {
    const period = periods[at]
    // `partFor` uses only the parts in the ledger, not the rows in the source.
    const part = period === undefined ? null : partFor(record, period.label)
    if (period === undefined || part === null) continue
    const state = part.part === 1 ? undefined : late.get(period.label)
    const rows =
      part.part === 1 ? await counted(period, period) : state !== undefined && 'rows' in state ? state.rows : 0n
    // An archived period without new rows needs no entry.
    if (rows === 0n && part.part > 1) continue
    if (rows === 0n && named.length === 0) {
      at = (await nextWithRows(periods, at, counted)) - 1
      continue
    }
    candidates.push({
      ...part,
      ...boundsFor(calendar, period, kind),
      chosenBy: column.type.kind === 'int' ? kind : null,
      native: null,
      rows,
      estimated: false,
      bytes: table.rows === 0n ? 0n : (table.bytes * rows) / (table.rows > rows ? table.rows : rows),
      ...(rows === 0n ? { status: 'blocked', note: 'it is empty' } : { status: 'due' }),
      ...(part.part > 1 ? { note: lateText(rows, part.period) } : {}),
    })
  }
  const unplaced = [unplacedText(timeColumn, { nulls, unreal }, high), uncountedText(late)].filter(
    (text) => text !== null,
  )
  return { candidates, unplaced: unplaced.length === 0 ? null : unplaced.join('; ') }
}

function noTimeColumn({ table, partitioning }: TableSpec): SluiceError {
  const name = tableText(table)
  const is = partitioning === undefined ? 'is not partitioned' : `is partitioned by ${partitioning}`
  return new SluiceError('BAD_FLAG', `no time column is given for ${name}: the table ${is}`, {
    hint: 'add --by COLUMN with the time column; or --by-value COLUMN, which makes each value a partition',
    ...(partitioning === undefined
      ? {}
      : { reason: 'only PostgreSQL detaches partitions; in this system, rows are selected by the time column' }),
  })
}

/** Bounds of the table's partitions, if they are ranges of whole numbers of this column. */
async function ownBounds(
  store: CopyStore,
  { table }: TableSpec,
  { name, type }: Column,
  signal: AbortSignal,
): Promise<readonly (string | null)[]> {
  if (type.kind !== 'int') return []
  try {
    const ranged = await store.offers.maintenance?.inspect(table, false, signal)
    return ranged?.column.name === name ? ranged.partitions.flatMap(({ from, to }) => [from, to]) : []
  } catch (thrown) {
    if (asSluiceError(thrown).code !== 'UNSUPPORTED_TYPE') throw thrown
    return []
  }
}

/** Text about periods whose late rows were not counted; null if all were. */
function uncountedText(late: ReadonlyMap<string, PeriodState>): string | null {
  const notInspected = [...late].flatMap(([label, state]) =>
    'notInspected' in state ? [{ label, why: state.notInspected }] : [],
  )
  const [first] = notInspected
  if (first === undefined) return null
  const many =
    notInspected.length === 1 ? first.label : `${first.label} and ${notInspected.length - 1} more archived periods`
  return `late rows of ${many} were not searched (${first.why}): --partition ${first.label} searches them, however long it takes`
}

/** Text about rows that no run ever archives; null if there are none. */
function unplacedText(
  column: string,
  { nulls, unreal }: { readonly nulls: bigint; readonly unreal: bigint },
  high: string | null,
): string | null {
  const parts = [
    ...(unreal === 0n
      ? []
      : [`${unreal} ${unreal === 1n ? 'row has' : 'rows have'} a day in ${column} outside of the years 1 to 9999`]),
    ...(nulls === 0n ? [] : [`${nulls} ${nulls === 1n ? 'row has' : 'rows have'} no value in ${column}`]),
    ...(high === 'infinity' ? [`some have infinity in ${column}, and were not counted`] : []),
  ]
  return parts.length === 0 ? null : `${parts.join(', ')}: they do not belong to a period, and runs do not archive them`
}

/**
 * Index of the first period with rows after an empty one. Searches in growing steps, because one very old row would
 * otherwise cost a query for every period since.
 * @returns the number of periods if no later one has rows
 */
async function nextWithRows(
  periods: readonly Period[],
  empty: number,
  counted: (first: Period, last: Period) => Promise<bigint>,
): Promise<number> {
  let from = empty + 1
  for (let step = 1; from < periods.length; step *= 2) {
    const last = Math.min(from + step, periods.length) - 1
    const [a, b] = [periods[from], periods[last]]
    if (a === undefined || b === undefined) break
    if ((await counted(a, b)) === 0n) {
      from = last + 1
      continue
    }
    if (from === last) return from
    step = 0.5
  }
  return from
}

/** @throws SluiceError BAD_FLAG if the calendar has no such period */
function periodNamed(calendar: CalendarSpec, label: string, record: ArchiveRecord | null): Period {
  try {
    return periodAt(calendar, label)
  } catch (thrown) {
    const known = (record?.partitions ?? []).map((one) => one.label)
    const near = nearestText(label, known)
    if (!(thrown instanceof SluiceError) || near === '') throw thrown
    throw new SluiceError(thrown.code, thrown.message + near, { hint: thrown.hint })
  }
}
