/** The real tables of `../shared/tables`, and what their sources say of them. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ALL } from '../support/backend.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'

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

/** More files than that make a table whose point is its size. */
const HUGE_FILES = 50_000

export function isHuge({ replayed }: ExpectedTable): boolean {
  return (replayed?.numFiles ?? 0) > HUGE_FILES
}

/** Those whose point is not their size, which one suite reads and imports in every run: the catalog's on SQLite. All of them with `SLUICE_TEST_ALL`. */
export function handy(tables: readonly ExpectedTable[]): readonly ExpectedTable[] {
  return ALL ? tables : tables.filter((table) => !isHuge(table))
}

/**
 * Of many tables those with a feature or a form of checkpoint that none before them has, and every nth of the others; none whose point is its size.
 * All of them with `SLUICE_TEST_ALL`. Every table is read and imported elsewhere; here it is asked of each kind whether something holds for it.
 */
export function representative(tables: readonly ExpectedTable[], every: number): readonly ExpectedTable[] {
  if (ALL) return tables
  const seen = new Set<string>()
  let others = 0
  return tables.filter((table) => {
    if (isHuge(table)) return false
    const kinds = [...table.features, ...(table.checkpoints ?? []).map((form) => `checkpoint ${form}`)]
    const before = seen.size
    for (const kind of kinds) seen.add(kind)
    return seen.size > before || others++ % every === 0
  })
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
