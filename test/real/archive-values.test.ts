/** A plain table is archived by the values of a column: each value is one partition, and all rows count at any time. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import {
  addOrders,
  done,
  listedValues,
  makeOrders,
  named,
  orderCommands,
  ORDERS,
  plannedValues,
  whole,
  type Orders,
} from '../support/value-places.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const VALUES = ['eu', 'eu', 'eu', 'EU', 'us', 'us', null, '', "o'hare ?", 'a/b', '../..', 'eu ', 'NULL', 'x.part2']

/** Text types. The comparison of MySQL and SQLite ignores case. */
const TEXT = { sqlite: 'TEXT COLLATE NOCASE', postgresql: 'text', mysql: 'varchar(40)' } as const

async function isWhole(orders: Orders): Promise<void> {
  const [counted, wanted] = await whole(orders)
  expect(counted).toBe(wanted)
}

const standing = ({ place }: Orders): Promise<readonly (readonly (string | null)[])[]> =>
  place.rows(`SELECT id, region, note FROM ${ORDERS} ORDER BY id`)

async function refusal(operation: Operation): Promise<string> {
  const { error } = (await perform(operation)).finished
  return error === undefined ? 'none' : `${error.code}: ${error.message} (${error.hint ?? ''})`
}

describe.each(SYSTEMS)('a plain table of %s', (system) => {
  const why = WITHOUT.get(system) ?? ''

  it.skipIf(why !== '')(`makes a partition for each value${why}`, { timeout: 120_000 }, async () => {
    const orders = await makeOrders(await makePlace(system, folder.path), folder.path, TEXT[system], VALUES)
    const { plan, run, drop, restore, verify } = orderCommands(orders)
    const before = await standing(orders)
    const planned = await done(plan)
    expect(planned.events).toContainEqual(expect.objectContaining({ type: 'archive.columns', byValue: 'region' }))
    expect(planned.events).toContainEqual(
      expect.objectContaining({
        type: 'log',
        message: expect.stringMatching(/^values are never due by age/) as string,
      }),
    )
    expect(plannedValues(planned)).toEqual([
      '"" later 1',
      '"NULL" later 1',
      '"eu " later 1',
      '"x.part2" later 1',
      '../.. later 1',
      'EU later 1',
      'NULL later 1',
      'a/b later 1',
      'eu later 3',
      "o'hare ? later 1",
      'us later 2',
    ])
    await done(named(run, 'eu', 'NULL', '"NULL"', '', "o'hare ?"))
    await isWhole(orders)
    const left = ['"" DETACHED 1', '"NULL" DETACHED 1', 'NULL DETACHED 1', 'eu DETACHED 3', "o'hare ? DETACHED 1"]
    expect(await listedValues(orders)).toEqual(left)
    await done(verify)
    const { byValue: column, ...others } = run as Extract<Operation, { kind: 'archive' }>
    expect(await refusal({ ...others, by: column ?? '' })).toMatch(
      /^PLAN_CHANGED: .* another partitioning: values of region \(remove --by,/,
    )
    // Archive location and --by-value come from the ledger now.
    const { byValue: _, to: __, ...rest } = drop as Extract<Operation, { kind: 'archive' }>
    await done(rest)
    await isWhole(orders)
    expect(await listedValues(orders)).toEqual(left.map((line) => line.replace('DETACHED', 'DROPPED')))
    expect(await orders.place.rows(`SELECT count(*) FROM ${ORDERS}`)).toEqual([[String(VALUES.length - 7)]])
    await done(named(run, '../..', 'eu ', 'x.part2', 'EU'))
    await done(drop)
    await isWhole(orders)
    await done(verify)
    const all = ['eu', 'NULL', '"NULL"', '', "o'hare ?", '../..', 'eu ', '"x.part2"', 'EU']
    await done(named(restore, ...all))
    await isWhole(orders)
    expect(await standing(orders)).toEqual(before)
  })

  it.skipIf(why !== '')(`archives late rows of a value${why}`, { timeout: 120_000 }, async () => {
    const orders = await makeOrders(await makePlace(system, folder.path), folder.path, TEXT[system], ['eu', 'eu', 'us'])
    const { plan, run, drop, restore, verify } = orderCommands(orders)
    await done(named(run, 'eu'))
    await addOrders(orders, ['eu', 'EU'])
    await isWhole(orders)
    expect(await listedValues(orders)).toEqual(['eu DETACHED 2 1'])
    await done(drop)
    await isWhole(orders)
    expect(plannedValues(await done(plan))).toEqual([
      'eu done 2: 1 row more in the table than expected, by count',
      'eu.part2 later 1: 1 row added after eu was archived',
      'EU later 1',
      'us later 1',
    ])
    await done(named(run, 'eu'))
    await done(drop)
    await isWhole(orders)
    expect(await listedValues(orders)).toEqual(['eu DROPPED 2', 'eu.part2 DROPPED 1'])
    await done(verify)
    const found = await refusal(named(run, 'usx'))
    expect(found).toContain('has no partition usx (us?)')
    await done(named(restore, 'eu'))
    await isWhole(orders)
    expect(await orders.place.rows(`SELECT count(*) FROM ${ORDERS}`)).toEqual([['5']])
  })

  it.skipIf(why !== '')(`keeps a row that changes between detach and drop${why}`, { timeout: 120_000 }, async () => {
    const orders = await makeOrders(await makePlace(system, folder.path), folder.path, TEXT[system], ['eu', 'eu', 'us'])
    const { run, drop } = orderCommands(orders)
    await done(named(run, 'eu'))
    await orders.place.sql(`UPDATE ${ORDERS} SET region = 'us' WHERE id = 1`)
    // It counts once, because the archive has its key.
    await isWhole(orders)
    expect(await refusal(drop)).toMatch(/^PARTITION_CHANGED/)
    expect(await orders.place.rows(`SELECT count(*) FROM ${ORDERS}`)).toEqual([['3']])
    await orders.place.sql(`UPDATE ${ORDERS} SET region = 'eu' WHERE id = 1`)
    await done(drop)
    await isWhole(orders)
  })
})
