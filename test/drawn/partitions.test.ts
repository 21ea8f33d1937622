/**
 * Random tables become partitioned, are checked, and are cut over to the new table and back: the server prints the same
 * values for both, or the plan refuses the table.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { drawAll, SECONDS } from './support/drawing.ts'
import { drawTable } from './support/draw-table.ts'
import { judgeParting, timedTable, type Parted } from './support/parting.ts'
import { Servers } from './support/places.ts'
import { SEED, type Random } from './support/random.ts'
import type { DrawnType } from './support/shape.ts'
import { postgresql } from './support/systems/postgresql.ts'

describe.skipIf(!POSTGRES_OWN)(`partitioning of random tables, SLUICE_DRAW_SEED=${SEED}`, () => {
  const servers = new Servers({ tells: true })
  let folder: Folder
  let types: readonly DrawnType[] = []
  beforeAll(async () => {
    folder = temporaryFolder()
    types = (await servers.typesOf([postgresql], folder.path)).get(postgresql) ?? []
  })
  afterAll(async () => {
    await servers[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  function draw(random: Random): Parted {
    // A sign-off refuses a database that reads all partitions for each query.
    const settings = postgresql.settings(random, 'DRAWN_DATABASE').filter((one) => !one.includes('enable_partition_pruning')) // prettier-ignore
    const table = timedTable(random, { ...drawTable(random, postgresql, types), settings })
    return { from: postgresql, to: postgresql, table, isElsewhere: random(2) === 0 }
  }

  test(
    'partitioned random tables are equal, or are refused by name',
    { timeout: (SECONDS + 240) * 1000, retry: 0 },
    async () => {
      const found = await drawAll('partition', draw, (one) => judgeParting(one, servers, folder.path))
      expect(found.map(({ text }) => text)).toEqual([])
    },
  )
})
