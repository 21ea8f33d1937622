/**
 * Reads a table's description from its archive and compares it with the present table of the source. The user gives the
 * facts that an archive of an older program lacks.
 */
import { BY_VALUE } from '../ledger/by-value.ts'
import { UNNOTED, type ArchivedTable, type ArchiveRecord } from '../ledger/record.ts'
import type { ArchiveLogState } from '../steps/log.ts'
import { readArchiveProperties, type ArchiveProperties } from '../log/properties.ts'
import { grownShape } from '../log/table-schema.ts'
import { schemaOf, typeText } from '../../delta/schema.ts'
import type { StoredTable } from '../../model/archive/stored-column.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { redactUrl } from '../../shared/redact.ts'
import { SluiceError } from '../../shared/errors.ts'
import { calendarText } from '../../model/calendar/calendar-text.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../../model/calendar/calendar.ts'
import type { NativePartitions } from '../../model/archive/port.ts'
import type { OpenedArchive } from '../work/each-table.ts'
import { GRACE_MS, plannedColumns } from '../plan/new-archive.ts'
import { CALENDAR_HINT } from '../plan/plan-refusals.ts'
import { changeText, presentArchive } from '../plan/table-changes.ts'
import { unsureError } from '../steps/unsure-columns.ts'
import type { FoundArchive } from './archive-at.ts'

/** Facts given by the user. */
export type RebuildOptions = {
  readonly calendar: Partial<CalendarSpec>
  /** Partition column of a plain table. */
  readonly by?: string
  readonly graceMs?: number
}

export type RecordedArchive = {
  /** The description in the archive. */
  readonly noted: Omit<ArchiveRecord, 'partitions'>
  /** The description with the table's present columns. */
  readonly present: Omit<ArchiveRecord, 'partitions'>
  /** Properties of the Delta table. */
  readonly said: ReturnType<typeof readArchiveProperties>
}

/**
 * @param natives partitions of the source; null for a plain table
 * @throws SluiceError BAD_FLAG if the user must give facts; PLAN_CHANGED if the archive contradicts them, or the table
 * differs; ARCHIVE_CONFLICT, UNSUPPORTED_TYPE
 */
export async function recordedArchive(
  table: TableSpec,
  { archive, state }: FoundArchive,
  options: RebuildOptions,
  natives: NativePartitions | null,
  { store, signal }: Pick<OpenedArchive, 'store'> & { readonly signal: AbortSignal },
): Promise<RecordedArchive> {
  const said = readArchiveProperties(state.metadata.configuration ?? {})
  const { calendar, timeColumn } = cutBy(table, said, options, natives)
  const stored = said.stored ?? (await storedBefore(table, archive, state, timeColumn, { store, signal }))
  const archived: ArchivedTable = {
    table: table.table,
    archive,
    archiveId: state.tableId,
    timeColumn,
    calendar,
    stored,
    graceMs: options.graceMs ?? said.graceMs ?? GRACE_MS,
    origin: null,
    ...UNNOTED,
    retentionMs: said.retentionMs ?? null,
  }
  const { record, changes, unsure } = await presentArchive(store, table, { ...archived, partitions: [] }, signal)
  if (unsure !== null) throw unsureError(table, unsure, {}, RESTORED_ROWS)
  const isSure = stored.numbersOf !== undefined && stored.numbersOf === record.stored.numbersOf
  const other = isSure ? undefined : changes.find(({ kind }) => kind !== 'added')
  if (other !== undefined) {
    throw new SluiceError(
      'PLAN_CHANGED',
      `the columns of ${tableText(table.table)} differ from those of its archive: ${changeText(other)}`,
      {
        where: redactUrl(archive),
        reason: 'this table may not be the archived one',
        hint: RESTORED_ROWS,
      },
    )
  }
  const { partitions: _, ...present } = record
  return { noted: archived, present, said }
}

const RESTORED_ROWS =
  'nothing was changed; give the table its archived columns again, adopt the archive, then change the columns again: the next run records the changes'

type Cut = { readonly calendar: string; readonly timeColumn: string | null }

function cutBy(
  { table, columns }: TableSpec,
  said: Partial<ArchiveProperties>,
  { calendar: options, by }: RebuildOptions,
  natives: NativePartitions | null,
): Cut {
  const name = tableText(table)
  const asked = Object.keys(options).length === 0 ? null : calendarText({ ...DEFAULT_CALENDAR, ...options })
  const missing = [
    ...(said.calendar === undefined && asked === null ? ['--calendar'] : []),
    ...(said.calendar === undefined && natives === null && by === undefined ? ['--by'] : []),
  ]
  if (missing.length > 0) {
    throw new SluiceError(
      'BAD_FLAG',
      `the archive of ${name} does not record its partitioning: an older sluice created it`,
      {
        hint: `give ${missing.join(' and ')} with the same values as in archive run`,
      },
    )
  }
  const refuse = (what: string, hint: string): never => {
    throw new SluiceError('PLAN_CHANGED', what, { where: name, hint })
  }
  const calendar = said.calendar ?? asked ?? ''
  if (asked !== null && calendar === BY_VALUE)
    refuse(`the archive of ${name} is partitioned by values, and has no calendar`, CALENDAR_HINT)
  if (asked !== null && asked !== calendar)
    refuse(`the archive of ${name} has another calendar: ${calendar}`, CALENDAR_HINT)
  const own = said.calendar === undefined ? null : (said.timeColumn ?? null)
  // If the table was partitioned later, its archive has periods by the time column, and native partitions since then.
  if (natives !== null && own === null) return { calendar, timeColumn: null }
  if (said.calendar !== undefined && own === null)
    refuse(`${name} has no partitions now, but was archived by partitions`, ANOTHER)
  if (own !== null && by !== undefined && by !== own)
    refuse(`the archive of ${name} is partitioned by another column: ${own}`, 'remove --by')
  const timeColumn = own ?? by ?? ''
  if (!columns.some((column) => column.name === timeColumn))
    refuse(`${name} has no column ${timeColumn}, by which it was archived`, ANOTHER)
  return { calendar, timeColumn }
}

const ANOTHER = 'nothing was changed; change the table back to what was archived, or archive it into another folder'

/**
 * Columns for an archive without recorded columns: the table's columns, if they produce exactly the schema of the log.
 */
async function storedBefore(
  table: TableSpec,
  archive: string,
  { protocol, metadata }: ArchiveLogState,
  timeColumn: string | null,
  { store, signal }: Pick<OpenedArchive, 'store'> & { readonly signal: AbortSignal },
): Promise<StoredTable> {
  const types = new Map(schemaOf(protocol, metadata).fields.map(({ name, type }) => [name, typeText(type)]))
  const plain = await plannedColumns(store, table, [], timeColumn, signal).catch(() => null)
  const asText = table.columns.flatMap(({ name }) => {
    const rule = plain?.columns.find((column) => column.name === name)
    return types.get(name) === 'string' && rule?.stored !== 'string' ? [name] : []
  })
  const stored =
    asText.length === 0 && plain !== null ? plain : await plannedColumns(store, table, asText, timeColumn, signal)
  const isSame =
    types.size === stored.columns.length + 1 &&
    metadata.configuration?.['sluice.shape'] === undefined &&
    grownShape(stored, { protocol, metadata }, redactUrl(archive)) === null
  if (isSame) return stored
  throw new SluiceError('PLAN_CHANGED', `the columns of ${tableText(table.table)} differ from those of its archive`, {
    where: redactUrl(archive),
    reason: 'an older sluice created it, and did not record the columns of its files',
    hint: 'nothing was changed; give the table its archived columns again, then adopt the archive',
  })
}
