/** Values of DuckDB at the limits of its types: they are copied unchanged, or refused by name. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance, DuckDBTimestampNanosecondsValue } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-edges-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A value that DuckDB stores but cannot print, with one row before and one after it. */
async function firstDay(): Promise<Place> {
  const place = await makePlace('duckdb', folder)
  const instance = await DuckDBInstance.create(place.url.replace(/^duckdb:\/\//, ''))
  const connection = await instance.connect()
  await connection.run('CREATE TABLE t (id INTEGER PRIMARY KEY, "at" TIMESTAMP_NS)')
  const appender = await connection.createAppender('t')
  for (const [id, at] of [
    [1, 1n],
    [2, -9_223_372_036_854_775_000n],
    [3, -1n],
  ] as const) {
    appender.appendInteger(id)
    appender.appendTimestampNanoseconds(new DuckDBTimestampNanosecondsValue(at))
    appender.endRow()
  }
  appender.closeSync()
  connection.closeSync()
  instance.closeSync()
  return place
}

test('a TIMESTAMP_NS of the first possible day is read unchanged', async () => {
  const source = await firstDay()
  for (const where of [{}, { where: 'id > 0' }]) {
    const target = await makePlace('sqlite', folder)
    expect((await perform(copyOf(source, target, 't', where))).finished.exitCode).toBe(0)
    expect((await target.rows('SELECT "at" FROM t ORDER BY id')).flat()).toEqual([
      '1970-01-01 00:00:00.000000001',
      '1677-09-21 00:12:43.145225',
      '1969-12-31 23:59:59.999999999',
    ])
  }
})

test('that TIMESTAMP_NS is the same in another DuckDB', async () => {
  const source = await firstDay()
  for (const where of [{}, { where: 'id < 9' }]) {
    const target = await makePlace('duckdb', folder)
    const { finished } = await perform(copyOf(source, target, 't', where))
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: '3', quarantined: '0' } })
    const moments = 'SELECT CAST(epoch_ns("at") AS VARCHAR) FROM t ORDER BY id'
    expect((await target.rows(moments)).flat()).toEqual(['1', '-9223372036854775000', '-1'])
  }
})

test('a union is refused by name before anything is written, and is copied into a text column', async () => {
  const source = await makePlace('duckdb', folder)
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, "of" UNION(n INTEGER, s VARCHAR))',
    "INSERT INTO t VALUES (1, 1), (2, '1'::VARCHAR), (3, 'x')",
  )
  const target = await makePlace('duckdb', folder)
  for (const options of [{ dryRun: true }, {}]) {
    const { finished, events } = await perform(copyOf(source, target, 't', options))
    expect(finished.exitCode).not.toBe(0)
    expect(JSON.stringify(events)).toContain('UNSUPPORTED_TYPE')
  }
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, "of" VARCHAR)')
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
})

test("a key of TIMESTAMP_NS is never compared with a time outside of the type's range", async () => {
  const [source, target] = [await makePlace('duckdb', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (k TIMESTAMP_NS PRIMARY KEY, v INTEGER)',
    `INSERT INTO t VALUES ('2024-01-02 03:04:05.123456789', 1), ('1680-01-01 00:00:00', 2), ('2262-01-01 00:00:00', 3)`,
  )
  for (const proved of ['1', '0'])
    expect((await perform(copyOf(source, target, 't'))).finished).toMatchObject({
      exitCode: 0,
      totals: { proved, written: '3' },
    })
  expect(await target.rows('SELECT v FROM t ORDER BY k')).toEqual([['2'], ['1'], ['3']])
})

describe('a table of PostgreSQL whose primary key cannot be the key of a copy', () => {
  test('is copied as a whole if the key is a floating point number', async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const source = await makePlace('postgresql', folder)
    await source.sql(
      'CREATE TABLE t (k float8 PRIMARY KEY, v int)',
      `INSERT INTO t VALUES (1, 1), ('NaN', 2), (-0.0, 3)`,
    )
    for (const system of ['postgresql', 'duckdb'] as const) {
      const target = await makePlace(system, folder)
      for (const proved of ['1', '0'])
        expect((await perform(copyOf(source, target, 't'))).finished).toMatchObject({
          exitCode: 0,
          totals: { proved, written: '3' },
        })
      expect(await target.rows('SELECT v FROM t ORDER BY v')).toEqual([['1'], ['2'], ['3']])
    }
  })

  test('is refused by the plan if the key is generated and the target does not generate it', async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const source = await makePlace('postgresql', folder)
    await source.sql(
      'CREATE TABLE t (a int, k int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY)',
      'INSERT INTO t VALUES (1)',
    )
    const target = await makePlace('sqlite', folder)
    for (const dryRun of [true, false]) {
      const { finished } = await perform({ ...copyOf(source, target, 't'), dryRun })
      expect(finished.error).toMatchObject({
        code: 'UNSUPPORTED_KEY',
        message: 't cannot have the key k, which is generated',
      })
    }
    const reference = await makePlace('postgresql', folder)
    expect((await perform(copyOf(source, reference, 't'))).finished.exitCode).toBe(0)
  })
})

test('a row whose key DuckDB cannot hold is quarantined, and retry and diff report it as missing', async (context) => {
  const why = await missing('postgresql')
  context.skip(why !== '', why)
  const [source, target] = [await makePlace('postgresql', folder), await makePlace('duckdb', folder)]
  await source.sql(
    'CREATE TABLE t (k timestamp PRIMARY KEY, v int)',
    `INSERT INTO t VALUES ('294276-12-31 23:59:59', 1), ('2024-01-01', 2)`,
  )
  const copy = copyOf(source, target, 't')
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1', written: '1' } })
  const retried = await perform({ kind: 'retry-quarantine', from: source.url, to: target.url, tables: [] } as never)
  expect(retried.finished.exitCode).toBe(1)
  const compared = await perform({ ...copy, kind: 'diff', limit: 10, fix: false, deleteExtra: false })
  expect(compared.finished).toMatchObject({ exitCode: 1, totals: { missing: '1', extra: '0', different: '0' } })
  expect(await target.rows('SELECT v FROM t')).toEqual([['2']])
})
