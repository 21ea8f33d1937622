/** Rows that are found by their keys: what `keyText` makes of a key means the same row in every system, whatever the key is of. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { EVERY_KEY } from '../../src/model/copy/range.ts'
import { RowSum } from '../../src/model/copy/row-hash.ts'
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
  'numbers with a point and bytes in %s',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const place = await makePlace(system, folder)
    await place.sql(TABLES[system])
    await using store = await openCopyStore(place.url, { mode: 'write' })
    // Some list no key that has such a number in it; a copy from a ring goes by one all the same.
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
      const sum = new RowSum()
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
  'numbers of single precision in %s',
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
    // None of them but the first is the same number in double precision.
    const rows: readonly Row[] = [0.5, 0.1, -1.1, 16_777_217, 3.4e38, 1e-45, 123_456.789].map((k, i) => [
      Math.fround(k),
      `v${i}`,
    ])
    await writer.write(rows)
    for (const some of [rows, rows.slice(1), rows.slice(1, 3)]) {
      const sum = new RowSum()
      for (const row of some) sum.add(row)
      const only = new Set(some.map((row) => keyText(row.slice(0, 1))))
      expect(await writer.digest({ scheme: 'canonical', only })).toEqual(sum.digest())
    }
  },
)

test.for(['postgresql', 'mysql', 'duckdb'] as const)(
  'a row of %s is found by a number of single precision, and no copy is cut by one',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const place = await makePlace(system, folder)
    const numbers = ['0.5', '0.1', '-1.1', '3.4e38', '123456.79', '1e-30']
    await place.sql(SINGLE[system], `INSERT INTO t VALUES ${numbers.map((k) => `(${k}, '${k}')`).join(', ')}`)
    const keys = numbers.map((k) => [String(Math.fround(Number(k)))])
    const found: Row[] = []
    // A file of DuckDB is opened by one at a time.
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
