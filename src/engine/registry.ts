/** Which store answers for which path or URL. Every implementation is loaded when it is first asked for, and not before. */
import type { LogStore } from '../model/log-store.ts'
import type { ParquetRows } from '../model/parquet-rows.ts'
import type { OpenMode, SqlDatabase } from '../stores/port.ts'
import { SluiceError } from '../shared/errors.ts'
import { parseCatalogUrl } from './catalog-url.ts'
import { looksLikeFolder } from './lake/folder.ts'

/** A folder that holds a Delta table. Object stores come with a later release. @throws SluiceError UNSUPPORTED_URL */
export async function openLake(path: string): Promise<LogStore> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[1]?.toLowerCase()
  if (scheme !== undefined && scheme !== 'file') {
    throw new SluiceError('UNSUPPORTED_URL', `tables in ${scheme}:// cannot be read yet`, {
      where: path,
      hint: 'give the path of a folder on this machine',
    })
  }
  const { openLocalLog } = await import('../stores/local/index.ts')
  return openLocalLog(scheme === 'file' ? decodeURIComponent(new URL(path).pathname) : path)
}

let parquet: Promise<ParquetRows> | null = null

/** Reads Parquet through DuckDB, which is loaded by the first call. */
export function parquetRows(): Promise<ParquetRows> {
  parquet ??= import('../stores/duckdb/parquet-rows.ts').then(({ duckdbParquetRows }) => duckdbParquetRows())
  return parquet
}

/** The database of a catalog. In `read` mode nothing is created. @throws SluiceError CONNECT_FAILED, BAD_CONFIG … */
export async function openCatalogDatabase(url: string, mode: OpenMode): Promise<SqlDatabase> {
  const { file, label } = parseCatalogUrl(url)
  // SQLite itself would call it an I/O error, and send people to look at the disk.
  if (looksLikeFolder(file)) {
    throw new SluiceError('BAD_CONFIG', 'the database URL names a folder, not a file', {
      where: label,
      hint: 'add the name of a file to it, such as catalog.db',
    })
  }
  const { openSqlite } = await import('../stores/sqlite/sql-database.ts')
  return openSqlite(file, mode, label)
}

/** A fresh DuckDB in memory, for the validator's own replay. */
export async function scratchDatabase(): Promise<SqlDatabase> {
  const { openDuckdb } = await import('../stores/duckdb/sql-database.ts')
  return openDuckdb(':memory:', 'write')
}
