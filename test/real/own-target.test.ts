/** What a copy may not do to a target with sluice's own tables, and what it reports if rows are in its way. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder = ''
/** A database with a ledger, which is used as a source. */
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
  const options = system === 'sqlite' ? WISHES : WISHES.filter(([, { toTable }]) => toTable !== 'MIGRATION_RUNS')
  for (const [table, request] of options) {
    const { finished } = await perform(copyOf(ledger, target, table, request))
    expect(finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    expect(finished.error?.message).toContain(`${request.toTable ?? table}: it is a table of sluice's ledger`)
  }
  expect(await tablesOf(target)).toEqual([])
  if (system === 'sqlite') expect(existsSync(fileOf(target))).toBe(false)
  // Under another name it is an ordinary table.
  expect((await perform(copyOf(ledger, target, 'migration_runs', { toTable: 'runs_of_old' }))).finished.exitCode).toBe(
    0,
  )
  const wish = { tables: ['migration_runs'], rename: {}, workers: 1, limit: 10, deleteExtra: false }
  const diff = { kind: 'diff', from: ledger.url, to: target.url, ...wish } as const
  expect((await perform({ ...diff, fix: true })).finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  expect((await perform({ ...diff, fix: false })).finished.error?.code).toBe('DIFFERENCES')
})

const fileOf = ({ url }: Pick<Place, 'url'>): string => url.slice(url.indexOf(':///') + 4)

async function tablesOf({ system, url, rows }: Place): Promise<readonly (string | null)[]> {
  if (system === 'sqlite' && !existsSync(fileOf({ url }))) return []
  const sql: Partial<Record<System, string>> = {
    sqlite: 'SELECT name FROM sqlite_schema',
    postgresql: 'SELECT tablename FROM pg_tables WHERE schemaname = current_schema()',
  }
  return (await rows(sql[system] ?? '')).map(([name = null]) => name)
}

test('rows of a live catalog are not overwritten', async () => {
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

test('a pattern that matches only tables of the ledger is refused with this cause', async () => {
  const target = await makePlace('sqlite', folder)
  const copied = await perform(copyOf(ledger, target, 'migration*'))
  expect(copied.finished).toMatchObject({ exitCode: 2, error: { code: 'NO_SUCH_TABLE' } })
  expect(copied.finished.error?.message).toMatch(/matches only \d+ tables of sluice's own ledger/)
  expect(copied.finished.error?.reason).toContain('migration_runs')
  expect((await perform(copyOf(ledger, target, '*'))).finished).toMatchObject({ exitCode: 0, totals: { tables: '1' } })
})

test('if rows are in the way of a started copy, both errors advise --again', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const rows = Array.from({ length: 40 }, (_, i) => `(${i + 1}, 'v')`).join(', ')
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', `INSERT INTO t VALUES ${rows}`)
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES (35, 'other')")
  const copy = (options: Partial<Omit<CopyOperation, 'kind'>> = {}) =>
    perform(copyOf(source, target, 't', { chunkRows: 10, workers: 1, ...options }))
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

test.for(['sqlite', 'duckdb'] as const)('%s: a refused command leaves no new file behind', async (system) => {
  const source = await makePlace('sqlite', folder)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)', 'CREATE TABLE u (id INTEGER PRIMARY KEY)')
  const target = await makePlace(system, folder)
  const diff = { kind: 'diff', from: source.url, to: target.url, rename: {}, workers: 1, limit: 10 } as const
  const refused: readonly (readonly [Operation, number])[] = [
    [copyOf(source, target, 'nosuch*'), 2],
    [copyOf(source, target, '*', { toTable: 'one' }), 2],
    [{ kind: 'retry-quarantine', to: target.url }, 4],
    [{ kind: 'quarantine-list', to: target.url, limit: 10 }, 4],
    [{ kind: 'diff-undo', to: target.url, runId: '7', tables: [] }, 4],
    [{ ...diff, tables: ['t'], fix: true, deleteExtra: false }, 4],
    [{ ...diff, tables: ['t'], fix: false, deleteExtra: false }, 4],
  ]
  for (const [operation, exitCode] of refused) {
    const { finished } = await perform(operation)
    expect([operation.kind, finished.exitCode]).toEqual([operation.kind, exitCode])
    expect(existsSync(fileOf(target))).toBe(false)
  }
  expect((await perform(copyOf(source, target, '*'))).finished).toMatchObject({ exitCode: 0, totals: { tables: '2' } })
})

test.for(['postgresql', 'mysql'] as const)(
  '%s: tables of the ledger are not reported as left behind',
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const [source, target] = [await makePlace(system, folder), await makePlace('sqlite', folder)]
    const other = system === 'postgresql' ? 'other' : `${new URL(source.url).pathname.slice(1)}_other`
    await source.sql(
      'CREATE TABLE t (id INTEGER PRIMARY KEY)',
      `CREATE SCHEMA ${other}`,
      `CREATE TABLE ${other}.mine (id INTEGER PRIMARY KEY)`,
      `CREATE TABLE ${other}.migration_runs (run_id BIGINT PRIMARY KEY, plan_hash VARCHAR(20))`,
      `CREATE TABLE ${other}.migration_plans (something INTEGER PRIMARY KEY)`,
    )
    const leftOf = async (...tables: readonly string[]): Promise<readonly string[]> => {
      const { finished } = await perform({ ...copyOf(source, target, '*'), tables, dryRun: true })
      const schemas = finished.leftBehind?.find(({ kind }) => kind === 'schema')?.names ?? []
      return schemas.filter((name) => name.startsWith(other))
    }
    expect(await leftOf('*')).toEqual([`${other} (2 tables)`])
    // A schema whose only table is part of the copy, but refused.
    const refused = `${other}_refused`
    await source.sql(`CREATE SCHEMA ${refused}`, `CREATE TABLE ${refused}.lacking (id INTEGER PRIMARY KEY)`)
    await target.sql('CREATE TABLE lacking (id INTEGER PRIMARY KEY, more INTEGER NOT NULL)')
    expect(await leftOf('*')).toEqual([`${other} (2 tables)`, `${refused} (1 table)`])
    expect(await leftOf('*', `${refused}.*`)).toEqual([`${other} (2 tables)`])
  },
)
