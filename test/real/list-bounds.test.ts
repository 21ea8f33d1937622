/**
 * Arrays of PostgreSQL whose bounds do not begin at 1: another system would renumber them, so their rows are refused.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { caughtUp, stageOf, startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

vi.setConfig({ testTimeout: 120_000 })

const LISTS = ['{a,b}', '[0:1]={a,b}', '{}', '[1:2]={a,b}', '[-1:-1]={"]=x"}', '{"[0:1]={"}']
const MADE = [
  'CREATE TABLE t (k int PRIMARY KEY, a text[])',
  `INSERT INTO t VALUES ${LISTS.map((list, k) => `(${k}, '${list}')`).join(', ')}, (6, NULL)`,
]

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

async function quarantined(source: Place, target: Place): Promise<unknown> {
  const { finished, events } = await perform(copyOf(source, target, 't'))
  const keys = events.flatMap((one) => (one.type === 'row.aside' ? [[one.key, one.error.message]] : []))
  return { totals: finished.totals, keys }
}

describe('a copy of arrays with other bounds', () => {
  test.for(['duckdb', 'sqlite', 'mysql', 'd1'] as const)('into %s quarantines them', async (system, { skip }) => {
    const why = (await missing('postgresql')) || (await missing(system))
    skip(why !== '', why)
    const [source, target] = [await makePlace('postgresql', folder.path), await makePlace(system, folder.path)]
    await source.sql(...MADE)
    expect(await quarantined(source, target)).toMatchObject({
      totals: { written: '5', quarantined: '2' },
      keys: [
        [['1'], expect.stringContaining('[0:1]={a,b}')],
        [['4'], expect.stringContaining('[-1:-1]=')],
      ],
    })
    expect((await target.rows('SELECT k FROM t ORDER BY k')).flat()).toEqual(['0', '2', '3', '5', '6'])
  })

  test('into a text of another PostgreSQL keeps them', async ({ skip }) => {
    const why = await missing('postgresql')
    skip(why !== '', why)
    const [source, target] = [await makePlace('postgresql', folder.path), await makePlace('postgresql', folder.path)]
    await source.sql(...MADE)
    await target.sql('CREATE TABLE t (k int PRIMARY KEY, a text)')
    expect(await quarantined(source, target)).toMatchObject({ totals: { written: '5', quarantined: '2' } })
  })

  test('into wider numbers of another PostgreSQL keeps them', async ({ skip }) => {
    const why = await missing('postgresql')
    skip(why !== '', why)
    const [source, target] = [await makePlace('postgresql', folder.path), await makePlace('postgresql', folder.path)]
    await source.sql('CREATE TABLE t (k int PRIMARY KEY, a int[])', `INSERT INTO t VALUES (1, '[0:1]={7,NULL}')`)
    await target.sql('CREATE TABLE t (k int PRIMARY KEY, a bigint[])')
    expect(await quarantined(source, target)).toMatchObject({ totals: { written: '1', quarantined: '0' } })
    expect(await target.rows('SELECT a::text FROM t')).toEqual([['[0:1]={7,NULL}']])
  })
})

describe.skipIf(!POSTGRES_OWN)(`a stream of arrays with other bounds ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  beforeAll(async () => {
    if (POSTGRES_OWN) server = await startFollowServer()
  })
  afterAll(async () => server?.[Symbol.asyncDispose]())

  test.for(['duckdb', 'sqlite'] as const)('into %s halts', async (system) => {
    const target = await makePlace(system, folder.path)
    const made = ['CREATE TABLE t (k int PRIMARY KEY, a text[])', `INSERT INTO t VALUES (1, '{a}'), (2, '{b}')`]
    const stage = await stageOf(server, made, ['t'], 1000, target)
    expect((await caughtUp(stage)).finished.exitCode).toBe(0)
    await stage.source.sql(`UPDATE t SET a = '[0:1]={a,b}' WHERE k = 1`)
    const { finished } = await caughtUp(stage)
    expect(finished.exitCode).not.toBe(0)
    expect(finished.error).toMatchObject({ code: 'ROW_REFUSED', message: expect.stringContaining('[0:1]={a,b}') })
    // A refused row is missing until its source is corrected.
    expect(await target.rows('SELECT k FROM t')).toEqual([['2']])
    await stage.source.sql(`UPDATE t SET a = '{a,b}' WHERE k = 1`)
    expect((await caughtUp(stage)).finished.exitCode).toBe(0)
    expect(await target.rows('SELECT k FROM t ORDER BY k')).toEqual([['1'], ['2']])
  })

  test('whose copy quarantines such a row writes it once the source is corrected', async () => {
    const target = await makePlace('sqlite', folder.path)
    const made = ['CREATE TABLE t (k int PRIMARY KEY, a text[])', `INSERT INTO t VALUES (1, '[0:0]={a}'), (2, '{b}')`]
    const stage = await stageOf(server, made, ['t'], 1000, target)
    const { events } = await caughtUp(stage)
    expect(events).toContainEqual(expect.objectContaining({ type: 'row.aside', key: ['1'] }))
    expect(await target.rows('SELECT k FROM t')).toEqual([['2']])
    await stage.source.sql(`UPDATE t SET a = '{a}' WHERE k = 1`)
    expect((await caughtUp(stage)).finished.exitCode).toBe(0)
    expect(await target.rows('SELECT k FROM t ORDER BY k')).toEqual([['1'], ['2']])
  })
})
