/**
 * Archived periods of a plain table that have rows in the table too: rows that are being removed or restored, and late
 * rows. Archived rows are recognised by key.
 */
import { isByValue } from '../ledger/by-value.ts'
import { isAllRemoved, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import { asChangedCommand } from '../steps/refusals.ts'
import {
  columnIn,
  type ExcludedRange,
  type LeftOutRows,
  type QueryColumn,
  type QueryFile,
} from '../../model/archive/query-port.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import { unitsOf, unitsOfDay } from './units.ts'
import { countText } from '../../shared/figures.ts'

export type SharedPartition = {
  readonly label: string
  /**
   * Bounds of the partition. Null for a partition by value, and if only the source can compare the bounds: then rows
   * that were moved out of them are not detected.
   */
  readonly within: ExcludedRange | null
}

/** True if archived rows of the partition may be in the table too. After a drop, the table has only late rows. */
export function sharesRows({ native, state, restoring }: ArchivedPartition): boolean {
  return native === null && (state === 'DETACHED' || restoring)
}

/**
 * Partitions of `read` whose rows in the table can be compared with the archive by key, so that late rows are found.
 * Empty if archive or table lack a key column: then all rows between the bounds are treated as archived.
 */
export function sharedPartitions(
  table: TableSpec,
  record: ArchiveRecord | null,
  columns: readonly QueryColumn[],
  read: readonly ArchivedPartition[],
): readonly SharedPartition[] {
  return read.filter(sharesRows).flatMap((partition) => sharedPartition(table, record, columns, partition) ?? [])
}

/** As `sharedPartitions`, for one partition in any state; null if its rows cannot be compared by key. */
export function sharedPartition(
  table: TableSpec,
  record: ArchiveRecord | null,
  columns: readonly QueryColumn[],
  { label, from, to, native, columns: has }: ArchivedPartition,
): SharedPartition | null {
  const isThere = (name: string): boolean =>
    columns.some((one) => one.name === name && one.hot && one.archived && columnIn(has, one) !== undefined)
  const time = columns.find(({ name }) => name === record?.timeColumn)
  if (native !== null || time === undefined || !time.hot || table.key.length === 0 || !table.key.every(isThere))
    return null
  // A value has no bounds: rows are recognised only by key, even if they were changed to another value.
  if (record !== null && isByValue(record)) return { label, within: null }
  const within = isKnown(from, time) && isKnown(to, time) ? { column: time.name, from, to } : null
  return { label, within }
}

/**
 * Texts about table rows that the answer leaves out. They have keys of archived rows, although all archived rows of the
 * partition were removed from the table.
 */
export function unsettledRows(
  name: string,
  read: readonly ArchivedPartition[],
  shared: readonly SharedPartition[],
  leftOut: readonly LeftOutRows[],
): readonly string[] {
  return shared.flatMap(({ label }, i) => {
    const partition = read.find((one) => one.label === label)
    const rows = (leftOut[i]?.keyed ?? 0n) + (leftOut[i]?.moved ?? 0n)
    if (partition === undefined || partition.restoring || !isAllRemoved(partition) || rows === 0n) return []
    const what = `${countText(rows, 'row')} of the table with keys of archived rows of ${label}`
    return [
      `${what} ${rows === 1n ? 'was' : 'were'} left out: queries use the archived ones; to use those of the table instead: ${asChangedCommand(name, partition)}`,
    ]
  })
}

/** True if DuckDB can compare the column with the bound; null is an open bound. */
export function isKnown(bound: string | null, { stored }: QueryColumn): boolean {
  return bound === null ? unitsOfDay(stored) > 0n : unitsOf(bound, stored) !== null
}

/** Files of one partition. @param files files of all partitions in `read`, in the same order */
export function filesOf(
  label: string,
  read: readonly ArchivedPartition[],
  files: readonly QueryFile[],
): readonly QueryFile[] {
  let from = 0
  for (const partition of read) {
    const to = from + partition.files.length
    if (partition.label === label) return files.slice(from, to)
    from = to
  }
  return []
}
