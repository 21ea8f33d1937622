/** Archived periods of a plain table whose rows are partly in the table too: on their way out, on their way back, or late. They are told by key. */
import { isByValue } from '../ledger/by-value.ts'
import { isAllRemoved, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import { asChangedCommand } from '../steps/refusals.ts'
import {
  columnIn,
  type Excepted,
  type LeftOut,
  type QueryColumn,
  type QueryFile,
} from '../../model/archive/query-port.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import { unitsOf, unitsOfDay } from './units.ts'
import { countText } from '../../shared/figures.ts'

export type SharedPartition = {
  readonly label: string
  /** Null where only the source can compare its bounds: then nobody can say which rows were moved out of them. */
  readonly within: Excepted | null
}

/** Whether archived rows of the partition may stand in the table as well. After a drop only late rows do. */
export function sharesRows({ native, state, restoring }: ArchivedPartition): boolean {
  return native === null && (state === 'DETACHED' || restoring)
}

/**
 * Partitions of `read` whose rows in the table are told from those in the archive by key, so that rows that came later are seen. None where the archive
 * or the table lacks a column of the key: then all rows between the bounds are the archive's.
 */
export function sharedPartitions(
  table: TableSpec,
  record: ArchiveRecord | null,
  columns: readonly QueryColumn[],
  read: readonly ArchivedPartition[],
): readonly SharedPartition[] {
  return read.filter(sharesRows).flatMap((partition) => sharedPartition(table, record, columns, partition) ?? [])
}

/** The same of one partition, whatever its state; null where its rows cannot be told by key. */
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
  // A value has no bounds: keys alone tell its rows, also one that somebody has moved to another value meanwhile.
  if (record !== null && isByValue(record)) return { label, within: null }
  const within = isKnown(from, time) && isKnown(to, time) ? { column: time.name, from, to } : null
  return { label, within }
}

/** Rows that were left out, of partitions whose archived rows had all left the table: others stand there under their keys. In words. */
export function unsettledRows(
  name: string,
  read: readonly ArchivedPartition[],
  shared: readonly SharedPartition[],
  leftOut: readonly LeftOut[],
): readonly string[] {
  return shared.flatMap(({ label }, i) => {
    const partition = read.find((one) => one.label === label)
    const rows = (leftOut[i]?.keyed ?? 0n) + (leftOut[i]?.moved ?? 0n)
    if (partition === undefined || partition.restoring || !isAllRemoved(partition) || rows === 0n) return []
    const what = `${countText(rows, 'row')} of the table under keys of archived rows of ${label}`
    return [
      `${what} ${rows === 1n ? 'was' : 'were'} left out: the archived ones count until it is said that those of the table do: ${asChangedCommand(name, partition)}`,
    ]
  })
}

/** Whether DuckDB can compare the column with the bound; null is open. */
export function isKnown(bound: string | null, { stored }: QueryColumn): boolean {
  return bound === null ? unitsOfDay(stored) > 0n : unitsOf(bound, stored) !== null
}

/** Of the files of `read`, in their order, those of one partition. */
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
