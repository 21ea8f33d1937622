/** `quarantine list`: quarantined rows, by run and table, until they are corrected and retried. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import type { QuarantineRowEvent } from '../../src/model/run/answer-events.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type System } from '../support/copy-systems.ts'

const SYSTEMS: readonly System[] = ['sqlite', 'postgresql']

test.for(SYSTEMS)('quarantined rows are listed and retried in %s', async (system, { skip }) => {
  const why = await missing(system)
  skip(why !== '', why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-quarantine-'))
  const source = await makePlace('sqlite', folder)
  const target = await makePlace(system, folder)
  const list = async (
    more: Partial<Extract<Operation, { kind: 'quarantine-list' }>> = {},
  ): Promise<{
    readonly rows: readonly QuarantineRowEvent[]
    readonly said: readonly string[]
    readonly total?: string
  }> => {
    const { events, finished } = await perform({ kind: 'quarantine-list', to: target.url, limit: 10, ...more })
    expect(finished.error).toBeUndefined()
    return {
      rows: events.flatMap((event) => (event.type === 'quarantine.row' ? [event] : [])),
      said: events.flatMap((event) => (event.type === 'log' ? [event.message] : [])),
      ...(finished.totals['rows'] === undefined ? {} : { total: finished.totals['rows'] }),
    }
  }
  if (system === 'postgresql') expect((await list()).said[0]).toMatch(/^nothing was copied into /)
  for (const table of ['t', 'u']) {
    await source.sql(
      `CREATE TABLE ${table} (id INTEGER PRIMARY KEY, n INTEGER)`,
      `INSERT INTO ${table} VALUES (1, 1), (2, 'abc'), (3, 3)`,
    )
  }
  await source.sql("INSERT INTO t VALUES (4, 'x')")
  const runs: string[] = []
  for (const table of ['t', 'u']) {
    const { finished, events } = await perform(copyOf(source, target, table))
    expect(finished.error?.code).toBe('ROWS_ASIDE')
    runs.push(events[0]?.runId ?? '')
  }
  const all = await list()
  expect(all.total).toBe('3')
  // Rows that were quarantined at the same time have no fixed order.
  const lines = all.rows.map(({ run, table, key }) => `${run} ${table.split('.').at(-1)} ${key.join()}`)
  expect(lines.toSorted()).toEqual([`${runs[0]} t 2`, `${runs[0]} t 4`, `${runs[1]} u 2`])
  const first = all.rows.find(({ key }) => key[0] === '2')
  expect(first).toMatchObject({ stage: 'read', code: 'VALUE_REFUSED', row: { id: '2', n: 'abc' } })
  expect(first?.message).toContain('abc')
  expect((await list({ runId: runs[1] ?? '' })).total).toBe('1')
  expect((await list({ table: 't' })).total).toBe('2')
  expect((await list({ table: first?.table ?? '' })).total).toBe('2')
  const some = await list({ limit: 1 })
  expect([some.rows.length, some.total, some.said]).toEqual([1, '3', ['1 of 3 rows are shown; --limit shows more']])
  // Unknown runs and tables are errors, not empty lists.
  for (const wrong of [{ runId: '1795000000000000000' }, { table: 'nope' }, { table: 'elsewhere.t' }]) {
    for (const kind of ['quarantine-list', 'retry-quarantine'] as const) {
      const { finished } = await perform({ kind, to: target.url, limit: 10, ...wrong })
      const code = wrong.runId === undefined ? 'NO_SUCH_TABLE' : 'BAD_FLAG'
      expect(finished).toMatchObject({ exitCode: 2, error: { code } })
      expect(finished.error?.message).toContain(wrong.runId ?? wrong.table)
    }
  }
  await source.sql("UPDATE t SET n = 5 WHERE typeof(n) = 'text'")
  expect((await perform({ kind: 'retry-quarantine', to: target.url, table: 't' })).finished.error).toBeUndefined()
  expect((await list()).rows.map(({ run }) => run)).toEqual([runs[1]])
  // Known, and no row waits any more.
  expect((await list({ table: 't' })).total).toBe('0')
  expect((await list({ runId: runs[0] ?? '' })).total).toBe('0')
  rmSync(folder, { recursive: true })
})

test('a table without a usable key keeps no other table from its retry', async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  using folder = temporaryFolder()
  const [source, target] = [await makePlace('postgresql', folder.path), await makePlace('sqlite', folder.path)]
  await source.sql(
    'CREATE TABLE arr (id int PRIMARY KEY, a int[])',
    "INSERT INTO arr VALUES (1, '[0:1]={1,2}'), (2, '{1}'), (3, '[0:1]={1,2}')",
    'CREATE TABLE nokey (f float8 PRIMARY KEY, v int)',
    "INSERT INTO nokey VALUES ('NaN', 1), (1, 2)",
  )
  const schema = String((await source.rows('SELECT current_schema()'))[0]?.[0])
  const copied = await perform({ ...copyOf(source, target, 'arr'), tables: ['arr', 'nokey'] })
  expect(copied.finished.error?.code).toBe('TABLES_FAILED')
  const retry = { kind: 'retry-quarantine', from: source.url, to: target.url } as const
  const alone = await perform({ ...retry, table: 'nokey' })
  expect(alone.finished).toMatchObject({ exitCode: 6, error: { code: 'UNSUPPORTED_KEY' } })
  expect(alone.finished.error?.hint).not.toContain('--on-existing')
  await source.sql("UPDATE arr SET a = '{5,6}' WHERE id = 1")
  const first = await perform(retry)
  expect(first.finished).toMatchObject({
    exitCode: 1,
    totals: { written: '1', quarantined: '2' },
    error: { code: 'ROWS_ASIDE', message: '2 of 3 quarantined rows were not written; not retried: 1 row of nokey' },
  })
  const named = first.events.flatMap((event) => (event.type === 'log' ? [event] : []))
  expect(named).toMatchObject([{ level: 'error', table: 'nokey', hint: expect.stringContaining('--restart') }])
  expect(named[0]?.message).toMatch(/^1 row of nokey cannot be retried: /)
  expect((await target.rows('SELECT id FROM arr ORDER BY id')).map(([id]) => id)).toEqual(['1', '2'])
  // The copy names the table as the source does.
  await source.sql("UPDATE arr SET a = '{7}' WHERE id = 3")
  const bySource = `${schema}.arr`
  const listed = await perform({ kind: 'quarantine-list', to: target.url, limit: 10, table: bySource })
  expect(listed.finished.totals['rows']).toBe('1')
  const second = await perform({ ...retry, table: bySource })
  expect(second.finished).toMatchObject({ exitCode: 0, totals: { written: '1' } })
  // What the hint says.
  await source.sql("DELETE FROM nokey WHERE f = 'NaN'")
  await target.sql('DELETE FROM nokey')
  const restarted = await perform(copyOf(source, target, 'nokey', { restart: true }))
  expect(restarted.finished.error).toBeUndefined()
  expect((await perform(retry)).finished).toMatchObject({ exitCode: 0, totals: { read: '0' } })
})

describe('keys that are equal by a collation', () => {
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-quarantine-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('DuckDB: the row of the other spelling is not mistaken for it', async (context) => {
    const why = await missing('postgresql')
    if (why !== '') return context.skip(why)
    const [source, target] = [await makePlace('duckdb', folder), await makePlace('postgresql', folder)]
    await source.sql(
      'CREATE TABLE t (k VARCHAR COLLATE NOCASE PRIMARY KEY, v VARCHAR)',
      "INSERT INTO t VALUES ('a', 'bad'), ('A', 'well')",
    )
    await target.sql("CREATE TABLE t (k text PRIMARY KEY, v text CHECK (v <> 'bad'))")
    expect((await perform(copyOf(source, target, 't'))).finished.error?.code).toBe('ROWS_ASIDE')
    await target.sql('ALTER TABLE t DROP CONSTRAINT t_v_check')
    const retried = await perform({ kind: 'retry-quarantine', to: target.url, table: 't' })
    expect(retried.finished.error).toBeUndefined()
    expect(await target.rows(`SELECT k, v FROM t ORDER BY k COLLATE "C"`)).toEqual([
      ['A', 'well'],
      ['a', 'bad'],
    ])
  })

  const targets: readonly (readonly [System, string])[] = [
    ['duckdb', "CREATE TABLE t (k VARCHAR COLLATE NOCASE PRIMARY KEY, v VARCHAR CHECK (v <> 'bad'))"],
    ['sqlite', "CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v TEXT CHECK (v <> 'bad'))"],
    ['d1', "CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v TEXT CHECK (v <> 'bad'))"],
    ['mysql', "CREATE TABLE t (k varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v varchar(9), CHECK (v <> 'bad'))"],
  ]
  test.for(targets)(
    '%s as the target: a row with an equal key is kept, others are written',
    async ([system, sql], context) => {
      const why = await missing(system)
      if (why !== '') return context.skip(why)
      const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
      await source.sql(
        'CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, v TEXT)',
        "INSERT INTO t VALUES ('a', 'bad'), ('A', 'well'), ('b', 'bad')",
      )
      await target.sql(sql)
      expect((await perform(copyOf(source, target, 't'))).finished.error?.code).toBe('ROWS_ASIDE')
      await source.sql("UPDATE t SET v = 'good' WHERE v = 'bad'")
      const { finished } = await perform({ kind: 'retry-quarantine', to: target.url, table: 't' })
      expect(finished.error).toMatchObject({
        code: 'ROWS_ASIDE',
        reason: 'the target holds another row under this key',
      })
      expect((await target.rows('SELECT k, v FROM t ORDER BY v')).map((row) => row.join())).toEqual([
        'b,good',
        'A,well',
      ])
    },
  )
})
