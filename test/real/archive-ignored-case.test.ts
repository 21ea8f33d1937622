/**
 * A file system that ignores case has one folder for values that differ in case only. A symbolic link stands for it:
 * both names lead to one folder, and a listing shows only one of them.
 */
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace } from '../support/copy-systems.ts'
import { done, makeOrders, named, orderCommands, whole, type Orders } from '../support/value-places.ts'

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
