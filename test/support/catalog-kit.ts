/**
 * Helpers of catalog tests: write logs from plain actions, import them into a file, and print a catalog as comparable
 * text.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { prepareCatalog } from '../../src/catalog/catalog.ts'
import { importTable, type ImportOptions, type ImportResult } from '../../src/catalog/import/import-table.ts'
import { FileIndexes } from '../../src/catalog/import/indexes.ts'
import { dialectOf } from '../../src/catalog/dialect.ts'
import type { CatalogLeaseHolder } from '../../src/catalog/lease.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { BACKEND, ON_SERVER, openAt } from './backend.ts'
import { NOBODYS_PID } from './lease-owners.ts'

export type Folder = Disposable & { readonly path: string }

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export type Line = Readonly<Record<string, unknown>>

export const PROTOCOL: Line = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } }
export const METADATA: Line = {
  metaData: {
    id: '5fba94ed-9794-4965-ba6e-6ee3c0d22af9',
    format: { provider: 'parquet', options: {} },
    schemaString:
      '{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"day","type":"date","nullable":true,"metadata":{}}]}',
    partitionColumns: ['day'],
    configuration: {},
    createdTime: 1587968585495,
  },
}

export function add(path: string, more: Line = {}): Line {
  return {
    add: {
      path,
      partitionValues: { day: '2024-01-01' },
      size: 100,
      modificationTime: 1_700_000_000_000,
      dataChange: true,
      ...more,
    },
  }
}

export function remove(path: string, more: Line = {}): Line {
  return { remove: { path, deletionTimestamp: 1_700_000_000_001, dataChange: true, ...more } }
}

/** Writes commits with file times one second apart, as `_delta_log` below `table`. */
export function writeLog(table: string, commits: readonly (readonly Line[])[], firstVersion = 0): void {
  const folder = join(table, '_delta_log')
  mkdirSync(folder, { recursive: true })
  commits.forEach((lines, i) => {
    const file = join(folder, commitName(firstVersion + i))
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    const seconds = 1_700_000_000 + firstVersion + i
    utimesSync(file, seconds, seconds)
  })
}

let importIds = 0n

/** A new lease owner, in this process unless `more` overrides it. */
export function holderOf(command: string, more: Partial<CatalogLeaseHolder> = {}): CatalogLeaseHolder {
  return { ...newOwner('here'), command, ...more }
}

/** For `holderOf`: a lease owner whose process has ended. */
export const ENDED: Partial<CatalogLeaseHolder> = { pid: NOBODYS_PID }

/** Imports a table folder into an open catalog. */
export async function importInto(
  database: SqlDatabase,
  table: string,
  more: Partial<ImportOptions> = {},
): Promise<ImportResult> {
  const indexes = new FileIndexes(database)
  const result = await importTable({
    database,
    indexes,
    log: openLocalLog(table),
    parquet: parquetRows,
    tableId: 't',
    batchSize: 10_000,
    allowRefused: false,
    interrupt: NEVER,
    clock: systemClock,
    holder: holderOf('test'),
    waitMs: 0,
    importId: String(1_700_000_000_000_000_000n + ++importIds),
    onStart: () => undefined,
    onProgress: () => undefined,
    onNote: () => undefined,
    ...more,
  })
  await indexes.finish()
  return result
}

/** Opens the catalog for `file`, ready for imports. If the file does not exist, it is a copy of an empty catalog. */
export async function openCatalog(file: string): Promise<SqlDatabase> {
  if (!ON_SERVER && !existsSync(file) && existsSync(dirname(file))) {
    emptyCatalog ??= makeEmptyCatalog()
    copyFileSync(await emptyCatalog, file)
  }
  const database = await openAt(file, 'write')
  await prepareCatalog(database, 0)
  return database
}

/** Creating a catalog takes several times as long as copying it. */
let emptyCatalog: Promise<string> | null = null

/** Created once per run. If several test files come at the same time, each creates one, and all are equal. */
async function makeEmptyCatalog(): Promise<string> {
  const run = process.env['SLUICE_TEST_FOLDER'] ?? mkdtempSync(join(tmpdir(), 'sluice-empty-'))
  const template = join(run, `empty.${BACKEND}`)
  if (existsSync(template)) return template
  const file = `${template}-${process.pid}`
  const database = await openAt(file, 'write')
  await prepareCatalog(database, 0)
  await database.close()
  renameSync(file, template)
  return template
}

const DUMPED: Readonly<Record<string, string>> = {
  delta_tables: `table_id, metadata_id, name, current_version, history_from, current_commit_time, "cursor", num_files, num_bytes, num_records,
    protocol, "schema", partition_columns, configuration, refused`,
  delta_commits: '*',
  delta_partitions: '*',
  delta_files: '*',
  delta_actions: '*',
  delta_metadata: '*',
  delta_protocols: '*',
  delta_txns: '*',
  delta_domains: '*',
  migration_status: 'table_id, status, version, error_message',
}

/** The contents of a catalog without times, run ids and audit rows: equal texts mean equal catalogs. */
export async function dumpCatalog(database: SqlDatabase): Promise<string> {
  const parts: string[] = []
  for (const [relation, columns] of Object.entries(DUMPED)) {
    const rows = await database.all(`SELECT ${columns} FROM ${relation}`)
    const texts = rows.map((row) =>
      JSON.stringify(
        row.map((value) =>
          value instanceof Uint8Array
            ? Buffer.from(value).toString('hex')
            : typeof value === 'bigint'
              ? `${value}n`
              : value,
        ),
      ),
    )
    parts.push(`${relation}\n${texts.toSorted().join('\n')}`)
  }
  // Whether the catalog has statistics depends on how much was loaded in one import.
  const objects = (await database.all(dialectOf(database).objectNames))
    .map(([name]) => String(name))
    .filter((name) => !name.startsWith('sqlite_stat'))
    .toSorted()
  parts.push(JSON.stringify(objects))
  return parts.join('\n')
}
