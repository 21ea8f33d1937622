/** Lists of DuckDB in tables that a copy creates: arrays if each item has one form, JSON otherwise. Arrays of PostgreSQL. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type System } from '../support/copy-systems.ts'

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const LISTS: readonly (readonly [type: string, value: string])[] = [
  ['INTEGER[]', '[1, NULL, -2]'],
  ['VARCHAR[]', `['a"b', '', NULL]`],
  ['UBIGINT[]', '[18446744073709551615]'],
  ['INTEGER[][]', '[[1, 2], [3], [], NULL]'],
  ['DOUBLE[]', '[1.5, 1e300, -0.25]'],
  ['DECIMAL(10,2)[]', '[1.50, 2]'],
  ['DATE[]', `['2024-02-29']`],
  ['TIMESTAMP[]', `['2024-02-29 12:00:00.5']`],
]

const SYSTEMS: readonly System[] = ['postgresql', 'mysql', 'sqlite', 'duckdb']

describe.each(SYSTEMS)('to %s', (system) => {
  test('all lists are copied and proved; --again finds no difference', { timeout: 120_000 }, async (context) => {
    if ((await missing(system)) !== '') context.skip()
    const [source, target] = [await makePlace('duckdb', folder.path), await makePlace(system, folder.path)]
    await source.sql(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, ${LISTS.map(([type], at) => `c${at} ${type}`).join(', ')})`,
      `INSERT INTO t VALUES (1, ${LISTS.map(([, value]) => value).join(', ')}), (2${', NULL'.repeat(LISTS.length)})`,
      `INSERT INTO t VALUES (3${', []'.repeat(LISTS.length)})`,
    )
    const copy = copyOf(source, target, 't')
    const { finished } = await perform(copy)
    expect(finished.error).toBeUndefined()
    expect(finished).toMatchObject({ exitCode: 0, totals: { read: '3', written: '3', quarantined: '0' } })
    const again = await perform({ ...copy, again: true })
    expect(again.finished.exitCode).toBe(0)
    if (system !== 'postgresql') return
    const [row] = await target.rows('SELECT c0, c1, c3 FROM t WHERE id = 1')
    expect(row).toEqual(['{1,NULL,-2}', String.raw`{"a\"b","",NULL}`, '[[1, 2], [3], [], null]'])
  })
})

test('an array of PostgreSQL that once had a NULL is proved equal to its copy', async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', `needs postgresql: ${why}`)
  const [source, target] = [await makePlace('postgresql', ''), await makePlace('postgresql', '')]
  await source.sql(
    'CREATE TABLE t (id int PRIMARY KEY, v int[], w text[])',
    'INSERT INTO t SELECT n, ARRAY[NULL, n], ARRAY[NULL] FROM generate_series(1, 9) AS n',
    `UPDATE t SET v[1] = 1, w[1] = 'x'`,
  )
  // The premise: the server sends the flag of an array with NULLs.
  expect(await source.rows('SELECT array_send(v) <> array_send(ARRAY[1, 1]) FROM t WHERE id = 1')).toEqual([['t']])
  const copy = copyOf(source, target, 't')
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '9' } })
  expect((await perform({ ...copy, again: true })).finished).toMatchObject({ exitCode: 0, totals: { differed: '0' } })
  const rows = 'SELECT id, v::text, w::text FROM t ORDER BY id'
  expect(await target.rows(rows)).toEqual(await source.rows(rows))
})
