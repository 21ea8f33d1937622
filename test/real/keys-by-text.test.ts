/**
 * Rows that are found by their keys: what `keyText` returns for a key identifies the same row in every system, for
 * every key type.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { EVERY_KEY } from '../../src/model/copy/range.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'
import { NEVER, onlyTable, readAll } from '../support/copy-zoo.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-keys-by-text-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TABLES = {
  postgresql: 'CREATE TABLE t (k double precision, b bytea, v text, PRIMARY KEY (k, b))',
  mysql: 'CREATE TABLE t (k DOUBLE, b VARBINARY(20), v VARCHAR(20), PRIMARY KEY (k, b))',
  duckdb: 'CREATE TABLE t (k DOUBLE, b BLOB, v VARCHAR, PRIMARY KEY (k, b))',
  sqlite: 'CREATE TABLE t (k REAL, b BLOB, v TEXT, PRIMARY KEY (k, b)) STRICT',
  d1: 'CREATE TABLE t (k REAL, b BLOB, v TEXT, PRIMARY KEY (k, b)) STRICT',
} as const

const ROWS: readonly Row[] = [
  [1.5, Buffer.from([0, 255]), 'a'],
  [-0.1, Buffer.alloc(0), 'b'],
  [1e300, Buffer.from('\\x41'), 'c'],
]

test.for(['postgresql', 'mysql', 'duckdb', 'sqlite', 'd1'] as const)(
  'decimals and bytes as keys in %s',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const place = await makePlace(system, folder)
    await place.sql(TABLES[system])
    await using store = await openCopyStore(place.url, { mode: 'write' })
    // Some systems list no key with such a number; a copy from a token ring goes by one all the same.
    const table = { ...(await onlyTable(store, 't')), key: ['k', 'b'] }
    await using writer = await store.target().open({
      table,
      columns: readAll(table).columns,
      range: EVERY_KEY,
      sortsAlike: false,
      onExisting: 'refuse',
      careful: false,
      cursor: null,
      signal: NEVER,
    })
    const step = { sql: 'SELECT 1', parameters: [] }
    await writer.write(ROWS, store.can.atomic === 'batch' ? { guard: step, advance: step, landed: step } : undefined)
    for (const some of [ROWS, ROWS.slice(1), ROWS.slice(0, 1)]) {
      const sum = new RowChecksum()
      for (const row of some) sum.add(row)
      const only = new Set(some.map((row) => keyText(row.slice(0, 2))))
      expect(await writer.digest({ scheme: 'canonical', only })).toEqual(sum.digest())
    }
  },
)

const SINGLE = {
  postgresql: 'CREATE TABLE t (k real, v text, PRIMARY KEY (k))',
  mysql: 'CREATE TABLE t (k FLOAT, v VARCHAR(20), PRIMARY KEY (k))',
  duckdb: 'CREATE TABLE t (k FLOAT, v VARCHAR, PRIMARY KEY (k))',
} as const

test.for(['postgresql', 'mysql', 'duckdb'] as const)(
  'single-precision numbers as keys in %s',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const place = await makePlace(system, folder)
    await place.sql(SINGLE[system])
    await using store = await openCopyStore(place.url, { mode: 'write' })
    const table = { ...(await onlyTable(store, 't')), key: ['k'] }
    await using writer = await store.target().open({
      table,
      columns: readAll(table).columns,
      range: EVERY_KEY,
      sortsAlike: false,
      onExisting: 'refuse',
      careful: false,
      cursor: null,
      signal: NEVER,
    })
    // Except for the first, none of them is the same number in double precision.
    const rows: readonly Row[] = [0.5, 0.1, -1.1, 16_777_217, 3.4e38, 1e-45, 123_456.789].map((k, i) => [
      Math.fround(k),
      `v${i}`,
    ])
    await writer.write(rows)
    for (const some of [rows, rows.slice(1), rows.slice(1, 3)]) {
      const sum = new RowChecksum()
      for (const row of some) sum.add(row)
      const only = new Set(some.map((row) => keyText(row.slice(0, 1))))
      expect(await writer.digest({ scheme: 'canonical', only })).toEqual(sum.digest())
    }
  },
)

test.for(['postgresql', 'mysql', 'duckdb'] as const)(
  'a row of %s is found by a single-precision number, and no copy is cut by such a key',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const place = await makePlace(system, folder)
    const numbers = ['0.5', '0.1', '-1.1', '3.4e38', '123456.79', '1e-30']
    await place.sql(SINGLE[system], `INSERT INTO t VALUES ${numbers.map((k) => `(${k}, '${k}')`).join(', ')}`)
    const keys = numbers.map((k) => [String(Math.fround(Number(k)))])
    const found: Row[] = []
    // A DuckDB file can be opened by one program at a time.
    {
      await using store = await openCopyStore(place.url, { mode: 'read' })
      await using view = await store.source(NEVER)
      const table = { ...(await onlyTable(store, 't')), key: ['k'] }
      const request = { ...readAll(table), range: { by: 'keys' as const, keys }, where: null, ordered: false }
      for await (const { rows } of view.read(request, { rows: 100, bytes: 1e6 }, NEVER)) found.push(...rows)
    }
    expect(found.map(([, v]) => v).toSorted()).toEqual(numbers.toSorted())
    const { finished } = await perform(copyOf(place, await makePlace('sqlite', folder), 't', { key: ['k'] }))
    expect(finished.error).toMatchObject({ code: 'UNSUPPORTED_KEY' })
  },
)

/** MySQL's driver returns texts of such character sets as bytes. */
test('a quarantined row of a key in ascii is found again by its text', { timeout: 60_000 }, async ({ skip }) => {
  const why = await missing('mysql')
  skip(why !== '', `needs mysql: ${why}`)
  const [source, target] = [await makePlace('mysql', folder), await makePlace('sqlite', folder)]
  await source.sql(
    "SET sql_mode = ''",
    'CREATE TABLE t (k VARCHAR(20) CHARACTER SET ascii PRIMARY KEY, w VARCHAR(20) CHARACTER SET cp1251, d DATE)',
    "INSERT INTO t VALUES ('ab', 'я', '0000-00-00'), ('cd', 'б', '2024-01-01')",
  )
  const copy = copyOf(source, target, 't')
  const copied = await perform(copy)
  expect(copied.finished).toMatchObject({ exitCode: 1, totals: { written: '1', quarantined: '1' } })
  expect(copied.events.flatMap((one) => (one.type === 'row.aside' ? [one.key] : []))).toEqual([['ab']])
  const line = 'SELECT row_key, row_json FROM migration_quarantine WHERE replayed_ms IS NULL'
  expect(await target.rows(line)).toEqual([['["ab"]', '{"k":"ab","w":"я","d":"0000-00-00"}']])

  // The source row is unchanged: no run of the copy reports it as gone.
  const again = await perform(copy)
  expect(again.finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1' } })
  const retry = { kind: 'retry-quarantine', to: target.url, from: source.url } as const
  expect((await perform(retry)).finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1', gone: '0' } })
  expect(await target.rows(line)).toHaveLength(1)

  await source.sql("UPDATE t SET d = '2024-02-02' WHERE k = 'ab'")
  expect((await perform(retry)).finished).toMatchObject({ exitCode: 0, totals: { written: '1', gone: '0' } })
  expect(await target.rows('SELECT k, w, d FROM t ORDER BY k')).toEqual([
    ['ab', 'я', '2024-02-02'],
    ['cd', 'б', '2024-01-01'],
  ])
})

/** Rows whose displayed key cannot be used to find them. */
const UNFINDABLE = {
  mysql: [
    'CREATE TABLE t (v DATE, k VARCHAR(20) CHARACTER SET ascii PRIMARY KEY)',
    'CREATE TABLE raw (k VARBINARY(20))',
    "INSERT INTO raw VALUES (X'61FF')",
    "INSERT INTO t SELECT NULL, CONVERT(k USING ascii) FROM raw UNION ALL SELECT NULL, 'b'",
  ],
  sqlite: [
    'CREATE TABLE t (v INTEGER, k TEXT PRIMARY KEY)',
    "INSERT INTO t VALUES ('x', CAST(X'61FF' AS TEXT)), (2, 'b')",
  ],
} as const

test.for(['mysql', 'sqlite'] as const)(
  'a row of %s whose key is bytes that are no valid text is not reported as gone',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const [source, target] = [await makePlace(system, folder), await makePlace('sqlite', folder)]
    await source.sql(...UNFINDABLE[system])
    const copy = copyOf(source, target, 't')
    const copied = await perform(copy)
    expect(copied.finished).toMatchObject({ exitCode: 1, totals: { written: '1', quarantined: '1' } })
    expect(await target.rows('SELECT row_key FROM migration_quarantine')).toEqual([[String.raw`["\\x61ff"]`]])
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1' } })
    const retry = { kind: 'retry-quarantine', to: target.url, from: source.url } as const
    expect((await perform(retry)).finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1', gone: '0' } })

    await source.sql("UPDATE t SET k = 'a', v = NULL WHERE k <> 'b'")
    expect((await perform({ ...copy, again: true })).finished).toMatchObject({ exitCode: 0 })
    expect(await target.rows('SELECT k FROM t ORDER BY k')).toEqual([['a'], ['b']])
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  },
)

test('a large number in the key, after a value of SQLite that is refused, is not changed', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (n INTEGER, k INTEGER PRIMARY KEY)',
    "INSERT INTO t VALUES ('x', 9007199254740993), (1, 5)",
  )
  const copied = await perform(copyOf(source, target, 't'))
  expect(copied.finished).toMatchObject({ exitCode: 1, totals: { written: '1', quarantined: '1' } })
  expect(await target.rows('SELECT row_key FROM migration_quarantine')).toEqual([['["9007199254740993"]']])
  await source.sql("UPDATE t SET n = 2 WHERE n = 'x'")
  expect((await perform(copyOf(source, target, 't'))).finished).toMatchObject({ exitCode: 0 })
  expect(await target.rows('SELECT k, n FROM t ORDER BY k')).toEqual([
    ['5', '1'],
    ['9007199254740993', '2'],
  ])
})
