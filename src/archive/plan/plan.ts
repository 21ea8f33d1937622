/** Plans the archive of a table: which partitions are due, how many rows they have, and their state so far. */
import {
  isUnpublished,
  readArchive,
  type ArchivedPartition,
  type ArchivedTable,
  type ArchiveRecord,
} from '../ledger/record.ts'
import { isAsText, type ColumnChange } from '../types/index.ts'
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { NativePartitions, PartitionTable } from '../../model/archive/port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { ArchivePlanOptions } from '../operations/archive-run/declaration.ts'
import { cutOff, parseAge } from '../../model/calendar/age.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../../model/calendar/calendar.ts'
import { recordCalendar } from './record-calendar.ts'
import { isMistaken, nativeKind, timelessError } from './time-kind.ts'
import type { ValueKind } from '../../model/calendar/value-text.ts'
import { columnNamed } from '../../engine/copy/plan/column-named.ts'
import { askedFor, isAsked } from '../work/named-partitions.ts'
import { isCutBy } from './archived-as.ts'
import type { ArchiveCandidate, CandidateRequest } from './candidate.ts'
import { merged, plannedName } from '../work/merge-parts.ts'
import { nativeCandidates } from './native-candidates.ts'
import { refuseHiddenColumns } from './hidden-columns.ts'
import { plannedColumns, newArchive } from './new-archive.ts'
import {
  refuseByValue,
  refuseAsText,
  refuseOtherTime,
  refuseUnknownPartitions,
  refuseUnknownColumns,
  refuseUnremovable,
  sameArchive,
} from './plan-refusals.ts'
import type { PlannedPartition } from './planned-status.ts'
import { rangeCandidates } from './range-candidates.ts'
import { blockReferred, Referred } from './referring-rows.ts'
import { refuseSwappedColumns } from './swapped-columns.ts'
import { presentArchive, type PresentArchive } from './table-changes.ts'
import { unsureError } from '../steps/unsure-columns.ts'
import { COUNTED_AT_ONCE } from './period-rows.ts'
import { refuseRenamedMembers } from './renamed-members.ts'
import { valueCandidates } from './value-candidates.ts'
import { countText } from '../../shared/figures.ts'

export type PlannedArchive = {
  readonly table: TableSpec
  readonly archived: ArchivedTable & Partial<Pick<ArchiveRecord, 'partitions'>>
  /** True if the ledger does not have the table yet. */
  readonly fresh: boolean
  /** The ledger's record; null for a new table. */
  readonly before: ArchiveRecord | null
  /** Changes that the next publication makes to the columns of the archive. */
  readonly changes: readonly ColumnChange[]
  /** Error of a run if the renames of columns are ambiguous; null if they are certain. */
  readonly unsure: SluiceError | null
  /** Labels that the command names. */
  readonly asked: ReadonlySet<string>
  readonly partitions: readonly PlannedPartition[]
  /** True if due partitions are detached as native partitions, not removed row by row. */
  readonly isNative: boolean
  /** The column that decides the partition of a row. */
  readonly by: string | null
  /** Text about rows that belong to no period; null if none are known. */
  readonly unplaced: string | null
  /** Foreign keys that refer to the table. */
  readonly referred: Referred
  /** Error if `--older-than` was given, but the partitions are not by time; otherwise null. */
  readonly timeless: SluiceError | null
}

/** @throws SluiceError BAD_FLAG, UNSUPPORTED_TYPE, UNSUPPORTED_KEY, PLAN_CHANGED, SOURCE_DENIED for hidden columns */
export async function planArchive(
  table: TableSpec,
  operation: ArchivePlanOptions,
  context: {
    readonly store: CopyStore
    readonly database: LedgerDatabase
    /** Name of the table in the ledger. */
    readonly name: TableName
    readonly nowMs: number
    readonly signal: AbortSignal
  },
): Promise<PlannedArchive> {
  const { store, database, name, nowMs, signal } = context
  refuseHiddenColumns(table)
  const record = await readArchive(database, name)
  const calendar = operation.calendar ?? ownCalendar(record, operation)
  const present = record === null ? null : await presentOf(table, record, operation, { store, signal })
  const natives = await nativesFor(store, table, present?.record ?? null, signal)
  if (natives !== null && record === null) refuseByValue(table, operation)
  const by = operation.byValue ?? operation.by ?? present?.record.timeColumn ?? null
  // If the table was partitioned later, its archive keeps its former partitioning column.
  const timeColumn = natives === null || (present !== null && present.record.timeColumn !== null) ? by : null
  if (present === null && timeColumn !== null) columnNamed(table, timeColumn)
  refuseAsText(table, natives?.by ?? timeColumn, operation, { record, isLoose: store.can.looseTypes === true })
  const archived =
    present === null
      ? await newArchive(table, operation, { store, calendar, timeColumn, signal })
      : sameArchive(table, present.record, operation, { calendar, timeColumn })
  if (record !== null && present !== null && natives === null) {
    refuseOtherTime(table, record, present.changes)
    refuseRenamedMembers(table, present.record)
  }
  if (natives === null) refuseUnremovable(table, store)
  const until = untilOf(table, operation, calendar, nowMs)
  const known = record?.partitions ?? []
  const asked = operation.partitions.map((text) => askedFor(calendar, text, known))
  const referred = await Referred.of(store, table.table, signal)
  const kind = natives === null ? null : nativeKind(table, natives, record, operation.epoch)
  const ranged = table.columns.find((column) => column.name === natives?.by)
  const { candidates, unplaced } = await candidatesOf(
    table,
    natives === null ? null : { ...natives, kind },
    timeColumn,
    { asked, until, calendar, epoch: operation.epoch },
    record,
    { store, referred, signal },
  )
  const partitions = merged(tableText(table.table), candidates, known, {
    asked,
    drop: operation.drop,
    mistaken: (one) => isMistaken(one, ranged, kind),
  })
  refuseUnknownPartitions(table, asked, partitions, [...known, ...candidates])
  return {
    table,
    archived,
    fresh: record === null,
    before: record,
    changes: present?.changes ?? [],
    unsure: present?.unsure == null ? null : unsureError(table, present.unsure, operation),
    asked: new Set(partitions.flatMap((one) => (isAsked(asked, plannedName(one)) ? [one.label] : []))),
    partitions,
    isNative: natives !== null,
    by: natives?.by ?? timeColumn,
    unplaced,
    referred,
    timeless:
      natives !== null && kind === null && until !== null && asked.length === 0
        ? timelessError(table, natives.by)
        : null,
  }
}

/**
 * The native partitions of a table, if its archive uses them. Null for a plain table, and if the table was archived by
 * another column, or by values, before it was partitioned: its archive continues row by row.
 */
export async function nativesFor(
  store: CopyStore,
  table: TableSpec,
  record: Pick<ArchivedTable, 'timeColumn' | 'calendar'> | null,
  signal: AbortSignal,
): Promise<NativePartitions | null> {
  const natives = (await store.offers.partitions?.list(table, signal)) ?? null
  return natives === null || record === null || isCutBy(record, natives.by) ? natives : null
}

/** The table of a partition, in the current source: attached, or detached. */
export async function nativeNow(
  store: CopyStore,
  table: TableSpec,
  { native, away }: Pick<ArchivedPartition, 'native' | 'away'>,
  signal: AbortSignal,
): Promise<PartitionTable | null> {
  if (native === null) return null
  if (away) {
    const found = await store.offers.partitions?.detachedTable(native.table, native.identity, signal)
    return found == null ? null : { table: found, identity: native.identity }
  }
  const natives = await store.offers.partitions?.list(table, signal)
  return natives?.partitions.find(({ identity }) => identity === native.identity) ?? null
}

/** The archive with the present columns of the table. If nothing was published, all columns are planned again. */
async function presentOf(
  table: TableSpec,
  record: ArchiveRecord,
  operation: ArchivePlanOptions,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<PresentArchive> {
  refuseUnknownColumns(table, operation.asText)
  await refuseSwappedColumns(store, table, record, signal, operation.renamed)
  const present = await presentArchive(store, table, record, signal, operation)
  if (present.changes.length === 0 || !isUnpublished(record)) return present
  const { timeColumn } = present.record
  const asText = present.record.stored.columns.filter(isAsText).map(({ name }) => name)
  const stored = await plannedColumns(store, table, asText, timeColumn, signal)
  return { record: { ...present.record, stored }, changes: [], unsure: null }
}

/** The calendar of the ledger, otherwise the default; null if partitioned by values. */
function ownCalendar(record: ArchiveRecord | null, { byValue }: ArchivePlanOptions): CalendarSpec | null {
  if (record !== null) return recordCalendar(record)
  return byValue === undefined ? DEFAULT_CALENDAR : null
}

/** The first day that is kept; null without `--older-than`. @throws SluiceError BAD_FLAG */
function untilOf(
  { table }: TableSpec,
  { olderThan }: ArchivePlanOptions,
  calendar: CalendarSpec | null,
  nowMs: number,
): string | null {
  if (olderThan === undefined) return null
  if (calendar !== null) return cutOff(calendar, parseAge(olderThan), new Date(nowMs))
  throw new SluiceError(
    'BAD_FLAG',
    `--older-than cannot be used for ${tableText(table)}: it is archived by values of a column, not by time`,
    {
      where: tableText(table),
      hint: 'name the values with --partition; sluice archive plan without --partition lists them',
    },
  )
}

async function candidatesOf(
  table: TableSpec,
  natives: (NativePartitions & { readonly kind: ValueKind | null }) | null,
  timeColumn: string | null,
  { asked, until, calendar, epoch }: Omit<CandidateRequest, 'calendar'> & { readonly calendar: CalendarSpec | null },
  record: ArchiveRecord | null,
  around: { readonly store: CopyStore; readonly referred: Referred; readonly signal: AbortSignal },
): Promise<{ readonly candidates: readonly ArchiveCandidate[]; readonly unplaced: string | null }> {
  if (calendar === null)
    return { candidates: await valueCandidates(table, timeColumn ?? '', asked, record, around), unplaced: null }
  const wanted = { asked, until, calendar, epoch }
  if (natives === null) return await rangeCandidates(table, timeColumn, wanted, record, around)
  const known = record?.partitions ?? []
  return {
    candidates: await blockReferred(
      await nativeCandidates(natives, wanted, { known, key: table.key }, around),
      around.referred,
      around.signal,
    ),
    unplaced: await defaultText(natives, around),
  }
}

/** Text about rows in the default partition, which no run archives; null if there are none. */
async function defaultText(
  { by, partitions }: NativePartitions,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<string | null> {
  const rest = partitions.find(({ isDefault }) => isDefault)
  if (rest === undefined) return null
  const name = tableText(rest.table.table)
  // The planner estimates by pages, which also works for a table that was never analyzed.
  const about = (await store.offers.periods?.scanCost(rest.table, ['true'], signal))?.rows ?? rest.rows
  if (about > COUNTED_AT_ONCE) {
    return `the default partition ${name} holds about ${about} rows, which runs do not archive; they were not inspected`
  }
  await using view = await store.source(signal)
  const { rows } = await view.extent(rest.table, null, true)
  if (rows === 0n) return null
  const column = rest.table.columns.find((one) => one.name === by)
  const nulls =
    column === undefined ? 0n : ((await store.offers.timeExtents?.of(rest.table, column, signal))?.nulls ?? 0n)
  const without = nulls === 0n ? '' : ` (${nulls} of them without a value in ${by})`
  return `the default partition ${name} holds ${countText(rows, 'row')}${without}, which runs do not archive`
}
