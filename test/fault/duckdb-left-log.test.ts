/** A DuckDB file whose writer was killed: every index is whole after any of our programs has opened it. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDuckdbCopy } from '../../src/stores/duckdb/copy/index.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-left-log-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const WORK = `
  import { DuckDBInstance } from '@duckdb/node-api'
  const connection = await (await DuckDBInstance.create(process.env.FILE)).connect()
  for (const sql of [
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR)',
    'CREATE INDEX by_name ON t (name)',
    "INSERT INTO t VALUES (1, 'a'), (2, 'a')",
    "UPDATE t SET name = 'b' WHERE id = 1",
  ]) await connection.run(sql)
  process.kill(process.pid, 'SIGKILL')`

const OPENERS = {
  copies: async (file: string) => (await openDuckdbCopy(file, { mode: 'write', label: file }))[Symbol.asyncDispose](),
  catalogs: async (file: string) => (await openDuckdb(file, 'write')).close(),
}

test.each(['copies', 'catalogs'] as const)('indexes are whole after %s opened and closed it', async (opener) => {
  const file = join(folder, `${opener}.duckdb`)
  const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', WORK], {
    env: { ...process.env, FILE: file },
    cwd: resolve(import.meta.dirname, '../..'),
  })
  expect(signal).toBe('SIGKILL')
  await OPENERS[opener](file)
  const instance = await DuckDBInstance.create(file)
  const connection = await instance.connect()
  await connection.run("UPDATE t SET name = 'c' WHERE id = 1")
  expect((await connection.runAndReadAll("SELECT id FROM t WHERE name = 'c'")).getRows()).toEqual([[1]])
  connection.closeSync()
  instance.closeSync()
})
