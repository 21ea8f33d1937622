/** Members of an enum that are renamed between the copy and the removal of the rows that have them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { done, makeOrders, named, orderCommands, textLiteral, whole } from '../support/value-places.ts'

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const CASES = {
  postgresql: {
    before: ["CREATE TYPE area AS ENUM ('eu', 'us')"],
    type: 'area',
    rename: ["ALTER TYPE area RENAME VALUE 'eu' TO 'EU'"],
    swap: ["ALTER TYPE area RENAME VALUE 'us' TO 'eu'"],
    back: ["ALTER TYPE area RENAME VALUE 'EU' TO 'eu'"],
  },
  mysql: {
    before: [],
    type: "enum('eu', 'us') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    rename: ["ALTER TABLE orders MODIFY region enum('EU', 'us') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"],
    swap: [],
    back: ["ALTER TABLE orders MODIFY region enum('eu', 'us') CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"],
  },
} as const

const SYSTEMS = ['postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))

describe.each(SYSTEMS)('%s, a renamed member of an enum', (system) => {
  const why = WITHOUT.get(system) ?? ''
  it.skipIf(why !== '')(`is not archived twice${why}`, { timeout: 60_000 }, async () => {
    const { before, type, rename, swap, back } = CASES[system]
    const place = await makePlace(system, folder.path)
    if (before.length > 0) await place.sql(...before)
    const orders = await makeOrders(place, folder.path, type, ['eu', 'eu', 'us'], textLiteral)
    const { run, plan, drop } = orderCommands(orders)
    await done(named(run, 'eu'))
    await place.sql(...rename)
    for (const operation of [named(run, 'EU'), plan, named(run, 'us'), drop]) {
      const { finished } = await perform(operation)
      expect(finished.error).toMatchObject({ code: 'PLAN_CHANGED' })
      expect(finished.error?.message).toMatch(
        /archived by region.*'eu' is called 'EU'|partitioned by region, which is of type enum\('EU'/,
      )
    }
    const [counted, wanted] = await whole(orders)
    expect(counted).toBe(wanted)
    await place.sql(...back)
    await done(named(run, 'us'))
    await done(drop)
    expect(await place.rows('SELECT count(*) FROM orders')).toEqual([['0']])
    expect((await whole(orders))[0]).toBe(wanted)
    if (system === 'mysql') return
    // Rows that left keep their text: a new name of their member is no reason to refuse, another member is.
    await place.sql(...rename)
    await done(plan)
    await place.sql(...swap)
    expect((await perform(plan)).finished.error).toMatchObject({ code: 'PLAN_CHANGED' })
  })
})
