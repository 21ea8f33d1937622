/** Parquet, and SQL over Parquet: one engine does both, and is loaded on the first call. */
import type { WriteAnswer } from '../model/run/answer-file.ts'
import type { CheckpointWriter } from '../model/lake/checkpoint-writer.ts'
import type { OpenArchiveQuery } from '../model/archive/query-port.ts'
import type { ParquetFiles } from '../model/archive/parquet-port.ts'
import type { ParquetFooters } from '../model/lake/parquet-footers.ts'
import type { ParquetRows } from '../model/lake/parquet-rows.ts'
import type { ParquetFilesOptions } from './duckdb/archive/index.ts'
import type { SqlDatabase } from '../model/run/sql-port.ts'

let rows: Promise<ParquetRows> | null = null
let footers: Promise<ParquetFooters> | null = null

/** Rows of checkpoints. */
export function parquetRows(): Promise<ParquetRows> {
  rows ??= import('./duckdb/parquet-rows.ts').then(({ duckdbParquetRows }) => duckdbParquetRows())
  return rows
}

/** Footers and rows of data files. */
export function parquetFooters(): Promise<ParquetFooters> {
  footers ??= import('./duckdb/parquet-footers.ts').then(({ duckdbFooters }) => duckdbFooters())
  return footers
}

/** Writes checkpoints of a log. */
export async function checkpointWriter(): Promise<CheckpointWriter> {
  return (await import('./duckdb/checkpoint-writer.ts')).duckdbCheckpointWriter()
}

/** Writes and reads the files of archives. @throws SluiceError TARGET_IO if the folder cannot be created */
export async function openParquetFiles(options: ParquetFilesOptions): Promise<ParquetFiles> {
  return await (await import('./duckdb/archive/index.ts')).openDuckdbParquetFiles(options)
}

/** One query over hot and archived rows. @throws as in `OpenArchiveQuery` */
export const openArchiveQuery: OpenArchiveQuery = async (request) =>
  (await import('./duckdb/archive-query/index.ts')).openDuckdbArchiveQuery(request)

/** Writes result rows to a file. @throws as in `WriteAnswer` */
export const writeAnswer: WriteAnswer = async (file) =>
  (await import('./duckdb/answer-file.ts')).writeDuckdbAnswer(file)

/** An empty database in memory, for the validator's own replay. */
export async function scratchDatabase(): Promise<SqlDatabase> {
  return await (await import('./duckdb/sql-database.ts')).openDuckdb(':memory:', 'write')
}
