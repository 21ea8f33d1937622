/** Which partitions of a table are to be archived, what they hold, and how far they have come. */
import { randomUUID } from 'node:crypto'
import {
  isUnpublished,
  readArchive,
  UNNOTED,
  type ArchivedPartition,
  type ArchivedTable,
  type ArchiveRecord,
} from '../../archive/ledger/record.ts'
import { BY_VALUE, isByValue } from '../../archive/ledger/by-value.ts'
import { byPeriod, otherParts } from '../../archive/ledger/parts.ts'
import { restoreCommand } from '../../archive/lifecycle/refusals.ts'
import { partitionFolder } from '../../archive/log/data-path.ts'
import { isAsText, storedTable, withNumbers, type ColumnChange } from '../../archive/types/index.ts'
import type { StoredTable } from '../../model/archiving/stored-column.ts'
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { parseLakeUrl, pathOfLocation } from '../../model/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { NativePartitions, PartitionTable } from '../../stores/archive-port.ts'
import type { CopyStore, LedgerDatabase } from '../../stores/copy-port.ts'
import type { ArchiveOperation } from '../operations/archive-run/declaration.ts'
import { cutOff, parseAge } from '../calendar/age.ts'
import { calendarText } from '../calendar/calendar-text.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../calendar/calendar.ts'
import { resolve } from 'node:path'
import type { ValueKind } from '../calendar/value-text.ts'
import type { Candidate, Wanted } from './candidate.ts'
import { askedFor, isAsked, isWanted, type Asked } from './asked.ts'
import { nearestText } from './label-named.ts'
import type { PartName } from './further-part.ts'
import { defaultText } from './default-text.ts'
import { nativeCandidates } from './native-candidates.ts'
import { isMistaken, nativeKind, timelessError } from '../calendar/time-kind.ts'
import { standing, type PlannedPartition } from './planned-standing.ts'
import { rangeCandidates } from './range-candidates.ts'
import { heldBack, Referred } from './referred.ts'
import { recordCalendar } from '../calendar/record-calendar.ts'
import { columnNamed } from '../copy/column-named.ts'
import { valueCandidates } from './value-candidates.ts'
import { presentArchive, unsureError, type PresentArchive } from './table-changes.ts'

export type PlannedArchive = {
  readonly table: TableSpec
  readonly archived: ArchivedTable & Partial<Pick<ArchiveRecord, 'partitions'>>
  /** The ledger does not know the table yet. */
  readonly fresh: boolean
  /** As the ledger has it; null for a new one. */
  readonly before: ArchiveRecord | null
  /** What the next publication changes in the columns of the archive. */
  readonly changes: readonly ColumnChange[]
  /** Why a run would have to guess what became of a column; null where it is sure. */
  readonly unsure: SluiceError | null
  /** Labels that somebody named. */
  readonly asked: ReadonlySet<string>
  readonly partitions: readonly PlannedPartition[]
  /** What is due next leaves as partitions of the system, and not row by row. */
  readonly isNative: boolean
  /** Rows that belong to no period, in words; null where none are known. */
  readonly unplaced: string | null
  /** Foreign keys that lead to the table. */
  readonly referred: Referred
  /** Why an age says nothing of it, where one was given; null otherwise. */
  readonly timeless: SluiceError | null
}

/** What to do where the calendar of an archive is not the one that was asked for. */
export const CALENDAR_FLAGS = 'leave --calendar, --first-month, --year-offset, --first-weekday and --zone out'

const DAY_MS = 86_400_000
/** How long a detached partition is kept before it may be dropped, ms. */
export const GRACE_MS = 7 * DAY_MS

/** @throws SluiceError BAD_FLAG, UNSUPPORTED_TYPE, UNSUPPORTED_KEY, PLAN_CHANGED */
export async function planArchive(
  table: TableSpec,
  operation: ArchiveOperation,
  around: {
    readonly store: CopyStore
    readonly database: LedgerDatabase
    /** Under which the ledger has the table. */
    readonly name: TableName
    readonly nowMs: number
    readonly signal: AbortSignal
  },
): Promise<PlannedArchive> {
  const { store, database, name, nowMs, signal } = around
  const record = await readArchive(database, name)
  const calendar = operation.calendar ?? ownCalendar(record, operation)
  const present = record === null ? null : await presentOf(table, record, operation, { store, signal })
  const natives = await nativesFor(store, table, present?.record ?? null, signal)
  if (natives !== null && record === null) refuseByValue(table, operation)
  const by = operation.byValue ?? operation.by ?? present?.record.timeColumn ?? null
  // The archive of a table that was partitioned later keeps the column that it was cut by.
  const timeColumn = natives === null || (present !== null && present.record.timeColumn !== null) ? by : null
  if (present === null && timeColumn !== null) columnNamed(table, timeColumn)
  refuseCutAsText(table, natives?.by ?? timeColumn, operation, record)
  const archived =
    present === null
      ? await newArchive(table, operation, { store, calendar, timeColumn, signal })
      : sameArchive(table, present.record, operation, { calendar, timeColumn })
  if (record !== null && present !== null && natives === null) refuseOtherTime(table, record, present.changes)
  if (natives === null) refuseUnremovable(table, store)
  const until = untilOf(table, operation, calendar, nowMs)
  const known = record?.partitions ?? []
  const asked = operation.partitions.map((text) => askedFor(calendar, text, known))
  const referred = await Referred.of(store, table.table, signal)
  const kind = natives === null ? null : nativeKind(table, natives, record, operation.epoch)
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
    mistaken: (one) => isMistaken(one, natives, kind),
  })
  refuseUnknown(table, asked, partitions, [...known, ...candidates])
  return {
    table,
    archived,
    fresh: record === null,
    before: record,
    changes: present?.changes ?? [],
    unsure: present?.unsure == null ? null : unsureError(table, present.unsure),
    asked: new Set(partitions.flatMap((one) => (isAsked(asked, nameOf(one)) ? [one.label] : []))),
    partitions,
    isNative: natives !== null,
    unplaced,
    referred,
    timeless:
      natives !== null && kind === null && until !== null && asked.length === 0
        ? timelessError(table, natives.by)
        : null,
  }
}

/**
 * The partitions of a table as units of its archive. Null for a table without any, and for one that was archived by another column, or by values, before it was
 * partitioned: its archive goes on row by row.
 */
export async function nativesFor(
  store: CopyStore,
  table: TableSpec,
  record: Pick<ArchivedTable, 'timeColumn' | 'calendar'> | null,
  signal: AbortSignal,
): Promise<NativePartitions | null> {
  const natives = (await store.partitions?.().list(table, signal)) ?? null
  if (natives === null || record === null || record.timeColumn === null) return natives
  return !isByValue(record) && record.timeColumn === natives.by ? natives : null
}

/** The table of a partition, as it stands in the source now: in its parent, or where it has gone. */
export async function nativeNow(
  store: CopyStore,
  table: TableSpec,
  { native, away }: Pick<ArchivedPartition, 'native' | 'away'>,
  signal: AbortSignal,
): Promise<PartitionTable | null> {
  if (native === null) return null
  if (away) {
    const found = await store.partitions?.().detached(native.table, native.identity, signal)
    return found == null ? null : { table: found, identity: native.identity }
  }
  const natives = await store.partitions?.().list(table, signal)
  return natives?.partitions.find(({ identity }) => identity === native.identity) ?? null
}

async function newArchive(
  table: TableSpec,
  operation: ArchiveOperation,
  {
    store,
    calendar,
    timeColumn,
    signal,
  }: { store: CopyStore; calendar: CalendarSpec | null; timeColumn: string | null; signal: AbortSignal },
): Promise<ArchivedTable> {
  const { to, asText, graceMs } = operation
  if (to === undefined) {
    throw new SluiceError('BAD_FLAG', `nothing of ${tableText(table.table)} was archived yet, so it needs a place`, {
      hint: 'give --to a folder, or s3://bucket/folder',
    })
  }
  return {
    table: table.table,
    archive: placeOf(to, table),
    archiveId: randomUUID(),
    timeColumn,
    calendar: calendar === null ? BY_VALUE : calendarText(calendar),
    stored: await laidOut(store, table, asText, timeColumn, signal),
    graceMs: graceMs ?? GRACE_MS,
    origin: (await store.origin?.(signal)) ?? null,
    ...UNNOTED,
  }
}

/** A table has a folder of its own below the one that was given. */
export function placeOf(to: string, { table: { schema, name } }: Pick<TableSpec, 'table'>): string {
  // Names of tables may hold anything.
  const folder = partitionFolder('t', schema === undefined ? name : `${schema}.${name}`).slice('t='.length)
  const place = parseLakeUrl(to)
  return place.kind === 'bucket' ? `${place.root}/${encodeURIComponent(folder)}` : resolve(to, folder)
}

/** The archive with the columns of the table now. Where nothing was published, they are laid anew. */
async function presentOf(
  table: TableSpec,
  record: ArchiveRecord,
  operation: ArchiveOperation,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<PresentArchive> {
  refuseUnknownColumns(table, operation.asText)
  const present = await presentArchive(store, table, record, signal, operation)
  if (present.changes.length === 0 || !isUnpublished(record)) return present
  const { timeColumn } = present.record
  const asText = present.record.stored.columns.filter(isAsText).map(({ name }) => name)
  const stored = await laidOut(store, table, asText, timeColumn, signal)
  return { record: { ...present.record, stored }, changes: [], unsure: null }
}

/** The columns of an archive of which nothing was published. */
export async function laidOut(
  store: CopyStore,
  table: TableSpec,
  asText: readonly string[],
  timeColumn: string | null,
  signal: AbortSignal,
): Promise<StoredTable> {
  const comments = (await store.comments?.(table, signal)) ?? {}
  const numbers = (await store.columnNumbers?.(table, signal)) ?? null
  return withNumbers(
    storedTable(table, { asText, isLoose: store.can.looseTypes === true, comments, sortBy: sortOf(table, timeColumn) }),
    numbers,
  )
}

function sortOf({ key, columns }: TableSpec, timeColumn: string | null): readonly string[] {
  const sortBy = key.filter((name) => columns.some((column) => column.name === name))
  return timeColumn === null ? sortBy : [...new Set([timeColumn, ...sortBy])]
}

/** Bounds and conditions compare the values of that column, and texts compare in another way. An archive that an older sluice made so goes on. */
function refuseCutAsText(
  { table }: TableSpec,
  column: string | null,
  { asText }: ArchiveOperation,
  record: ArchiveRecord | null,
): void {
  if (column === null || !asText.includes(column)) return
  const old = record?.stored.columns.find(({ name }) => name === column)
  if (old !== undefined && isAsText(old)) return
  throw new SluiceError(
    'BAD_FLAG',
    `${column} says to which partition a row of ${tableText(table)} belongs: it is not stored as text`,
    {
      where: `${tableText(table)}.${column}`,
      reason: 'conditions of time would compare texts then',
      hint: `leave --as-text ${shellQuote(column)} out; change a value that an archive cannot hold at its source`,
    },
  )
}

function refuseUnknownColumns({ table, columns }: TableSpec, names: readonly string[]): void {
  const missing = names.find((name) => !columns.some((column) => column.name === name))
  if (missing === undefined) return
  throw new SluiceError('BAD_FLAG', `${tableText(table)} has no column ${missing}, which --as-text names`, {
    hint: `its columns are ${columns.map(({ name }) => name).join(', ')}`,
  })
}

function sameArchive(
  table: TableSpec,
  record: ArchiveRecord,
  operation: ArchiveOperation,
  { calendar, timeColumn }: { readonly calendar: CalendarSpec | null; readonly timeColumn: string | null },
): ArchiveRecord {
  const name = tableText(table.table)
  const refuse = (what: string, was: string, hint: string): never => {
    throw new SluiceError('PLAN_CHANGED', `the archive of ${name} has another ${what}: ${was}`, { where: name, hint })
  }
  if (operation.to !== undefined && pathOfLocation(placeOf(operation.to, record)) !== pathOfLocation(record.archive)) {
    refuse('place', record.archive, 'leave --to out, or move the folder and change archive in migration_archives')
  }
  if (operation.byValue !== undefined && !isByValue(record))
    refuse('cut', `periods of ${record.timeColumn ?? 'the partitions'}`, 'leave --by-value out')
  if (operation.by !== undefined && isByValue(record))
    refuse('cut', `values of ${record.timeColumn ?? ''}`, 'leave --by out, or say --by-value')
  if (calendar !== null && isByValue(record))
    refuse('cut', `values of ${record.timeColumn ?? ''}`, `${CALENDAR_FLAGS}, or say --by-value`)
  if (calendar !== null && calendarText(calendar) !== record.calendar)
    refuse('calendar', record.calendar, CALENDAR_FLAGS)
  if (timeColumn !== record.timeColumn)
    refuse(
      isByValue(record) ? 'column of values' : 'column of time',
      record.timeColumn ?? 'the partitions',
      `leave ${isByValue(record) ? '--by-value' : '--by'} out`,
    )
  const graceMs = operation.graceMs ?? record.graceMs
  return { ...record, graceMs }
}

/** Bounds of its periods are values of this column. */
function refuseOtherTime({ table }: TableSpec, { timeColumn }: ArchiveRecord, changes: readonly ColumnChange[]): void {
  const name = tableText(table)
  const change = changes.find(
    (one) =>
      (one.kind === 'dropped' && one.column.name === timeColumn) ||
      (one.kind === 'retyped' && one.column.name === timeColumn),
  )
  if (change === undefined) return
  const what = change.kind === 'dropped' ? 'gone' : `${change.column.column.native} now`
  throw new SluiceError('PLAN_CHANGED', `the archive of ${name} is cut by ${timeColumn}, which is ${what}`, {
    where: name,
    hint: 'archive the table into another folder from now on',
  })
}

/** What the ledger says, or else the flags of a new table; null where the values of a column cut it. */
function ownCalendar(record: ArchiveRecord | null, { byValue }: ArchiveOperation): CalendarSpec | null {
  if (record !== null) return recordCalendar(record)
  return byValue === undefined ? DEFAULT_CALENDAR : null
}

/** @throws SluiceError BAD_FLAG */
function refuseByValue({ table }: TableSpec, { byValue }: ArchiveOperation): void {
  if (byValue === undefined) return
  throw new SluiceError('BAD_FLAG', `${tableText(table)} has partitions of its own: its archive has those`, {
    where: tableText(table),
    hint: 'leave --by-value out; it is for tables without partitions',
  })
}

/** The first day that is kept. @throws SluiceError BAD_FLAG */
function untilOf(
  { table }: TableSpec,
  { olderThan }: ArchiveOperation,
  calendar: CalendarSpec | null,
  nowMs: number,
): string | null {
  if (olderThan === undefined) return null
  if (calendar !== null) return cutOff(calendar, parseAge(olderThan), new Date(nowMs))
  throw new SluiceError(
    'BAD_FLAG',
    `values of a column have no age: --older-than says nothing of ${tableText(table)}`,
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
  { asked, until, calendar, epoch }: Omit<Wanted, 'calendar'> & { readonly calendar: CalendarSpec | null },
  record: ArchiveRecord | null,
  around: { readonly store: CopyStore; readonly referred: Referred; readonly signal: AbortSignal },
): Promise<{ readonly candidates: readonly Candidate[]; readonly unplaced: string | null }> {
  if (calendar === null)
    return { candidates: await valueCandidates(table, timeColumn ?? '', asked, record, around), unplaced: null }
  const wanted = { asked, until, calendar, epoch }
  if (natives === null) return await rangeCandidates(table, timeColumn, wanted, record, around)
  const known = record?.partitions ?? []
  return {
    candidates: await heldBack(
      await nativeCandidates(natives, wanted, { known, key: table.key }, around),
      around.referred,
      around.signal,
    ),
    unplaced: await defaultText(natives, around),
  }
}

function refuseUnremovable(table: TableSpec, store: CopyStore): void {
  const name = tableText(table.table)
  if (store.target().remove === undefined || store.timeCondition === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `rows cannot be archived out of ${store.system}`, { where: store.label })
  }
  if (table.key.length > 0) return
  throw new SluiceError('UNSUPPORTED_KEY', `rows of ${name} cannot be told apart: it has no key`, {
    where: name,
    hint: 'give the table a primary key, so that archived rows can be removed and brought back one by one',
  })
}

type Pair = Pick<PlannedPartition, 'candidate' | 'known'> & { readonly named: PartName }

/** Known ones by their bounds, a further part behind the others of its period, and last what is new. */
function merged(
  name: string,
  candidates: readonly Candidate[],
  known: readonly ArchivedPartition[],
  {
    asked,
    drop,
    mistaken,
  }: {
    readonly asked: readonly Asked[]
    readonly drop: boolean
    readonly mistaken: (one: ArchivedPartition) => boolean
  },
): readonly PlannedPartition[] {
  const byLabel = new Map(candidates.map((candidate) => [candidate.label, candidate]))
  const labels = new Set(known.map(({ label }) => label))
  const last = new Map(known.map(({ period }, i) => [period, i]))
  const further = new Map<string, Pair[]>()
  const fresh: Pair[] = []
  for (const candidate of byLabel.values()) {
    if (labels.has(candidate.label)) continue
    const { period } = candidate
    const pairs = last.has(period) ? (further.get(period) ?? []) : fresh
    if (pairs !== fresh) further.set(period, pairs)
    pairs.push({ named: candidate, known: null, candidate })
  }
  const pairs = known.flatMap((one, i): readonly Pair[] => [
    { named: one, known: one, candidate: byLabel.get(one.label) ?? null },
    ...(last.get(one.period) === i ? (further.get(one.period) ?? []) : []),
  ])
  const parts = byPeriod(known)
  return [...pairs, ...fresh]
    .filter(({ named }) => isWanted(asked, named))
    .map(({ named, known: one, candidate }) => {
      const others = otherParts(named, parts.get(named.period) ?? [])
      const status = standing(one, candidate, {
        others,
        asked,
        drop,
        mistaken: one !== null && mistaken(one),
        restoreCommand: restoreCommand(name, named),
      })
      return { label: named.label, candidate, known: one, ...status }
    })
}

/** What a planned partition is called, and the period that it is a part of. */
function nameOf({ known, candidate, label }: Pick<PlannedPartition, 'known' | 'candidate' | 'label'>): PartName {
  const { period, part } = known ?? candidate ?? { period: label, part: 1 }
  return { label, period, part }
}

function refuseUnknown(
  table: TableSpec,
  asked: readonly Asked[],
  found: readonly PlannedPartition[],
  all: readonly { readonly label: string }[],
): void {
  const unknown = asked.filter((one) => !found.some((partition) => isAsked([one], nameOf(partition))))
  if (unknown.length === 0) return
  const there = all.map(({ label }) => label)
  const labels = unknown.map(({ label }) => label + nearestText(label, there)).join(', ')
  throw new SluiceError('BAD_FLAG', `${tableText(table.table)} has no partition ${labels}`, {
    hint: 'sluice archive plan without --partition lists them',
  })
}
