/** Which store answers for which path or URL. Every implementation is loaded when it is first asked for, and not before. */
import type { LakeStore } from '../model/lake-store.ts'
import { parseLakeUrl } from '../model/lake-url.ts'
import type { LogStore } from '../model/log-store.ts'
import type { ParquetFooters } from '../model/parquet-footers.ts'
import type { ParquetRows } from '../model/parquet-rows.ts'
import type { OpenMode, SqlDatabase } from '../stores/port.ts'
import type { Route } from '../stores/route.ts'
import { SluiceError } from '../shared/errors.ts'
import { parseCatalogUrl } from './catalog-url.ts'
import { looksLikeFolder } from './lake/folder.ts'

/**
 * The log of a table: a folder of this machine, or a prefix of a bucket.
 * @param options.route the way to the store of a bucket
 * @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG
 */
export async function openLake(path: string, options: { readonly route?: Route | undefined } = {}): Promise<LogStore> {
  const place = parseLakeUrl(path)
  if (place.kind === 's3') return (await import('../stores/s3/index.ts')).openS3Log(path, options)
  return (await import('../stores/local/index.ts')).openLocalLog(place.path)
}

/** A folder or prefix with tables below it. @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, NO_SUCH_PATH */
export async function openLakeStore(path: string): Promise<LakeStore> {
  const place = parseLakeUrl(path)
  if (place.kind === 's3') return (await import('../stores/s3/index.ts')).openS3Lake(path)
  return (await import('../stores/local/lake.ts')).openLocalLake(place.path)
}

let parquet: Promise<ParquetRows> | null = null

/** Reads Parquet through DuckDB, which is loaded by the first call. */
export function parquetRows(): Promise<ParquetRows> {
  parquet ??= import('../stores/duckdb/parquet-rows.ts').then(({ duckdbParquetRows }) => duckdbParquetRows())
  return parquet
}

let footers: Promise<ParquetFooters> | null = null

/** Footers and rows of data files through DuckDB, which is loaded by the first call. */
export function parquetFooters(): Promise<ParquetFooters> {
  footers ??= import('../stores/duckdb/parquet-footers.ts').then(({ duckdbFooters }) => duckdbFooters())
  return footers
}

export type CatalogOptions = {
  /** The way to a database server. */
  readonly route?: Route | undefined
  /** Of a DuckDB file. */
  readonly duckdbThreads?: number
}

/** The database of a catalog. In `read` mode nothing is created. @throws SluiceError CONNECT_FAILED, BAD_CONFIG … */
export async function openCatalogDatabase(
  url: string,
  mode: OpenMode,
  options: CatalogOptions = {},
): Promise<SqlDatabase> {
  const { route, duckdbThreads: threads } = options
  const parsed = parseCatalogUrl(url)
  if ('url' in parsed) {
    if (parsed.kind === 'postgresql')
      return (await import('../stores/postgresql/sql-database.ts')).openPostgres(parsed.url, mode, { route })
    return (await import('../stores/mysql/sql-database.ts')).openMysql(parsed.url, mode, { route })
  }
  const { kind, file, label } = parsed
  // SQLite itself would call it an I/O error, and send people to look at the disk.
  if (looksLikeFolder(file)) {
    throw new SluiceError('BAD_CONFIG', 'the database URL names a folder, not a file', {
      where: label,
      hint: 'add the name of a file to it, such as catalog.db',
    })
  }
  if (kind === 'duckdb')
    return (await import('../stores/duckdb/sql-database.ts')).openDuckdb(file, mode, {
      label,
      ...(threads === undefined ? {} : { threads }),
    })
  return (await import('../stores/sqlite/sql-database.ts')).openSqlite(file, mode, label)
}

/** A fresh DuckDB in memory, for the validator's own replay. */
export async function scratchDatabase(): Promise<SqlDatabase> {
  const { openDuckdb } = await import('../stores/duckdb/sql-database.ts')
  return openDuckdb(':memory:', 'write')
}
