/** `discover` reports for each table the copy into it, from the ledger of its database. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder: Folder
let source: Place
beforeAll(async () => {
  folder = temporaryFolder()
  source = await makePlace('sqlite', folder.path)
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)',
    'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i, i FROM n',
  )
})
afterAll(() => folder[Symbol.dispose]())

describe.each<System>(['sqlite', 'duckdb', 'postgresql', 'mysql'])('%s', (system) => {
  test('a table that was copied reports its copy, and another one reports none', async (context) => {
    const why = await missing(system)
    if (why !== '') context.skip(why)
    const target = await makePlace(system, folder.path)
    await target.sql('CREATE TABLE other (id INTEGER PRIMARY KEY)')
    await perform(copyOf(source, target, 't', { chunkRows: 100 }))
    const { events } = await perform({ kind: 'discover-database', url: target.url, tables: ['*'] })
    const reported = events.flatMap((event) => (event.type === 'relation' ? [event] : []))
    const [other, table] = reported.toSorted((a, b) => (a.table < b.table ? -1 : 1))
    expect(table?.filled).toMatchObject({ rows: '500', chunks: '5', done: '5', proved: '5' })
    expect(table?.filled?.source).toContain('sqlite:')
    expect(other).not.toHaveProperty('filled')
    // The source has no ledger, so it reports no copy.
    const from = await perform({ kind: 'discover-database', url: source.url, tables: ['*'] })
    expect(from.events.find((event) => event.type === 'relation')).not.toHaveProperty('filled')
  })
})
