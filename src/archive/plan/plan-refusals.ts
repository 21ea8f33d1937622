/** Refusals of an archive plan, before anything is changed. */
import type { Run } from '../../engine/run/run-context.ts'
import type { ArchiveRecord } from '../ledger/record.ts'
import { isByValue } from '../ledger/by-value.ts'
import { isAsText, type ColumnChange } from '../types/index.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { pathOfLocation } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { ArchivePlanOptions } from '../operations/archive-run/declaration.ts'
import { calendarText } from '../../model/calendar/calendar-text.ts'
import type { CalendarSpec } from '../../model/calendar/calendar.ts'
import { isAsked, type NamedPartition } from '../work/named-partitions.ts'
import { nearestText } from './label-named.ts'
import { plannedName } from '../work/merge-parts.ts'
import { archiveTablePlaces } from './new-archive.ts'
import type { PlannedPartition } from './planned-status.ts'

/** Hint if the requested calendar differs from the archive's. */
export const CALENDAR_HINT = 'remove --calendar, --first-month, --year-offset, --first-weekday and --zone'

/**
 * Refuses `--as-text` for the column that partitions the archive, because conditions would compare texts; and for key
 * columns of bytes, because rows are removed and restored by key. Accepts a column that is already archived as text.
 * @param column column that partitions the archive
 * @param isLoose true if the source does not enforce types: `--as-text` then stores SQL literals, also fit for keys
 * @throws SluiceError BAD_FLAG
 */
export function refuseAsText(
  { table, columns, key }: TableSpec,
  column: string | null,
  { asText }: ArchivePlanOptions,
  { record, isLoose }: { readonly record: ArchiveRecord | null; readonly isLoose: boolean },
): void {
  const refuse = (name: string, what: string, reason: string): void => {
    const old = record?.stored.columns.find((one) => one.name === name)
    if (old !== undefined && isAsText(old)) return
    throw new SluiceError('BAD_FLAG', `${name} ${what}: it cannot be stored as text`, {
      where: `${tableText(table)}.${name}`,
      reason,
      hint: `remove --as-text ${shellQuote(name)}; if the archive refuses a value of this column, correct the value in the source`,
    })
  }
  if (column !== null && asText.includes(column))
    refuse(
      column,
      `determines the partition of a row of ${tableText(table)}`,
      'time conditions would then compare texts',
    )
  for (const { name, type } of columns)
    if (!isLoose && type.kind === 'bytes' && key.includes(name) && asText.includes(name))
      refuse(
        name,
        `is a bytes column in the key of ${tableText(table)}`,
        'rows are removed and restored by their keys, and an archive can hold any bytes',
      )
}

/** @throws SluiceError BAD_FLAG if --as-text names a column that the table lacks */
export function refuseUnknownColumns({ table, columns }: TableSpec, names: readonly string[]): void {
  const missing = names.find((name) => !columns.some((column) => column.name === name))
  if (missing === undefined) return
  throw new SluiceError('BAD_FLAG', `${tableText(table)} has no column ${missing}, which --as-text names`, {
    hint: `its columns are ${columns.map(({ name }) => name).join(', ')}`,
  })
}

/**
 * The archive in the ledger, with the grace period of this command.
 * @throws SluiceError PLAN_CHANGED if the command has another location, partitioning or calendar
 */
export function sameArchive(
  table: TableSpec,
  record: ArchiveRecord,
  operation: ArchivePlanOptions,
  { calendar, timeColumn }: { readonly calendar: CalendarSpec | null; readonly timeColumn: string | null },
): ArchiveRecord {
  const name = tableText(table.table)
  const refuse = (what: string, was: string, hint: string): never => {
    throw new SluiceError('PLAN_CHANGED', `the archive of ${name} has another ${what}: ${was}`, { where: name, hint })
  }
  if (
    operation.to !== undefined &&
    !archiveTablePlaces(operation.to, record).some((one) => pathOfLocation(one) === pathOfLocation(record.archive))
  ) {
    refuse(
      'location',
      record.archive,
      'remove --to; or move the folder, and write its new location into migration_archives.archive',
    )
  }
  if (operation.byValue !== undefined && !isByValue(record))
    refuse('partitioning', `periods of ${record.timeColumn ?? 'the partitions'}`, 'remove --by-value')
  if (operation.by !== undefined && isByValue(record))
    refuse('partitioning', `values of ${record.timeColumn ?? ''}`, 'remove --by, or use --by-value')
  if (calendar !== null && isByValue(record))
    refuse('partitioning', `values of ${record.timeColumn ?? ''}`, `${CALENDAR_HINT}, or use --by-value`)
  if (calendar !== null && calendarText(calendar) !== record.calendar)
    refuse('calendar', record.calendar, CALENDAR_HINT)
  if (timeColumn !== record.timeColumn)
    refuse(
      isByValue(record) ? 'column of values' : 'time column',
      record.timeColumn ?? 'the partitions',
      `remove ${isByValue(record) ? '--by-value' : '--by'}`,
    )
  const graceMs = operation.graceMs ?? record.graceMs
  return { ...record, graceMs }
}

/** Refuses a changed or dropped time column: the bounds of periods are its values. */
export function refuseOtherTime(
  { table }: TableSpec,
  { timeColumn }: ArchiveRecord,
  changes: readonly ColumnChange[],
): void {
  const name = tableText(table)
  const change = changes.find(
    (one) =>
      (one.kind === 'dropped' && one.column.name === timeColumn) ||
      (one.kind === 'retyped' && one.column.name === timeColumn),
  )
  if (change === undefined) return
  const [what, was] =
    change.kind === 'retyped'
      ? [`of type ${change.column.column.native} now`, `change the column back to ${change.kept.column.native}; or `]
      : ['no longer in the table', '']
  // The ledger has one location per table: `--to` with another folder is refused.
  const elsewhere = 'put the rows into a table with another name, which gets its own archive'
  throw new SluiceError('PLAN_CHANGED', `the archive of ${name} is partitioned by ${timeColumn}, which is ${what}`, {
    where: name,
    hint: `${was}${elsewhere}`,
  })
}

/** @throws SluiceError BAD_FLAG */
export function refuseByValue({ table }: TableSpec, { byValue }: ArchivePlanOptions): void {
  if (byValue === undefined) return
  throw new SluiceError('BAD_FLAG', `${tableText(table)} is partitioned: its archive has the same partitions`, {
    where: tableText(table),
    hint: 'remove --by-value; it is for tables without partitions',
  })
}

/** @throws SluiceError UNSUPPORTED_URL if rows cannot be removed from this system */
export function requireRemoval(store: CopyStore): void {
  if (store.target().remove !== undefined && store.offers.times !== undefined) return
  throw new SluiceError('UNSUPPORTED_URL', `rows of ${store.system} cannot be archived`, { where: store.label })
}

/** @throws SluiceError UNSUPPORTED_URL, UNSUPPORTED_KEY if rows cannot be removed one by one */
export function refuseUnremovable(table: TableSpec, store: CopyStore): void {
  const name = tableText(table.table)
  requireRemoval(store)
  if (table.key.length > 0) return
  throw new SluiceError('UNSUPPORTED_KEY', `rows of ${name} cannot be distinguished: the table has no key`, {
    where: name,
    hint: 'give the table a primary key of whole numbers, decimals, texts, bytes or dates: rows are removed and restored by this key',
  })
}

/** @throws SluiceError BAD_FLAG if the command names a partition that neither table nor ledger has */
export function refuseUnknownPartitions(
  table: TableSpec,
  asked: readonly NamedPartition[],
  found: readonly PlannedPartition[],
  all: readonly { readonly label: string }[],
): void {
  const unknown = asked.filter((one) => !found.some((partition) => isAsked([one], plannedName(partition))))
  if (unknown.length === 0) return
  const there = all.map(({ label }) => label)
  const labels = unknown.map(({ label }) => label + nearestText(label, there)).join(', ')
  throw new SluiceError('BAD_FLAG', `${tableText(table.table)} has no partition ${labels}`, {
    hint: 'sluice archive plan without --partition lists them',
  })
}

/**
 * Refuses tables with inheritance children: their rows would be archived as rows of the table, and restored into it.
 * Notes if rows of the table are also read through its parents.
 * @throws SluiceError TABLE_REFUSED if other tables inherit from it
 */
export async function refuseChildTables(
  { table }: TableSpec,
  store: CopyStore,
  { emit, interrupt }: Pick<Run<'log'>, 'emit' | 'interrupt'>,
): Promise<void> {
  const inheritance = await store.offers.partitions?.inheritance(table, interrupt.abort)
  if (inheritance === undefined) return
  const { heirs, parents } = inheritance
  const name = tableText(table)
  if (heirs.length > 0) {
    throw new SluiceError(
      'TABLE_REFUSED',
      `${name} cannot be archived: ${heirs.map(tableText).join(', ')} inherit from it`,
      {
        where: name,
        reason: `a query or DELETE of ${name} also covers the rows of these tables, and an archived row does not record its table`,
        hint: `archive each of these tables separately, for example with --table ${shellQuote(tableText(heirs[0] ?? table))}; to archive ${name} itself, first run ALTER TABLE … NO INHERIT on each of them`,
      },
    )
  }
  if (parents.length === 0) return
  const names = parents.map(tableText).join(', ')
  const message = `it inherits from ${names}: rows that are archived and dropped are missing in ${names} too`
  emit({ type: 'log', level: 'note', table: name, message })
}
