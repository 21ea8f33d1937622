/**
 * A ledger of version 1 is migrated to the newest version in place, even after a kill and with several programs at
 * once.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tables } from '../../src/engine/copy/ledger/columns.ts'
import { hasLedger, LEDGER_VERSION, prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { isLedgerTable } from '../../src/stores/common/ledger-tables.ts'
import { STEPS } from '../../src/engine/copy/ledger/steps.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { ledgerDialect } from '../../src/stores/ledger-dialect.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1', 'cassandra'] as const
/** Columns of version 2 and of version 3. */
const LATE = [
  'surplus',
  'target_mark',
  'alive_until',
  'machine',
  'process_started',
  'planner_host',
  'planner_pid',
  'planner_machine',
  'planner_started',
]

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-ledger-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Opened = { readonly store: CopyStore; readonly url: string }

async function opened(system: (typeof SYSTEMS)[number]): Promise<Opened> {
  const { url } = system === 'cassandra' ? await newKeyspace() : await makePlace(system, folder)
  return { url, store: await openCopyStore(url, { mode: 'write' }) }
}

async function run(ledger: LedgerDatabase, ...statements: readonly string[]): Promise<void> {
  for (const sql of statements) await ledger.batch([{ sql, parameters: [] }])
}

/** A ledger as the program of version 1 made it, with a chunk that it completed. */
async function versionOne(ledger: LedgerDatabase): Promise<void> {
  const dialect = ledgerDialect(ledger.dialect)
  const old = tables(dialect).map((sql) =>
    LATE.reduce((all, name) => all.replace(new RegExp(`, ${name} \\w+(?:\\(\\d+\\))?`), ''), sql),
  )
  await run(ledger, ...dialect.before, ...old)
  await run(
    ledger,
    'INSERT INTO migration_ledger (version) VALUES (1)',
    "INSERT INTO migration_checkpoints (table_name, schema_name, status, rows_read) VALUES ('t', '', 'completed', 7)",
    ...(ledger.dialect === 'duckdb'
      ? []
      : ['CREATE INDEX migration_checkpoints_by_table ON migration_checkpoints (table_name, schema_name, status)']),
    "INSERT INTO migration_chunk_history (id, table_name, schema_name, status) VALUES (5, 't', '', 'completed')",
  )
}

async function expectNewest(ledger: LedgerDatabase): Promise<void> {
  expect(await ledger.all('SELECT MAX(version) FROM migration_ledger')).toEqual([[LEDGER_VERSION]])
  const chunks = 'SELECT table_name, surplus FROM migration_checkpoints'
  expect((await ledger.all(chunks)).map((row) => row.map(String))).toEqual([['t', 'null']])
  expect(await ledger.all('SELECT surplus FROM migration_chunk_history')).toEqual([[null]])
  expect(await ledger.all('SELECT target_mark, surplus FROM migration_plans')).toEqual([])
  expect(
    await ledger.all('SELECT planner_host, planner_pid, planner_machine, planner_started FROM migration_plans'),
  ).toEqual([])
  expect(await ledger.all('SELECT machine, process_started FROM migration_runs')).toEqual([])
  for (const table of ['migration_checkpoints', 'migration_chunk_history'])
    expect(await ledger.all(`SELECT machine, process_started FROM ${table}`)).toEqual([[null, null]])
  expect(await ledger.all('SELECT chunk_no, accepted_by FROM migration_accepted_differences')).toEqual([])
}

const INDEXES = {
  sqlite:
    "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'migration_checkpoints' AND sql IS NOT NULL",
  postgresql: `SELECT indexname FROM pg_catalog.pg_indexes WHERE schemaname = current_schema() AND tablename = 'migration_checkpoints'
    AND indexname NOT LIKE '%pkey'`,
  mysql: `SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE()
    AND table_name = 'migration_checkpoints' AND index_name <> 'PRIMARY'`,
  duckdb: 'SELECT index_name FROM duckdb_indexes()',
} as const

/** The indexes that find chunks; the index of version 1 is gone. */
async function expectIndexes(ledger: LedgerDatabase): Promise<void> {
  const found = (await ledger.all(INDEXES[ledger.dialect])).map(([name]) => String(name)).toSorted()
  const wanted = ['migration_checkpoints_by_id', 'migration_checkpoints_by_run', 'migration_checkpoints_by_status']
  expect(found).toEqual(ledger.dialect === 'duckdb' ? [] : wanted)
}

test('the migration steps lead to the version that the program writes', () => {
  expect(STEPS.map(({ version }) => version)).toEqual(Array.from({ length: LEDGER_VERSION - 1 }, (_, i) => i + 2))
  for (const name of ['migration_runs', 'migration_accepted_differences'])
    expect(isLedgerTable({ schema: 's', name })).toBe(true)
})

describe.each(SYSTEMS)('a ledger of version 1 in %s', { timeout: 60_000 }, (system) => {
  const why = async (): Promise<string> =>
    system === 'cassandra' ? (CASSANDRA_AVAILABLE ? '' : 'no Cassandra') : missing(system)

  test('is migrated in place, even after a kill between any two statements', async (context) => {
    context.skip((await why()) !== '', await why())
    const { store } = await opened(system)
    await using ledger = await store.ledger()
    await versionOne(ledger)
    expect(await hasLedger(ledger)).toBe(true)
    // Only some kill points where each statement is a request.
    for (let alive = 1; ; alive += system === 'd1' || system === 'cassandra' ? 3 : 1) {
      let left = alive
      const dying = new Proxy(ledger, {
        get: (of, name) => {
          if (name !== 'batch')
            return typeof of[name as 'all'] === 'function' ? of[name as 'all'].bind(of) : of[name as 'all']
          return async (statements: Parameters<LedgerDatabase['batch']>[0]) => {
            if (left-- === 0) throw new Error('killed here')
            return of.batch(statements)
          }
        },
      })
      const ended = await prepareLedger(dying).catch((error: Error) => error.message)
      if (ended !== 'killed here') break
      const [[version] = []] = await ledger.all('SELECT version FROM migration_ledger')
      expect(Number(version)).toBeLessThan(LEDGER_VERSION)
    }
    await expectNewest(ledger)
    await expectIndexes(ledger)
    await run(ledger, `UPDATE migration_checkpoints SET surplus = -3`)
    await prepareLedger(ledger)
    expect((await ledger.all('SELECT surplus FROM migration_checkpoints')).map(String)).toEqual(['-3'])
    await run(ledger, `INSERT INTO migration_ledger (version) VALUES (${LEDGER_VERSION + 1})`)
    await expect(prepareLedger(ledger)).rejects.toMatchObject({ code: 'LEDGER_NEWER' })
    await store[Symbol.asyncDispose]()
  })

  test('is migrated once by programs that start at the same time', async (context) => {
    context.skip((await why()) !== '', await why())
    const { store, url } = await opened(system)
    await using first = await store.ledger()
    await versionOne(first)
    // A file can be opened by one program at a time.
    const alone = system === 'duckdb' || system === 'sqlite'
    const others = alone ? [] : await Promise.all([1, 2].map(() => openCopyStore(url, { mode: 'write' })))
    const ledgers = [first, ...(alone ? [first] : await Promise.all(others.map((one) => one.ledger())))]
    await Promise.all(ledgers.map(prepareLedger))
    await expectNewest(first)
    await expectIndexes(first)
    for (const one of ledgers.slice(1)) if (one !== first) await one[Symbol.asyncDispose]()
    for (const one of [...others, store]) await one[Symbol.asyncDispose]()
  })
})
