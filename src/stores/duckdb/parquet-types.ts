/** Columns of a Parquet file as a tree, with DuckDB's type names, except for timestamps in local time. */
import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import type { ParquetColumn } from '../../model/lake/parquet-rows.ts'

/** DuckDB's names for timestamps without a zone. In Parquet, an INT96 is an instant, others are local times. */
const ZONELESS = /^TIMESTAMP(_S|_MS|_NS)?$/
/** Type name in sluice for a timestamp that the file declares as local time. */
export const LOCAL_TIMESTAMP = 'TIMESTAMP_LOCAL'

function columnOf(name: string, type: DuckDBType): ParquetColumn {
  const text = type.toString()
  if (!('entryNames' in type) || !text.startsWith('STRUCT')) return { name, type: text, fields: [] }
  const { entryNames, entryTypes } = type
  const fields = entryNames.map((field, i) => columnOf(field, entryTypes[i] as DuckDBType))
  return { name, type: 'STRUCT', fields }
}

/** Paths (names joined by NUL) of timestamps that the file declares as not adjusted to UTC. */
async function localTimestamps(connection: DuckDBConnection, source: string): Promise<ReadonlySet<string>> {
  const result = await connection.run(
    `SELECT name, coalesce(num_children, 0)::INTEGER, coalesce(logical_type, '') FROM parquet_schema(${source})`,
  )
  const found = new Set<string>()
  // Depth first: each group is followed by its children.
  const open: { readonly path: string; left: number }[] = []
  for (const [name, children, logical] of await result.getRows()) {
    while (open.length > 1 && open.at(-1)?.left === 0) open.pop()
    const parent = open.at(-1)
    if (parent !== undefined) parent.left--
    const path = parent === undefined ? '' : `${parent.path}\0${String(name)}`
    if (/isAdjustedToUTC=(0|false)/i.test(String(logical))) found.add(path)
    if (Number(children) > 0) open.push({ path, left: Number(children) })
  }
  return found
}

function withLocal(column: ParquetColumn, path: string, local: ReadonlySet<string>): ParquetColumn {
  const own = `${path}\0${column.name}`
  if (ZONELESS.test(column.type)) return local.has(own) ? { ...column, type: LOCAL_TIMESTAMP } : column
  return { ...column, fields: column.fields.map((field) => withLocal(field, own, local)) }
}

function hasZoneless(column: ParquetColumn): boolean {
  return ZONELESS.test(column.type) || column.fields.some(hasZoneless)
}

/** The columns of a file, without reading a row. `source` is an SQL literal. */
export async function parquetColumns(connection: DuckDBConnection, source: string): Promise<readonly ParquetColumn[]> {
  const empty = await connection.run(`SELECT * FROM read_parquet(${source}) LIMIT 0`)
  const types = empty.columnTypes()
  const columns = empty.columnNames().map((name, i) => columnOf(name, types[i] as DuckDBType))
  if (!columns.some(hasZoneless)) return columns
  const local = await localTimestamps(connection, source)
  return columns.map((column) => withLocal(column, '', local))
}
