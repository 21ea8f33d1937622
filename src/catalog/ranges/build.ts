/**
 * Builds and extends ranges in windows of some thousand files; each window is a transaction that writes the rows and
 * advances `built_to`. After a kill the build continues at `built_to`. Of two concurrent builders, one waits at the
 * update of `built_to` and then reads the columns again.
 */
import { leafColumns, schemaOf } from '../../delta/schema.ts'
import { statsReader } from '../../delta/stats.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import type { SqlDatabase, SqlReader, SqlTransaction, SqlValue } from '../../model/run/sql-port.ts'
import { stateAt } from '../query/state.ts'
import { rangeClassOf } from './classes.ts'
import { areColumnsUnchanged, firstFileAfter, rangeColumns, ZONE_FILES, type RangeColumn } from './columns.ts'
import { RangeRows } from './rows.ts'

export type ExtendOptions = {
  readonly signal?: AbortSignal
  /** Runs first in every transaction: renews a lease. */
  readonly guard?: (transaction: SqlTransaction) => Promise<void>
  /** Called after each window. @param files number of files read so far */
  readonly onProgress?: (files: number) => void
  /**
   * Number of file numbers per transaction. It is rounded down to whole zones, but is at least one zone. Smaller in
   * tests.
   */
  readonly windowFiles?: number
}

const WINDOW_FILES = 16 * ZONE_FILES
const PAGE_ROWS = 2_000

/**
 * Extends the ranges of a table to its current version. Costs at most three queries if there is nothing to build.
 * @returns files that were read
 * @throws SluiceError of the catalog; the signal's reason
 */
export async function extendRanges(
  database: SqlDatabase,
  tableId: string,
  options: ExtendOptions = {},
): Promise<number> {
  let files = 0
  const seen = (count: number): void => {
    files += count
    options.onProgress?.(files)
  }
  for (;;) {
    const behind = await incompleteColumns(database, tableId)
    if (behind === null) return files
    await extendTogether(database, tableId, behind, { ...options, seen })
  }
}

/** Range columns that do not cover all files of the table. */
type IncompleteColumns = {
  readonly columns: readonly RangeColumn[]
  readonly version: number
  /** Number of the table's last file. */
  readonly last: number
}

/** The columns that are furthest behind, all at the same position, or null if all are up to date. */
async function incompleteColumns(database: SqlDatabase, tableId: string): Promise<IncompleteColumns | null> {
  const columns = await rangeColumns(database, tableId)
  if (columns.length === 0) return null
  const [row] = await database.all(
    `SELECT t.current_version, (SELECT max(f.file_no) FROM delta_files f WHERE f.table_id = t.table_id)
     FROM delta_tables t WHERE t.table_id = ?`,
    [tableId],
  )
  const [version, last] = (row ?? [null, null]) as [number | null, number | null]
  if (version === null || last === null) return null
  const late = columns.filter(({ builtTo, builtVersion }) => builtVersion < version || builtTo < last)
  if (late.length === 0) return null
  const least = Math.min(...late.map(({ builtTo }) => builtTo))
  const first = late.find(({ builtTo }) => builtTo === least) as RangeColumn
  const together = late.filter((column) => column.builtTo === least && column.builtVersion === first.builtVersion)
  return { columns: together, version, last }
}

type Progress = ExtendOptions & { readonly seen: (files: number) => void }

async function extendTogether(
  database: SqlDatabase,
  tableId: string,
  { columns: before, version, last }: IncompleteColumns,
  options: Progress,
): Promise<void> {
  const begun = await beginAt(database, tableId, before, version, options)
  if (begun === null) return
  let { columns, from } = begun
  const zones = Math.max(1, Math.floor((options.windowFiles ?? WINDOW_FILES) / ZONE_FILES))
  while (from <= last) {
    if (options.signal !== undefined) throwIfAborted(options.signal)
    const [next] = await database.all('SELECT min(file_no) FROM delta_files WHERE table_id = ? AND file_no >= ?', [
      tableId,
      from,
    ])
    const first = (next?.[0] ?? null) as number | null
    if (first === null) break
    const start = zoneStart(first)
    const end = start + zones * ZONE_FILES - 1
    const rows = await readWindow(database, tableId, columns, start, end)
    const builtTo = Math.min(end, last)
    const moved = await writeWindow(database, tableId, columns, { rows, start, builtTo }, options)
    if (!moved) return
    options.seen(rows.files)
    columns = columns.map((column) => ({ ...column, builtTo }))
    from = end + 1
  }
}

/**
 * Records that the build begins at the zone of the first file without ranges, and deletes the ranges from there on. A
 * new file may have reused a removed file's number, so this zone may lie below `builtTo`. Null if another builder has
 * changed the columns.
 */
async function beginAt(
  database: SqlDatabase,
  tableId: string,
  before: readonly RangeColumn[],
  version: number,
  options: ExtendOptions,
): Promise<{ readonly columns: readonly RangeColumn[]; readonly from: number } | null> {
  const classes = await currentClasses(database, tableId, version)
  const columns = before.map((column) => {
    const current = classes.get(JSON.stringify(column.physicalPath))
    if (current === undefined) return { ...column, builtVersion: version }
    const isOther = current.kind !== null && current.kind !== column.kind
    // The column has another type now, so its stored keys are not comparable: build its ranges from the start.
    return {
      ...column,
      name: current.name,
      builtVersion: version,
      ...(isOther && current.kind !== null ? { kind: current.kind, builtTo: -1 } : {}),
    }
  })
  const [sample] = before as readonly [RangeColumn]
  const firstNew = await firstFileAfter(database, tableId, sample.builtVersion)
  const from = zoneStart(
    Math.min(...columns.map(({ builtTo }) => builtTo + 1), firstNew === 'unknown' ? 0 : (firstNew ?? Infinity)),
  )
  const wanted = columns.map((column) => ({ ...column, builtTo: Math.min(column.builtTo, from - 1) }))
  const isMoved = await database.write(
    async (transaction) => {
      await options.guard?.(transaction)
      for (const [i, column] of wanted.entries()) {
        const { columnNo, builtTo, builtVersion } = before[i] as RangeColumn
        const changed = await transaction.run(
          `UPDATE delta_range_columns SET built_to = ?, built_version = ?, kind = ?, name = ?
         WHERE table_id = ? AND column_no = ? AND built_to = ? AND built_version = ?`,
          [column.builtTo, column.builtVersion, column.kind, column.name, tableId, columnNo, builtTo, builtVersion],
        )
        // A server that counts only changed rows returns 0 for a row that already had these values.
        if (changed !== 1 && !(await areColumnsUnchanged(transaction, tableId, [column]))) return false
        await deleteFrom(transaction, tableId, columnNo, from)
      }
      return true
    },
    (reader) => areColumnsUnchanged(reader, tableId, wanted),
  )
  return isMoved ? { columns: wanted, from } : null
}

async function currentClasses(
  reader: SqlReader,
  tableId: string,
  version: number,
): Promise<ReadonlyMap<string, { readonly kind: ReturnType<typeof rangeClassOf>; readonly name: string }>> {
  const { protocol, metadata } = await stateAt(reader, tableId, version)
  if (protocol === null || metadata === null) return new Map()
  return new Map(
    leafColumns(schemaOf(protocol, metadata)).map(({ physicalPath, path, field }) => [
      JSON.stringify(physicalPath),
      { kind: rangeClassOf(field), name: path.join('.') },
    ]),
  )
}

async function readWindow(
  database: SqlDatabase,
  tableId: string,
  columns: readonly RangeColumn[],
  start: number,
  end: number,
): Promise<RangeRows> {
  const rows = new RangeRows(tableId, columns)
  const stats = statsReader(columns.map(({ physicalPath }) => physicalPath))
  const sql =
    'SELECT file_no, stats FROM delta_files WHERE table_id = ? AND file_no >= ? AND file_no <= ? ORDER BY file_no'
  for await (const page of database.pages(sql, [tableId, start, end], PAGE_ROWS)) {
    for (const [number, text] of page) {
      rows.add(number as number, text === null ? null : stats.read(text as string))
    }
  }
  return rows
}

async function writeWindow(
  database: SqlDatabase,
  tableId: string,
  columns: readonly RangeColumn[],
  window: { readonly rows: RangeRows; readonly start: number; readonly builtTo: number },
  options: ExtendOptions,
): Promise<boolean> {
  const moved = columns.map((column) => ({ ...column, builtTo: window.builtTo }))
  return database.write(
    async (transaction) => {
      await options.guard?.(transaction)
      for (const { columnNo, builtTo, builtVersion } of columns) {
        const changed = await transaction.run(
          `UPDATE delta_range_columns SET built_to = ?
         WHERE table_id = ? AND column_no = ? AND built_to = ? AND built_version = ?`,
          [window.builtTo, tableId, columnNo, builtTo, builtVersion],
        )
        if (changed !== 1) return false
      }
      await window.rows.load(transaction)
      return true
    },
    (reader) => areColumnsUnchanged(reader, tableId, moved),
  )
}

async function deleteFrom(transaction: SqlTransaction, tableId: string, columnNo: number, from: number): Promise<void> {
  const parameters: SqlValue[] = [tableId, columnNo, Math.floor(from / ZONE_FILES)]
  for (const relation of ['delta_file_ranges', 'delta_range_zones']) {
    await transaction.run(`DELETE FROM ${relation} WHERE table_id = ? AND column_no = ? AND zone_no >= ?`, parameters)
  }
}

function zoneStart(number: number): number {
  return Math.floor(number / ZONE_FILES) * ZONE_FILES
}
