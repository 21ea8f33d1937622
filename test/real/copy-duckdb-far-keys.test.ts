/** Keys of DuckDB that are times in milliseconds or seconds, behind the last microsecond that it counts. */
import { afterAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())

describe.each(['TIMESTAMP_MS', 'TIMESTAMP_S'])('a key of %s of DuckDB behind the year 294246', (type) => {
  test.each(['sqlite', 'duckdb'] as const)('into %s is refused by name, and nothing else is', async (to) => {
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
