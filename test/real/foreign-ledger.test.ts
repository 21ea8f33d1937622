/** A user's own table with the name of one of the ledger's is refused by name, before anything is made or altered. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-foreign-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TABLES: Readonly<Record<System, string>> = {
  postgresql: 'SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1',
  mysql: 'SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1',
  sqlite: "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1",
  d1: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'migration_*' ORDER BY 1",
  duckdb: 'SELECT table_name FROM duckdb_tables() ORDER BY 1',
}

const ANSWER = { exitCode: 5, error: { code: 'TABLE_REFUSED' } }

test.for([
  ['postgresql', 'migration_plans'],
  ['sqlite', 'migration_runs'],
  ['duckdb', 'migration_ledger'],
  ['mysql', 'migration_checkpoints'],
  ['d1', 'migration_quarantine'],
  ['sqlite', 'migration_objects'],
] as const)('a copy into %s refuses a table %s of a user', { timeout: 60_000 }, async ([system, table], { skip }) => {
  const why = await missing(system)
  skip(why !== '', `needs ${system}: ${why}`)
  const source = await makePlace('sqlite', folder)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)')
  const target = await makePlace(system, folder)
  await target.sql(`CREATE TABLE ${table} (version INTEGER, x INTEGER)`, `INSERT INTO ${table} VALUES (7, 8)`)
  for (const options of [{}, { dryRun: true }]) {
    const { finished } = await perform(copyOf(source, target, 't', options))
    expect(finished.error?.message).toContain(` ${table} `)
    expect(finished).toMatchObject({ error: ANSWER.error })
  }
  const runs = await perform({ kind: 'copy-runs', to: target.url, limit: 10 })
  expect(runs.finished.error).toMatchObject(ANSWER.error)
  expect(await target.rows(TABLES[system])).toEqual([[table]])
  expect(await target.rows(`SELECT * FROM ${table}`)).toEqual([['7', '8']])
})

test('the table of the script is adopted', async () => {
  const source = await makePlace('sqlite', folder)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)')
  const target = await makePlace('sqlite', folder)
  await target.sql(
    `CREATE TABLE migration_checkpoints (id INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT, start_id INTEGER, end_id INTEGER, status TEXT,
       records_processed INTEGER, error_message TEXT, created_at TEXT)`,
  )
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
})
