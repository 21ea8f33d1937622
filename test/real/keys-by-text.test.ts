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
import { makePlace, missing } from '../support/copy-systems.ts'
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
