/** State of a partitioned table: partitions with their bounds as times, gaps, calendar and naming style. */
import type { ArchiveRecord } from '../archive/ledger/record.ts'
import { tableText, type Column, type TableName, type TableSpec } from '../model/copy/column-type.ts'
import { SluiceError } from '../shared/errors.ts'
import type { CopyStore } from '../model/copy/port.ts'
import type { MaintenanceStore, RangedTable } from '../model/partition/maintenance-port.ts'
import { ofColumn } from '../archive/plan/archived-as.ts'
import { calendarText } from '../model/calendar/calendar-text.ts'
import type { CalendarSpec, Epoch } from '../model/calendar/calendar.ts'
import { timeKind } from '../archive/plan/time-kind.ts'
import type { ValueKind } from '../model/calendar/value-text.ts'
import { knownZones } from '../model/calendar/zone.ts'
import {
  uncoveredPeriods,
  coverageGaps,
  placedPartitions,
  type UncoveredPeriods,
  type Gap,
  type PlacedPartition,
  type CoverageRequest,
} from './coverage.ts'
import { plainStyle, styleOf, type NameStyle } from './name-style.ts'
import { deriveCalendar, matchingPeriods, type FoundCalendar } from './table-calendar.ts'

/** Calendar options of the user; absent ones are derived from the table. */
export type CalendarOptions = Partial<CalendarSpec>

export type TableCalendar = {
  readonly spec: CalendarSpec
  readonly style: NameStyle
  /** Origin of the calendar, as text. */
  readonly from: string
}

export type PartitionCoverage = {
  readonly table: RangedTable
  readonly kind: ValueKind
  readonly placed: readonly PlacedPartition[]
  readonly gaps: readonly Gap[]
  /** Null if its bounds match no calendar, and the options name none. */
  readonly calendar: TableCalendar | null
  /** Candidate zones, if the calendar is null because its days could begin in several zones. */
  readonly zones: readonly string[]
  /** Zone of the table's local times: the zone of its calendar, otherwise of its database, otherwise UTC. */
  readonly zone: string
}

/** Required periods without full coverage; empty without a calendar. @throws SluiceError BAD_FLAG for too many */
export function uncoveredOf(
  { placed: all, kind, calendar }: Pick<PartitionCoverage, 'placed' | 'kind' | 'calendar'>,
  options: CoverageRequest,
): UncoveredPeriods {
  return calendar === null ? { missing: [], overlaps: [] } : uncoveredPeriods(all, calendar.spec, kind, options)
}

/** Partition maintenance of a store. @throws SluiceError UNSUPPORTED_URL for a system without supported partitions */
export function maintenanceOf(store: CopyStore): MaintenanceStore {
  const maintenance = store.offers.maintenance
  if (maintenance !== undefined) return maintenance
  throw new SluiceError('UNSUPPORTED_URL', `sluice cannot maintain partitions by time ranges in ${store.system}`, {
    where: store.label,
    hint: 'name a table of PostgreSQL, MySQL or MariaDB',
    kind: 'unsupported',
  })
}

type CoverageOptions = {
  /** Unit of integers in the time column, counted from 1970; needed if bounds and ledger do not determine it. */
  readonly epoch?: Epoch | undefined
  /** Ledger data of the table; called only if nothing else determines the unit of integers. */
  readonly archived?: () => Promise<ArchiveRecord | null>
  /** True to read sizes of partitions. */
  readonly sizes: boolean
  readonly signal: AbortSignal
}

/**
 * State of a partitioned table, read from its database.
 * @returns null for a table without partitions
 * @throws SluiceError UNSUPPORTED_TYPE unless partitions are ranges of one time column; BAD_FLAG if the given calendar
 * does not match the table
 */
export async function partitionCoverage(
  maintenance: MaintenanceStore,
  { table: name }: Pick<TableSpec, 'table'>,
  request: CalendarOptions,
  options: CoverageOptions,
): Promise<PartitionCoverage | null> {
  const { sizes, signal } = options
  const table = await maintenance.inspect(name, sizes, signal)
  if (table === null) return null
  if (!isKind(table.column, ['date', 'timestamp', 'int'])) throw otherRanges(table)
  const kind = await kindOf(table, request, options)
  if (kind === null) throw otherRanges(table)
  const zones = request.zone === undefined ? [await maintenance.zone(signal), 'UTC'] : [request.zone]
  const all = placedPartitions(table.partitions, kind)
  // Map every name of UTC to `UTC`.
  const known = zones.flatMap((zone) =>
    zone === null ? [] : [/^(?:Etc\/)?(?:UTC|UCT|Zulu|Universal)$/i.test(zone) ? 'UTC' : zone],
  )
  const learned = deriveCalendar(table.partitions, kind, known, request.zone === undefined ? knownZones() : [])
  const calendar = calendarFor(table, kind, { options: request, zones: known, found: learned.found })
  return {
    table,
    kind,
    placed: all,
    gaps: coverageGaps(all),
    calendar,
    zones: calendar === null ? learned.zones : [],
    zone: calendar?.spec.zone ?? known[0] ?? 'UTC',
  }
}

async function kindOf(
  table: RangedTable,
  { zone }: CalendarOptions,
  { epoch, archived }: CoverageOptions,
): Promise<ValueKind | null> {
  const { column } = table
  const bounds = table.partitions.flatMap(({ from, to }) => [from, to])
  const said = timeKind(table, column, { epoch, bounds, zone, record: null })
  if (said !== null || archived === undefined) return said
  return timeKind(table, column, { bounds, zone, record: ofColumn(await archived(), column) })
}

/**
 * Calendar of a table, from its bounds, with the first month and the year numbering of the partition names. Options of
 * the user override both. Null if nothing determines the calendar.
 */
function calendarFor(
  { table }: RangedTable,
  kind: ValueKind,
  {
    options,
    zones,
    found,
  }: { readonly options: CalendarOptions; readonly zones: readonly string[]; readonly found: FoundCalendar | null },
): TableCalendar | null {
  if (options.unit === undefined) {
    if (found === null) return null
    const learned = styleOf(found)
    const spec = { ...(learned?.spec ?? found.spec), ...options }
    const of = matchingPeriods(
      found.of.map(({ partition }) => partition),
      spec,
      kind,
    )
    if (of === null) throw otherCalendar(table, spec, found.spec)
    const style = styleOf({ spec, of }) ?? plainStyle(table.name, spec)
    return {
      spec,
      style,
      from:
        of.length === 1
          ? 'the bounds of its one partition'
          : `the bounds of its ${String(of.length)} newest partitions`,
    }
  }
  const spec: CalendarSpec = {
    unit: options.unit,
    firstMonth: options.firstMonth ?? 1,
    yearOffset: options.yearOffset ?? 0,
    firstWeekday: options.firstWeekday ?? 1,
    zone: options.zone ?? zones[0] ?? 'UTC',
  }
  const named =
    found === null
      ? null
      : matchingPeriods(
          found.of.map(({ partition }) => partition),
          spec,
          kind,
        )
  const style = named === null ? null : styleOf({ spec, of: named })
  return { spec, style: style ?? plainStyle(table.name, spec), from: 'the options' }
}

function isKind({ type }: Column, kinds: readonly Column['type']['kind'][]): boolean {
  return kinds.includes(type.kind)
}

/** A day written as a number: 20261121. */
const DAY_NUMBER = /^(?:19|2\d)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/

function otherRanges({ table, column, partitions }: RangedTable): SluiceError {
  const bounds = partitions.flatMap(({ from, to }) => [from, to]).filter((bound) => bound !== null)
  const days = bounds.length > 0 && bounds.every((bound) => DAY_NUMBER.test(bound))
  return new SluiceError(
    'UNSUPPORTED_TYPE',
    `${tableText(table)} is partitioned by ranges of ${column.name}, which is not a time`,
    {
      where: tableText(table),
      reason: !isKind(column, ['int'])
        ? `the type of ${column.name} is ${column.native}`
        : bounds.length === 0
          ? `${column.name} has whole numbers, and no partition bound shows that they are times`
          : days
            ? 'the partition bounds are days written as numbers (YYYYMMDD), not seconds or milliseconds since 1970'
            : 'the partition bounds match no calendar, neither as seconds nor as milliseconds since 1970',
      hint: isKind(column, ['int'])
        ? 'if the numbers are times, give --epoch s or --epoch ms; create and drop partitions of other numbers by hand'
        : 'sluice maintains partitions by dates, times and epoch numbers; create and drop others by hand',
    },
  )
}

function otherCalendar(table: TableName, spec: CalendarSpec, found: CalendarSpec): SluiceError {
  return new SluiceError('BAD_FLAG', `the partitions of ${tableText(table)} are not periods of ${calendarText(spec)}`, {
    reason: `the bounds of the partitions are those of ${calendarText(found)}`,
    hint: 'leave out --first-month, --year-offset, --first-weekday and --zone; to use another calendar, add --calendar',
  })
}
