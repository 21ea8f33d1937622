/**
 * Unique keys with NULLs between PostgreSQL databases, including NULLS NOT DISTINCT, as the only keys of their tables.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

vi.setConfig({ testTimeout: 120_000 })

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

test.for(['UNIQUE', 'UNIQUE NULLS NOT DISTINCT'])('%s: copied, proved and compared', async (unique, { skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const [source, target] = [await makePlace('postgresql', folder.path), await makePlace('postgresql', folder.path)]
  await source.sql(
    `CREATE TABLE t (a int, b int, v text, ${unique} (a, b))`,
    // The rows are stored in another order than that of the key.
    `INSERT INTO t SELECT nullif(i % 40, 0), nullif(i / 40, 3), 'v' || i FROM generate_series(399, 0, -1) AS s (i)`,
  )
  const copy = copyOf(source, target, 't', { chunkRows: 50, with: ['indexes', 'constraints'] })
  const { finished, events } = await perform(copy)
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: '400', quarantined: '0', proved: '9' } })
  expect(events.filter(({ type }) => type === 'index.failed' || type === 'index.started')).toEqual([])
  const definition = `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass`
  expect(await target.rows(definition)).toEqual([[`${unique} (a, b)`]])
  const rows = 'SELECT a, b, v FROM t ORDER BY v'
  expect(await target.rows(rows)).toEqual(await source.rows(rows))

  // Without a change nothing is done; a changed row with a NULL is reported by the comparison.
  expect((await perform(copy)).finished.exitCode).toBe(0)
  const sides = { from: source.url, to: target.url, tables: ['t'], rename: {}, acceptLossy: [] } as const
  const diff = { kind: 'diff', ...sides, workers: 1, limit: 10, fix: false, deleteExtra: false } as const
  expect((await perform(diff)).finished.exitCode).toBe(0)
  await source.sql(`UPDATE t SET v = 'changed' WHERE a IS NULL AND b = 2`)
  expect((await perform(diff)).finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
})

test('a target with a plain unique key gets the one with NULLS NOT DISTINCT', async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const [source, target] = [await makePlace('postgresql', folder.path), await makePlace('postgresql', folder.path)]
  await source.sql('CREATE TABLE t (a int, UNIQUE NULLS NOT DISTINCT (a))', 'INSERT INTO t VALUES (1), (NULL)')
  await target.sql('CREATE TABLE t (a int, CONSTRAINT other UNIQUE (a))')
  const { finished } = await perform(copyOf(source, target, 't', { with: ['indexes', 'constraints'] }))
  expect(finished.exitCode).toBe(0)
  const definition = `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1`
  expect((await target.rows(definition)).flat()).toEqual(['UNIQUE (a)', 'UNIQUE NULLS NOT DISTINCT (a)'])
})
