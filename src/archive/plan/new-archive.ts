/** Creates the record of a new archive: its location, columns and grace period. */
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { UNNOTED, type ArchivedTable } from '../ledger/record.ts'
import { BY_VALUE } from '../ledger/by-value.ts'
import { partitionFolder } from '../log/data-path.ts'
import { storedTable, withNumbers } from '../types/index.ts'
import type { StoredTable } from '../../model/archive/stored-column.ts'
import { tableTextBefore, tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { parseLakeUrl } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { ArchivePlanOptions } from '../operations/archive-run/declaration.ts'
import { calendarText } from '../../model/calendar/calendar-text.ts'
import type { CalendarSpec } from '../../model/calendar/calendar.ts'

const DAY_MS = 86_400_000

/** How long a detached partition is kept before it may be dropped, ms. */
export const GRACE_MS = 7 * DAY_MS

/** Ledger record of a new archive. @throws SluiceError BAD_FLAG without a location, UNSUPPORTED_TYPE */
export async function newArchive(
  table: TableSpec,
  operation: ArchivePlanOptions,
  {
    store,
    calendar,
    timeColumn,
    signal,
  }: { store: CopyStore; calendar: CalendarSpec | null; timeColumn: string | null; signal: AbortSignal },
): Promise<ArchivedTable> {
  const { to, asText, graceMs } = operation
  if (to === undefined) {
    throw new SluiceError('BAD_FLAG', `${tableText(table.table)} has no archive yet, and --to is missing`, {
      hint: 'give a folder or s3://bucket/folder with --to',
    })
  }
  return {
    table: table.table,
    archive: archiveTablePlaces(to, table)[0],
    archiveId: randomUUID(),
    timeColumn,
    calendar: calendar === null ? BY_VALUE : calendarText(calendar),
    stored: await plannedColumns(store, table, asText, timeColumn, signal),
    graceMs: graceMs ?? GRACE_MS,
    origin: (await store.offers.identification?.origin(signal)) ?? null,
    ...UNNOTED,
  }
}

/** Locations of a table's archive below `to`: the present one, then the one that sluice used until 2026-11. */
export function archiveTablePlaces(to: string, { table }: Pick<TableSpec, 'table'>): readonly [string, ...string[]] {
  return [placeOf(to, tableText(table)), placeOf(to, tableTextBefore(table))]
}

/** Folder or URL of a table's archive: a subfolder of the given location. */
function placeOf(to: string, name: string): string {
  // Table names may contain any character.
  const folder = partitionFolder('t', name).slice('t='.length)
  const place = parseLakeUrl(to)
  return place.kind === 'bucket' ? `${place.root}/${encodeURIComponent(folder)}` : resolve(to, folder)
}

/** The columns of an archive without published files. */
export async function plannedColumns(
  store: CopyStore,
  table: TableSpec,
  asText: readonly string[],
  timeColumn: string | null,
  signal: AbortSignal,
): Promise<StoredTable> {
  const comments = (await store.offers.columnFacts?.comments(table, signal)) ?? {}
  const numbers = (await store.offers.columnFacts?.numbers(table, signal)) ?? null
  return withNumbers(
    storedTable(await withExpressions(store, table, signal), {
      asText,
      isLoose: store.can.looseTypes === true,
      comments,
      sortBy: sortOf(table, timeColumn),
    }),
    numbers,
  )
}

/** The table with the expressions of its generated columns, if its system reports them. */
export async function withExpressions(store: CopyStore, table: TableSpec, signal: AbortSignal): Promise<TableSpec> {
  const computes = table.columns.some(({ generated }) => generated === true)
  return computes ? await store.dependencies().detailed(table, signal) : table
}

function sortOf({ key, columns }: TableSpec, timeColumn: string | null): readonly string[] {
  const sortBy = key.filter((name) => columns.some((column) => column.name === name))
  return timeColumn === null ? sortBy : [...new Set([timeColumn, ...sortBy])]
}
