/** The real tables of `../shared/tables`, and what their sources say of them. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import type { LogStore } from '../../src/model/log-store.ts'

export type Stated = {
  readonly version?: number
  readonly numFiles?: number
  readonly sizeBytes?: number
  readonly numRecords?: number
  readonly rows?: number
  readonly files?: readonly string[]
  readonly filesEqualDir?: boolean
  readonly tombstones?: number
  readonly txns?: number
  readonly txnVersion?: readonly [string, number]
  readonly minReaderVersion?: number
  readonly minWriterVersion?: number
}

type Replayed = {
  readonly error?: string
  readonly version: number
  readonly numFiles: number
  readonly sizeBytes: number
  readonly numRecords: number | null
  readonly tombstones: number
  readonly dvFiles: number
  readonly txns: number
  readonly domains: readonly string[]
  readonly minReaderVersion: number
  readonly minWriterVersion: number
  readonly readerFeatures: readonly string[] | null
  readonly writerFeatures: readonly string[] | null
  readonly metadataId: string
  readonly partitionColumns: readonly string[]
}

export type ExpectedTable = {
  readonly table: string
  readonly features: readonly string[]
  readonly checkpoints: readonly string[] | null
  readonly firstCommit: number | null
  readonly lastCommit: number | null
  readonly stated: {
    readonly latest?: Stated
    readonly versions?: Readonly<Record<string, Stated>>
    readonly must_fail?: boolean
    readonly reason?: string
    readonly computed_reject?: string
    readonly 'crc_by_version_[numFiles,tableSizeBytes]'?: Readonly<Record<string, readonly [number, number]>>
  }
  readonly replayed: Replayed | null
  readonly notes: string | null
}

const SHARED = process.env['SLUICE_SHARED'] ?? resolve(import.meta.dirname, '../../../shared')
export const TABLES = join(SHARED, 'tables')
const FILE = join(TABLES, 'expected.json')

/** Whether the tables are there. In CI their absence is a failure: reading the file then throws. */
export const HAVE_TABLES = existsSync(FILE) || process.env['CI'] !== undefined

export function expectedTables(): readonly ExpectedTable[] {
  return HAVE_TABLES ? (JSON.parse(readFileSync(FILE, 'utf8')) as ExpectedTable[]) : []
}

export function folderOf(table: string): string {
  const nested = join(TABLES, table, 'delta')
  return existsSync(join(nested, '_delta_log')) ? nested : join(TABLES, table)
}

export const NEVER = new AbortController().signal

const rows = duckdbParquetRows()
export const parquet = (): Promise<typeof rows> => Promise.resolve(rows)

export function storeOf(table: string): LogStore {
  return openLocalLog(folderOf(table))
}

export function openTable(table: string): Promise<DeltaTable> {
  return DeltaTable.open(storeOf(table), parquet, NEVER)
}
