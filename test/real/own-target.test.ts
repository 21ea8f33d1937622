/** What a copy may not be told to do to a target that sluice itself lives in, and what it says where rows are in its way. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/operation.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder = ''
/** The target of a copy: its ledger is in it. */
let ledger: Place

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-own-target-'))
  const source = await makePlace('sqlite', folder)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1), (2)')
  ledger = await makePlace('sqlite', folder)
  await perform(copyOf(source, ledger, 't'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const WISHES: readonly (readonly [string, Partial<Omit<CopyOperation, 'kind'>>])[] = [
  ['migration_runs', {}],
  ['migration_checkpoints', { onExisting: 'replace-range' }],
  ['migration_plans', { onExisting: 'upsert' }],
  ['t', { toTable: 'migration_quarantine' }],
  ['t', { toTable: 'MIGRATION_RUNS' }],
  ['t', { toTable: 'migration_archives', dryRun: true }],
]

test.for(['sqlite', 'postgresql'] as const)('%s: no table of the ledger is written', async (system, { skip }) => {
  const why = await missing(system)
  skip(why !== '', why)
  const target = await makePlace(system, folder)
  const wishes = system === 'sqlite' ? WISHES : WISHES.filter(([, { toTable }]) => toTable !== 'MIGRATION_RUNS')
  for (const [table, wish] of wishes) {
    const { finished } = await perform(copyOf(ledger, target, table, wish))
    expect(finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    expect(finished.error?.message).toContain(`${wish.toTable ?? table} is a table of sluice's own`)
  }
  expect(await tablesOf(target)).toEqual([])
  // Under another name it is a table as any other.
  expect((await perform(copyOf(ledger, target, 'migration_runs', { toTable: 'runs_of_old' }))).finished.exitCode).toBe(
    0,
  )
  const wish = { tables: ['migration_runs'], rename: {}, workers: 1, limit: 10, deleteExtra: false }
  const diff = { kind: 'diff', from: ledger.url, to: target.url, ...wish } as const
  expect((await perform({ ...diff, fix: true })).finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  expect((await perform({ ...diff, fix: false })).finished.error?.code).toBe('DIFFERENCES')
})

async function tablesOf({ system, url, rows }: Place): Promise<readonly (string | null)[]> {
  if (system === 'sqlite' && !existsSync(url.slice('sqlite:///'.length))) return []
  const sql: Partial<Record<System, string>> = {
    sqlite: 'SELECT name FROM sqlite_schema',
    postgresql: 'SELECT tablename FROM pg_tables WHERE schemaname = current_schema()',
  }
  return (await rows(sql[system] ?? '')).map(([name = null]) => name)
}

test('rows of a live catalog are not written over', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const make = 'CREATE TABLE delta_tables (table_id TEXT PRIMARY KEY NOT NULL, location TEXT)'
  await source.sql(make, "INSERT INTO delta_tables VALUES ('a', 'x')")
  await target.sql(make, "INSERT INTO delta_tables VALUES ('b', 'y')")
  const over = await perform(copyOf(source, target, 'delta_tables', { onExisting: 'upsert' }))
  expect(over.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  expect(await target.rows('SELECT table_id FROM delta_tables')).toEqual([['b']])
  const fresh = await makePlace('sqlite', folder)
  for (const _ of ['first', 'again'])
    expect((await perform(copyOf(source, fresh, 'delta_tables'))).finished.exitCode).toBe(0)
})

test('a pattern that fits only tables of the ledger says so', async () => {
  const target = await makePlace('sqlite', folder)
  const copied = await perform(copyOf(ledger, target, 'migration*'))
  expect(copied.finished).toMatchObject({ exitCode: 2, error: { code: 'NO_SUCH_TABLE' } })
  expect(copied.finished.error?.message).toMatch(/fits only \d+ tables of sluice's own ledger/)
  expect(copied.finished.error?.reason).toContain('migration_runs')
  expect((await perform(copyOf(ledger, target, '*'))).finished).toMatchObject({ exitCode: 0, totals: { tables: '1' } })
})

test('where rows are in the way of a copy that has begun, both ways lead to --again', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const rows = Array.from({ length: 40 }, (_, i) => `(${i + 1}, 'v')`).join(', ')
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', `INSERT INTO t VALUES ${rows}`)
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES (35, 'other')")
  const copy = (wish: Partial<Omit<CopyOperation, 'kind'>> = {}) =>
    perform(copyOf(source, target, 't', { chunkRows: 10, workers: 1, ...wish }))
  const first = await copy()
  const failed = first.events.find((event) => event.type === 'chunk.failed')
  expect(failed).toMatchObject({ chunk: '4', error: { code: 'TARGET_NOT_EMPTY' } })
  expect(failed?.type === 'chunk.failed' ? failed.error.hint : '').toContain('--again')
  const other = await copy({ onExisting: 'upsert' })
  expect(other.finished.error).toMatchObject({ code: 'PLAN_CHANGED' })
  expect(other.finished.error?.hint).toContain('--again')
  expect((await copy({ again: true })).finished.exitCode).toBe(0)
  expect(await target.rows("SELECT count(*) FROM t WHERE v = 'v'")).toEqual([['40']])
})
