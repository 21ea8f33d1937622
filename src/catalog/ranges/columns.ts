/** `delta_range_columns`: the columns of a table that have ranges, and how far these are built. */
import type { SqlReader } from '../../model/run/sql-port.ts'
import type { RangeClass } from './classes.ts'

export type RangeColumn = {
  readonly columnNo: number
  /** Logical name at the last build. */
  readonly name: string
  /**
   * Names in the files' stats, outermost first. A rename keeps these names; a new column with an old logical name has
   * other names.
   */
  readonly physicalPath: readonly string[]
  readonly kind: RangeClass
  /** Files up to this number that were added at or before `builtVersion` have ranges. */
  readonly builtTo: number
  readonly builtVersion: number
  /** Time of the request, ISO: changes if the column is dropped and requested again. */
  readonly createdAt: string
}

/** Files per row of `delta_range_zones`: the zone is the file number divided by this, rounded down. */
export const ZONE_FILES = 1_024

const RANGES_SINCE = 2

/** Columns of a table that have ranges; none in a catalog before migration 2. */
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

/** Finds the range column with these names in the files' stats; null if there is none. */
export function columnOf(columns: readonly RangeColumn[], physicalPath: readonly string[]): RangeColumn | null {
  const path = JSON.stringify(physicalPath)
  return columns.find((column) => JSON.stringify(column.physicalPath) === path) ?? null
}

/**
 * Number of the first file added after a version; null if none was. A new file can reuse a removed file's number, so
 * this can be below numbers that have ranges.
 * @returns `unknown` if the catalog no longer has all later commits
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

/** True if the catalog still has these range columns, unchanged. */
export async function areColumnsUnchanged(
  reader: SqlReader,
  tableId: string,
  columns: readonly RangeColumn[],
): Promise<boolean> {
  const now = new Map((await readColumns(reader, tableId)).map((column) => [column.columnNo, column]))
  return columns.every((column) => JSON.stringify(now.get(column.columnNo)) === JSON.stringify(column))
}
