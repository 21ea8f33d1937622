/**
 * A file system that ignores case has one folder for values that differ in case only. A symbolic link stands for it:
 * both names lead to one folder, and a listing shows only one of them.
 */
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace } from '../support/copy-systems.ts'
import { done, makeOrders, named, orderCommands, ORDERS, whole, type Orders } from '../support/value-places.ts'

let folder: Folder
beforeAll(() => void (folder = temporaryFolder()))
afterAll(() => folder[Symbol.dispose]())

const VALUES = ['eu', 'EU', 'eu', 'EU', 'eu']

/** @param shown name that a listing shows */
async function ignoringCase(shown: 'EU' | 'eu'): Promise<Orders> {
  const orders = await makeOrders(await makePlace('sqlite', folder.path), folder.path, 'TEXT', VALUES)
  const other = shown === 'EU' ? 'eu' : 'EU'
  mkdirSync(join(orders.archive, `sluice_partition=${shown}`), { recursive: true })
  symlinkSync(`sluice_partition=${shown}`, join(orders.archive, `sluice_partition=${other}`))
  return orders
}

const filesOf = ({ archive }: Orders): readonly string[] => readdirSync(join(archive, 'sluice_partition=EU'))

const erase = ({ place }: Orders, where: string): Operation => ({
  kind: 'archive-erase',
  from: place.url,
  table: ORDERS,
  where,
  reason: `for ${where}`,
  confirm: ORDERS,
  dryRun: false,
})

const sweep = ({ place }: Orders, retentionMs?: number): Operation => ({
  kind: 'archive-sweep',
  from: place.url,
  tables: [],
  olderThanMs: 0,
  ...(retentionMs === undefined ? {} : { retentionMs }),
  dryRun: false,
})

async function isWhole(orders: Orders): Promise<void> {
  const [counted, wanted] = await whole(orders)
  expect(counted).toBe(wanted)
  await done(orderCommands(orders).verify)
}

test('one run writes the files of both values', { timeout: 60_000 }, async () => {
  const orders = await ignoringCase('EU')
  const { drop, restore } = orderCommands(orders)
  await done(named(drop, 'EU', 'eu'))
  expect(filesOf(orders)).toHaveLength(2)
  await isWhole(orders)
  await done(named(restore, 'EU', 'eu'))
  await isWhole(orders)
})

test.each(['EU', 'eu'] as const)(
  'where %s is listed, no file of the other value is destroyed',
  async (shown) => {
    const orders = await ignoringCase(shown)
    const { drop, restore } = orderCommands(orders)
    await done(named(drop, 'EU'))
    await done(named(drop, 'eu'))
    const before = filesOf(orders)
    await done(erase(orders, 'id = 2'))
    orders.rows.delete(2)
    await isWhole(orders)
    // The file that held the row is gone.
    expect(filesOf(orders)).toHaveLength(2)
    expect(filesOf(orders).filter((name) => before.includes(name))).toHaveLength(1)
    await done(erase(orders, 'id = 1'))
    orders.rows.delete(1)
    await isWhole(orders)
    expect(filesOf(orders).filter((name) => before.includes(name))).toEqual([])
    // A restored value leaves files that a sweep destroys once there is a retention.
    await done(named(restore, 'EU'))
    await done(sweep(orders))
    expect(filesOf(orders)).toHaveLength(2)
    await done(sweep(orders, 0))
    await isWhole(orders)
    expect(filesOf(orders)).toHaveLength(1)
  },
  120_000,
)
