/** DuckDB files as sources: composite keys in many chunks, extreme values of a type, and plans without written rows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, type Place } from '../support/copy-systems.ts'
import { run } from '../e2e/support/program.ts'

/** The largest finite TIMESTAMPTZ. */
const LAST = '294247-01-10 04:00:54.775806'

describe('a DuckDB file', () => {
  let folder: Folder
  let source: Place

  beforeAll(async () => {
    folder = temporaryFolder()
    source = await makePlace('duckdb', folder.path)
    await source.sql(
      'CREATE TABLE pairs (a INTEGER, b INTEGER, v VARCHAR, PRIMARY KEY (a, b))',
      "INSERT INTO pairs SELECT i // 100, i % 100, 'v' || i FROM range(3000) t(i)",
      'CREATE TABLE moments (id INTEGER PRIMARY KEY, moment TIMESTAMPTZ)',
      `INSERT INTO moments VALUES (1, '${LAST}+00'), (2, 'infinity'), (3, '-infinity'), (4, '0044-03-15 (BC) 10:00:00+00'), (5, NULL)`,
      'CREATE TABLE plain (id INTEGER PRIMARY KEY, v VARCHAR)',
      "INSERT INTO plain VALUES (1, 'x')",
    )
  })
  afterAll(() => folder[Symbol.dispose]())

  const sluice = (...words: readonly string[]): ReturnType<typeof run> => run(folder.path, [...words, '--ci'])

  it('copies a key of two columns in chunks that begin and end within one value of the first', async () => {
    const to = await makePlace('sqlite', folder.path)
    const ends = ['--from', source.url, '--to', to.url, '--table', 'pairs']
    const copied = await sluice('copy', ...ends, '--checkpoint-size', '450')
    expect(copied).toMatchObject({ code: 0 })
    expect(copied.err).toMatch(/proved {3}7 of 7 chunks/)
    const all = 'SELECT a, b, v FROM pairs ORDER BY a, b'
    expect(await to.rows(all)).toEqual(await source.rows(all))
    expect(await sluice('diff', ...ends, '--table', 'plain')).toMatchObject({ code: 2 })
    expect((await sluice('diff', ...ends)).err).toContain('0 missing in the target, 0 extra, 0 different')
  })

  it('copies all rows of a table without a key that has a column named rowid', async () => {
    const to = await makePlace('sqlite', folder.path)
    await source.sql('CREATE TABLE hidden (RowId INTEGER, v VARCHAR)', "INSERT INTO hidden VALUES (NULL, 'a'), (-5, 'b'), (3, 'c'), (3, 'd')") // prettier-ignore
    expect(await sluice('copy', '--from', source.url, '--to', to.url, '--table', 'hidden')).toMatchObject({ code: 0 })
    expect(await to.rows('SELECT v FROM hidden ORDER BY v')).toEqual([['a'], ['b'], ['c'], ['d']])
  })

  it.each(['duckdb', 'sqlite'] as const)(
    'keeps extreme times exact in %s, and no table blocks another',
    async (system) => {
      const to = await makePlace(system, folder.path)
      const ends = ['--from', source.url, '--to', to.url, '--table', 'moments', '--table', 'plain']
      const copied = await sluice('copy', ...ends)
      expect(copied.err).toMatch(/2 ok of 2/)
      const text = system === 'sqlite' ? 'moment' : 'CAST(epoch_us(moment) AS VARCHAR)'
      const [[last] = []] = await to.rows(`SELECT ${text} FROM moments WHERE id = 1`)
      expect(last).toContain(system === 'sqlite' ? LAST : '9223372036854775806')
      expect((await sluice('diff', ...ends)).code).toBe(0)
    },
    120_000,
  )

  it('can be copied with other options than planned if nothing was written', async () => {
    const to = await makePlace('duckdb', folder.path)
    await to.sql('CREATE TABLE plain (id INTEGER PRIMARY KEY, v VARCHAR)', "INSERT INTO plain VALUES (1, 'before')")
    const ends = ['copy', '--from', source.url, '--to', to.url, '--table', 'plain']
    const refused = await sluice(...ends)
    expect(refused.code).toBe(1)
    expect(refused.err).toContain('--on-existing')
    expect((await sluice(...ends, '--on-existing', 'upsert')).code).toBe(0)
    expect(await to.rows('SELECT v FROM plain')).toEqual([['x']])
    const bound = await sluice(...ends, '--on-existing', 'append')
    expect(bound).toMatchObject({ code: 5 })
    expect(bound.err).toContain('on-existing: was upsert, is append')
  })
})
