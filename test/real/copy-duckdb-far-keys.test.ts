/** Keys of DuckDB that are times near the largest number of microseconds, and beyond it. */
import { afterAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

describe.each(['TIMESTAMP_MS', 'TIMESTAMP_S'])('a key of %s of DuckDB after the year 294246', (type) => {
  test.each(['sqlite', 'duckdb'] as const)('is refused by name for %s, and other keys are copied', async (to) => {
    const [source, target] = [await makePlace('duckdb', folder.path), await makePlace(to, folder.path)]
    await source.sql(
      `CREATE TABLE t (k ${type} PRIMARY KEY, v INTEGER)`,
      `INSERT INTO t VALUES ('2024-01-01'::${type}, 1), (make_timestamp(0)::${type}, 2), ('294247-01-10 04:00:54.775806'::${type}, 3)`,
    )
    const { finished } = await perform(copyOf(source, target, 't'))
    expect(finished).toMatchObject({ exitCode: 6, error: { code: 'UNSUPPORTED_KEY' } })
    await source.sql('DELETE FROM t WHERE v = 3')
    const done = (await perform(copyOf(source, target, 't'))).finished
    expect(done, JSON.stringify(done.error)).toMatchObject({ exitCode: 0 })
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['2']])
  })
})

test.each(['sqlite', 'duckdb', 'postgresql'] as const)(
  'a key of TIMESTAMPTZ of the year 294247 is compared and repaired in %s',
  async (to) => {
    const why = await missing(to)
    if (why !== '') return
    const [source, target] = [await makePlace('duckdb', folder.path), await makePlace(to, folder.path)]
    await source.sql(
      'CREATE TABLE t (k TIMESTAMPTZ PRIMARY KEY, v INTEGER)',
      `INSERT INTO t VALUES ('2024-01-01 00:00:00+00', 1), ('294247-01-10 04:00:54.775806+00', 2), ('infinity', 3), ('0044-03-15 (BC) 10:00:00+00', 4)`,
    )
    expect((await perform(copyOf(source, target, 't'))).finished).toMatchObject({ exitCode: 0 })
    await target.sql('UPDATE t SET v = 7 WHERE v = 2')
    const again = (await perform(copyOf(source, target, 't', { again: true, deleteExtra: true }))).finished
    expect(again, JSON.stringify(again.error)).toMatchObject({ exitCode: 0, totals: { mended: '1', removed: '0' } })
    expect(await target.rows('SELECT v FROM t ORDER BY v')).toEqual([['1'], ['2'], ['3'], ['4']])
  },
  60_000,
)
