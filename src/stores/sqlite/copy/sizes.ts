/** Sizes of tables, without reading a large file. */
import type Database from 'better-sqlite3'
import { quote } from '../../common/sqlite-dialect/ddl.ts'

export type Size = { readonly rows: bigint; readonly bytes: bigint }

/** Files up to this size are read in milliseconds. */
const SMALL_BYTES = 32 * 1024 * 1024

/**
 * Exact sizes for files up to `SMALL_BYTES`. For larger files, estimates from the statistics of ANALYZE, and 0 rows for
 * a table without statistics.
 */
export function sizesOf(
  connection: Database.Database,
  all: readonly string[],
  chosen: readonly string[],
): ReadonlyMap<string, Size> {
  const [pages, pageSize] = connection
    .prepare('SELECT page_count, page_size FROM pragma_page_count, pragma_page_size')
    .raw(true)
    .get() as readonly [number, number]
  const fileBytes = pages * pageSize
  if (fileBytes <= SMALL_BYTES) return counted(connection, chosen)
  const estimates = analyzed(connection)
  const known = all.reduce((sum, name) => sum + (estimates.get(name) ?? 0n), 0n)
  return new Map(
    chosen.map((name) => {
      const rows = estimates.get(name) ?? 0n
      // The file size is divided in proportion to the estimated rows.
      const bytes = known > 0n ? (BigInt(fileBytes) * rows) / known : BigInt(Math.ceil(fileBytes / all.length))
      return [name, { rows, bytes }]
    }),
  )
}

function counted(connection: Database.Database, names: readonly string[]): ReadonlyMap<string, Size> {
  const pages = connection.prepare('SELECT sum(pgsize) FROM dbstat WHERE name = ?').pluck().safeIntegers(true)
  return new Map(
    names.map((name) => {
      const rows = connection
        .prepare(`SELECT count(*) FROM ${quote(name)}`)
        .pluck()
        .safeIntegers(true)
        .get() as bigint
      return [name, { rows, bytes: (pages.get(name) as bigint | null) ?? 0n }]
    }),
  )
}

/**
 * Rows by table, from sqlite_stat1. The first number of `stat` is the row count of an index. A partial index has fewer
 * rows than the table, so the largest count is used.
 */
function analyzed(connection: Database.Database): ReadonlyMap<string, bigint> {
  const present = connection.prepare(`SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_stat1'`).get() !== undefined
  if (!present) return new Map()
  const rows = connection.prepare('SELECT tbl, stat FROM main.sqlite_stat1').raw(true).all() as (readonly [
    string,
    string | null,
  ])[]
  const most = new Map<string, bigint>()
  for (const [table, stat] of rows) {
    const count = /^\d+/.exec(stat ?? '')?.[0]
    if (count !== undefined && BigInt(count) > (most.get(table) ?? -1n)) most.set(table, BigInt(count))
  }
  return most
}
