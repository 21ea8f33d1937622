/** Dates that MySQL and MariaDB store and no calendar has: a copy into the same system keeps them. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

vi.setConfig({ testTimeout: 120_000 })

const why = await missing('mysql')
let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const ODD = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'"
const TABLE =
  'CREATE TABLE t (id int PRIMARY KEY, born date, seen datetime(3) NOT NULL, at timestamp(6) NULL, note text)'
const ROWS = `INSERT INTO t VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', 'a'),
  (2, '2024-00-10', '2024-05-00 10:00:00.500', '2024-01-01 10:00:00.123450', 'b'),
  (3, '2024-02-31', '2024-02-29 23:59:59', NULL, 'c'), (4, NULL, '2024-01-01 00:00:00.010', NULL, 'd')`

const content = (place: Place): Promise<readonly (readonly (string | null)[])[]> =>
  place.rows('SELECT id, CAST(born AS CHAR), CAST(seen AS CHAR), CAST(at AS CHAR), note FROM t ORDER BY id')

test.skipIf(why !== '')(`a copy, a comparison and its repair${why}`, async () => {
  const [source, target] = [await makePlace('mysql', folder.path), await makePlace('mysql', folder.path)]
  await source.sql(ODD, TABLE, ROWS)
  const { finished } = await perform(copyOf(source, target, 't'))
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: '4', quarantined: '0' } })
  expect(await content(target)).toEqual(await content(source))

  const sides = { from: source.url, to: target.url, tables: ['t'], rename: {}, acceptLossy: [] } as const
  const diff = { kind: 'diff', ...sides, workers: 1, limit: 10, fix: false, deleteExtra: false } as const
  expect((await perform(diff)).finished.exitCode).toBe(0)
  await target.sql(
    ODD,
    "UPDATE t SET born = '2024-00-11' WHERE id = 2",
    "UPDATE t SET born = '0000-00-00' WHERE id = 3",
  )
  expect((await perform(diff)).finished).toMatchObject({ exitCode: 1, totals: { different: '2' } })
  expect((await perform({ ...diff, fix: true })).finished.error ?? null).toBeNull()
  expect(await content(target)).toEqual(await content(source))
})

test.skipIf(why !== '')(`a stream${why}`, async () => {
  const [source, target] = [await makePlace('mysql', folder.path), await makePlace('mysql', folder.path)]
  await source.sql(ODD, TABLE, ROWS)
  const copy = copyOf(source, target, 't', { follow: { cdc: 'trigger', until: 'caught-up' } })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  expect(await content(target)).toEqual(await content(source))
  await source.sql(
    ODD,
    "UPDATE t SET born = '0000-00-00' WHERE id = 4",
    "UPDATE t SET seen = '2024-00-00 00:00:00' WHERE id = 2",
    "INSERT INTO t VALUES (5, '2024-00-00', '0000-00-00 00:00:00', NULL, 'e')",
  )
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  expect(await content(target)).toEqual(await content(source))
})
