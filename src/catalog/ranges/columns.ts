/** `delta_range_columns`: which columns of a table have ranges, and how far those go. */
import type { SqlReader } from '../../model/run/sql-port.ts'
import type { RangeClass } from './classes.ts'

export type RangeColumn = {
  readonly columnNo: number
  /** Logical name when the ranges were last built. */
  readonly name: string
  /** Names in the files' stats from the outside in: what a rename does not change, and a new column of an old name does not share. */
  readonly physicalPath: readonly string[]
  readonly kind: RangeClass
  /** Files up to this number that were added at or before `builtVersion` have ranges. */
  readonly builtTo: number
  readonly builtVersion: number
  /** When it was asked for, ISO: tells it from one that was dropped and asked for again. */
  readonly createdAt: string
}

/** Files of one entry of `delta_range_zones`: those whose numbers have the same quotient by this. */
export const ZONE_FILES = 1_024

const RANGES_SINCE = 2

/** Columns of a table that have ranges; none in a catalog from before there were ranges. */
export async function rangeColumns(reader: SqlReader, tableId: string): Promise<readonly RangeColumn[]> {
  const [migrated] = await reader.all('SELECT version FROM catalog_migrations WHERE version = ?', [RANGES_SINCE])
  return migrated === undefined ? [] : readColumns(reader, tableId)
}

async function readColumns(reader: SqlReader, tableId: string): Promise<readonly RangeColumn[]> {
  const rows = await reader.all(
    `SELECT column_no, name, physical_path, kind, built_to, built_version, created_at FROM delta_range_columns
     WHERE table_id = ? ORDER BY column_no`,
    [tableId],
  )
  return rows.map((row) => {
    const [columnNo, name, path, kind, builtTo, builtVersion, createdAt] = row as [
      number,
      string,
      string,
      RangeClass,
      number,
      number,
      string,
    ]
    return { columnNo, name, physicalPath: JSON.parse(path) as string[], kind, builtTo, builtVersion, createdAt }
  })
}

/** The ranges of a column, by the names in the files' stats. */
export function columnOf(columns: readonly RangeColumn[], physicalPath: readonly string[]): RangeColumn | null {
  const path = JSON.stringify(physicalPath)
  return columns.find((column) => JSON.stringify(column.physicalPath) === path) ?? null
}

/**
 * Number of the first file that came after a version; null when none did. A removed file's number may be given to a new one, so this can be below
 * numbers that have ranges.
 * @returns `unknown` when the catalog no longer holds all the commits since
 */
export async function firstFileAfter(
  reader: SqlReader,
  tableId: string,
  version: number,
): Promise<number | null | 'unknown'> {
  const [row] = await reader.all(
    'SELECT min(version), min(first_file_no) FROM delta_commits WHERE table_id = ? AND version > ?',
    [tableId, version],
  )
  const [next, first] = (row ?? [null, null]) as [number | null, number | null]
  return next !== null && next !== version + 1 ? 'unknown' : first
}

/** Whether columns that have ranges stand in the catalog exactly so. */
export async function columnsStand(
  reader: SqlReader,
  tableId: string,
  columns: readonly RangeColumn[],
): Promise<boolean> {
  const now = new Map((await readColumns(reader, tableId)).map((column) => [column.columnNo, column]))
  return columns.every((column) => JSON.stringify(now.get(column.columnNo)) === JSON.stringify(column))
}
