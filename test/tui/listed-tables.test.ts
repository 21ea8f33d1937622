/** The screen lists the same tables of a database as `sluice discover`, and copies each by the listed name. */
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listingOf } from '../../src/cli/open.ts'
import { knownNames } from '../../src/app/known-names.ts'
import { copyTablesJob, discoverDatabaseJob } from '../../src/tui/session/operations.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const without = await missing('postgresql')

async function listed(operation: Operation): Promise<readonly string[]> {
  const { events } = await perform(operation)
  return events.flatMap((event) => (event.type === 'relation' ? [event.table] : [])).toSorted()
}

it('a missing folder is named with its absolute path', async () => {
  using folder = temporaryFolder()
  const source = await makePlace('sqlite', folder.path)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)')
  const { finished } = await perform(copyTablesJob(['t'], source.url, 'sqlite:///no/such/out.db', false).operation)
  expect(finished.error?.reason).toBe(`there is no folder ${resolve('no/such')}`)
})

describe.skipIf(without !== '')(`tables of several schemas ${without}`, () => {
  let folder: Folder
  let source: Place
  const tables = ['my schema.tab ü', 'public.customers', 'public.orders']

  beforeAll(async () => {
    folder = temporaryFolder()
    source = await makePlace('postgresql', folder.path)
    await source.sql(
      'CREATE TABLE customers (id int PRIMARY KEY)',
      'CREATE TABLE orders (id int PRIMARY KEY)',
      'CREATE SCHEMA "my schema"',
      'CREATE TABLE "my schema"."tab ü" (id int PRIMARY KEY)',
      'INSERT INTO "my schema"."tab ü" SELECT generate_series(1, 20)',
    )
  })
  afterAll(() => folder[Symbol.dispose]())

  it('are all on the screen, as on the command line', async () => {
    expect(await listed(discoverDatabaseJob(source.url).operation)).toEqual(tables)
    const { operation } = listingOf('cassandra://host/space')
    expect(operation).toEqual({ ...discoverDatabaseJob('cassandra://host/space').operation })
    expect(await listed({ kind: 'discover-database', url: source.url, tables: ['*'] })).toEqual(tables.slice(1))
  })

  it('are all offered as completions', async () => {
    const names = (await knownNames(source.url, 'table', [], AbortSignal.timeout(20_000))).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(tables))
  })

  it('are copied by the names of the screen', async () => {
    const to = await makePlace('postgresql', folder.path)
    const { finished } = await perform(copyTablesJob(tables, source.url, to.url, false).operation)
    expect(finished.error).toBeUndefined()
    expect(await to.rows('SELECT count(*) FROM "my schema"."tab ü"')).toEqual([['20']])
  })
})
