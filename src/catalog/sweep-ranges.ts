/**
 * Deletes ranges of removed files. No query uses these ranges, but they take space. Bounds of zones are not changed: a
 * bound that is too wide never excludes a matching file.
 */
import type { SqlReader } from '../model/run/sql-port.ts'
import { rangeColumns, ZONE_FILES } from './ranges/columns.ts'
import { sweepReader, sweepStep, type CatalogSweep } from './sweep-step.ts'
import { countOf } from './count-rows.ts'

const OF_COLUMN = 'table_id = ? AND column_no = ?'

/** Removes the ranges of files that are no longer in the catalog. @returns how many */
export async function sweepRanges(at: CatalogSweep, stepRows: number): Promise<number> {
  const { tableId } = at
  const reader = sweepReader(at)
  const zones = Math.max(1, Math.floor(stepRows / ZONE_FILES))
  let gone = 0
  for (const { columnNo } of await rangeColumns(reader, tableId)) {
    const [bounds] = await reader.all(`SELECT min(zone_no), max(zone_no) FROM delta_file_ranges WHERE ${OF_COLUMN}`, [
      tableId,
      columnNo,
    ])
    const [first, last] = (bounds ?? [null, null]) as readonly [number | null, number | null]
    if (first === null || last === null) continue
    for (let zone = first; zone <= last; zone += zones) {
      gone += await sweepStep(at, (transaction) =>
        transaction.run(
          `DELETE FROM delta_file_ranges WHERE ${OF_COLUMN} AND zone_no >= ? AND zone_no < ? AND NOT EXISTS (
             SELECT 1 FROM delta_files f WHERE f.table_id = delta_file_ranges.table_id AND f.file_no = delta_file_ranges.file_no)`,
          [tableId, columnNo, zone, zone + zones],
        ),
      )
    }
  }
  return gone
}

/**
 * Number of ranges of files that were added before a version and removed at or before it, or are no longer in the
 * catalog.
 */
export async function rangesBelow(reader: SqlReader, tableId: string, below: number): Promise<number> {
  if ((await rangeColumns(reader, tableId)).length === 0) return 0
  return await countOf(
    reader,
    `delta_file_ranges r WHERE r.table_id = ? AND NOT EXISTS (
       SELECT 1 FROM delta_files f WHERE f.table_id = r.table_id AND f.file_no = r.file_no
         AND (f.added_version >= ? OR f.removed_version IS NULL OR f.removed_version > ?))`,
    [tableId, below, below],
  )
}
