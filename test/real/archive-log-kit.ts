/** Archives for tests of their logs: real Parquet files in their folders, and the tables that they are published in. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ArchiveTable } from '../../src/archive/log/archive-table.ts'
import type { ArchiveTableParts } from '../../src/archive/log/read-state.ts'
import { TokenLedger } from '../../src/archive/ledger/token-ledger.ts'
import { prepareArchiveLedger } from '../../src/archive/ledger/schema.ts'
import type { TokenStore } from '../../src/archive/log/ownership-token.ts'
import { partitionFolder } from '../../src/archive/log/data-path.ts'
import type { Publication } from '../../src/archive/steps/log.ts'
import type { InspectedFile } from '../../src/model/archive/archived-file.ts'
import type { StoredColumn, StoredTable, StoredType } from '../../src/model/archive/stored-column.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { duckdbCheckpointWriter } from '../../src/stores/duckdb/checkpoint-writer.ts'
import { identifier, sqlLiteral, openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { openLocalLogWriter } from '../../src/stores/local/log-writer.ts'
import { sharedLedger } from '../support/shared-ledger.mjs'

export const NEVER = new AbortController().signal
export const TABLE_ID = '5fba94ed-9794-4965-ba6e-6ee3c0d22af9'

export function column(name: string, stored: StoredType, more: Partial<StoredColumn> = {}): StoredColumn {
  return {
    name,
    physical: name,
    column: { name, type: { kind: 'text' }, native: 'text', nullable: true },
    as: { kind: 'text' },
    stored,
    ...more,
  }
}

export const STORED: StoredTable = {
  columns: [
    column('id', 'long', {
      column: { name: 'id', type: { kind: 'int', bits: 64 }, native: 'bigint', nullable: false },
    }),
    column('note', 'string', { comment: 'what "they" said' }),
  ],
  partitionColumn: 'quarter',
  mapped: false,
  sortBy: ['id'],
}

/**
 * Ownership tokens of a ledger in SQLite, which is opened when it is first used. @param name programs with the same
 * name share a ledger
 */
export function headsOf(name: string): TokenStore {
  const opened = ledgerOf(name)
  return {
    name: async () => (await opened()).name(),
    read: async () => (await opened()).read(),
    intend: async (intent) => (await opened()).intend(intent),
    recordWritten: async (head, version) => (await opened()).recordWritten(head, version),
    checksums: async () => (await opened()).checksums(),
    forget: async (versions) => (await opened()).forget(versions),
  }
}

const ledgers = new Map<string, Promise<TokenLedger>>()

function ledgerOf(name: string): () => Promise<TokenLedger> {
  return () => {
    const known = ledgers.get(name)
    if (known !== undefined) return known
    const made = (async () => {
      mkdirSync(dirname(name), { recursive: true })
      const database = sharedLedger(`${name}.ledger.db`)
      await prepareArchiveLedger(database)
      return new TokenLedger(database, { name: 'bookings' }, { id: 'test', runId: 1n })
    })()
    ledgers.set(name, made)
    return made
  }
}

export type Made = { readonly folder: string; readonly table: ArchiveTable; readonly notes: readonly string[] }

export function localTable(folder: string, parts: Partial<ArchiveTableParts> = {}): Made {
  const notes: string[] = []
  const table = ArchiveTable.open({
    store: openLocalLog(folder),
    writer: openLocalLogWriter(folder),
    parquet: parquetRows,
    checkpoints: duckdbCheckpointWriter(),
    heads: headsOf(folder),
    now: () => Date.now(),
    tool: '0.0.0-test',
    note: (text) => void notes.push(text),
    ...parts,
  })
  return { folder, table, notes }
}

let engine: ReturnType<typeof openDuckDb> | null = null
let written = 0

/** Writes a Parquet file of one row to its path. */
export async function dataFile(
  folder: string,
  partition: string,
  name: string,
  id = 2n ** 63n - 1n,
  stored: StoredTable = STORED,
): Promise<InspectedFile> {
  const path = `${partitionFolder(stored.partitionColumn, partition)}/${name}.parquet`
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  const [first, second] = stored.columns.map(({ physical }) => physical) as [string, string]
  const { connection } = await (engine ??= openDuckDb({ threads: 1, memoryLimit: '256MB' }))
  // COPY would treat special characters of a name as a pattern.
  const plain = join(folder, `.written-${written++}`)
  const row = `SELECT ${id}::BIGINT AS ${identifier(first)}, 'n' AS ${identifier(second)}`
  await connection.run(`COPY (${row}) TO ${sqlLiteral(plain)} (FORMAT parquet)`)
  renameSync(plain, file)
  return {
    name: path,
    bytes: BigInt(statSync(file).size),
    rows: 1n,
    sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
    digest: { rows: 1n, sum: '00000000000000ff' },
    stats: {
      numRecords: 1n,
      min: { [first]: String(id), [second]: '"n"' },
      max: { [first]: String(id), [second]: '"n"' },
      nullCount: { [first]: 0n, [second]: 0n },
    },
    extents: {},
  }
}

export function publication(
  partition: string,
  files: readonly InspectedFile[],
  fence = 1n,
  more: Partial<Publication> = {},
): Publication {
  return {
    tableId: TABLE_ID,
    stored: STORED,
    name: 'bookings',
    configuration: { 'sluice.source': 'postgresql://db/shop public.bookings' },
    partition,
    files,
    tags: ({ sha256, digest }) => ({ 'sluice.sha256': sha256, 'sluice.sum': digest.sum }),
    info: { sluicePartition: partition },
    txn: { appId: `sluice/${TABLE_ID}/${partition}`, version: fence },
    known: null,
    claim: null,
    ...more,
  }
}

/** The `SluiceError` that a promise is rejected with; fails if it is not rejected. */
export async function refusalOf(promise: Promise<unknown>): Promise<SluiceError> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  if (outcome instanceof SluiceError) return outcome
  throw outcome ?? new Error('nothing was thrown')
}
