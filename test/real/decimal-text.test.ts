/** A decimal with a scale is copied into a text column as the source server prints it, with its trailing zeros. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

vi.setConfig({ testTimeout: 120_000 })

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

test.for([
  ['postgresql', 'postgresql'],
  ['postgresql', 'mysql'],
  ['postgresql', 'sqlite'],
  ['postgresql', 'duckdb'],
  ['postgresql', 'd1'],
  ['mysql', 'postgresql'],
  ['mysql', 'mysql'],
  ['mysql', 'sqlite'],
  ['duckdb', 'sqlite'],
  ['duckdb', 'postgresql'],
] as const)('%s to %s: a decimal becomes the text that the source prints', async ([from, to], { skip }) => {
  const why = (await missing(from)) || (await missing(to))
  skip(why !== '', why)
  const [source, target] = [await makePlace(from, folder.path), await makePlace(to, folder.path)]
  await source.sql(
    'CREATE TABLE t (k int PRIMARY KEY, v decimal(10,2), n decimal(6,0))',
    'INSERT INTO t VALUES (1, 1.10, 100), (2, 1, 0), (3, -0.50, -7), (4, 0, 20), (5, NULL, NULL), (6, 12345678.91, 1)',
  )
  await target.sql(`CREATE TABLE t (k int PRIMARY KEY, v ${to === 'mysql' ? 'varchar(40)' : 'text'}, n text)`)
  const copy = copyOf(source, target, 't', { verify: 'chunk' })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '6', proved: '1' } })
  expect(await target.rows('SELECT v, n FROM t ORDER BY k')).toEqual([
    ['1.10', '100'],
    ['1.00', '0'],
    ['-0.50', '-7'],
    ['0.00', '20'],
    [null, null],
    ['12345678.91', '1'],
  ])
  expect((await perform(copy)).finished.exitCode).toBe(0)
  const sides = { from: source.url, to: target.url, tables: ['t'], rename: {}, acceptLossy: [] } as const
  const diff = { kind: 'diff', ...sides, workers: 1, limit: 10, fix: false, deleteExtra: false } as const
  expect((await perform(diff)).finished.exitCode).toBe(0)
  await target.sql("UPDATE t SET v = '1.1' WHERE k = 1")
  expect((await perform(diff)).finished).toMatchObject({ exitCode: 1, totals: { different: '1' } })
})
