/**
 * Columns of SQLite with unknown types get their types from their rows: a copy that began into an empty table continues
 * after it has rows.
 */
import { afterAll, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

test.each([
  ['VARCHAR', `'1.5'`, `'2'`],
  ['VARCHAR', `'a'`, `'b'`],
])('%s of DuckDB goes into MONEY of SQLite in each run in the same way: %s, %s', async (type, first, second) => {
  const [source, target] = [await makePlace('duckdb', folder.path), await makePlace('sqlite', folder.path)]
  await source.sql(`CREATE TABLE t (id INTEGER PRIMARY KEY, v ${type})`)
  await source.sql(`INSERT INTO t VALUES (1, ${first}), (2, ${second})`)
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v MONEY)')
  const copy: CopyOperation = copyOf(source, target, 't')
  const begun = (await perform(copy)).finished
  expect(begun, JSON.stringify(begun.error)).toMatchObject({ exitCode: 0 })
  await source.sql(`INSERT INTO t VALUES (3, ${first})`)
  for (const more of [{}, { again: true }] as const) {
    const { finished } = await perform({ ...copy, ...more })
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
  }
  expect(await target.rows('SELECT count(*) FROM t')).toEqual([['3']])
})
