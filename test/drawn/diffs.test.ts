/** Random tables are copied, changed, compared and repaired: diff reports the rows that the server shows as changed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { judgeDiff } from './support/differing.ts'
import { drawAll, SECONDS, type Drawn } from './support/drawing.ts'
import { drawTable } from './support/draw-table.ts'
import { followedTable } from './support/following.ts'
import { Servers } from './support/places.ts'
import { pick, SEED, type Random } from './support/random.ts'
import type { DrawnSystem, DrawnType } from './support/shape.ts'
import { duckdb } from './support/systems/duckdb.ts'
import { mysql } from './support/systems/mysql.ts'
import { postgresql } from './support/systems/postgresql.ts'
import { d1, sqlite } from './support/systems/sqlite.ts'

const SYSTEMS = [postgresql, mysql, sqlite, duckdb, d1] as const

let folder: Folder
const servers = new Servers()
let types: ReadonlyMap<DrawnSystem, readonly DrawnType[]>
beforeAll(async () => {
  folder = temporaryFolder()
  types = await servers.typesOf(SYSTEMS, folder.path)
})
afterAll(async () => {
  await servers[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

function draw(random: Random): Drawn {
  const there = [...types.keys()]
  const from = pick(random, there)
  const to = random(3) === 0 ? from : pick(random, there)
  const settings = from.settings(random, 'DRAWN_DATABASE')
  const table = drawTable(random, from, types.get(from) ?? [])
  // The key identifies rows, and their other columns differ.
  return { from, to, table: { ...(random(2) === 0 ? followedTable(table) : table), settings } }
}

describe(`diffs of random tables, SLUICE_DRAW_SEED=${SEED}`, () => {
  test(
    'differences of random tables are reported and repaired, or the table is refused',
    { timeout: (SECONDS + 240) * 1000, retry: 0 },
    async () => {
      const found = await drawAll('diff', draw, (one) => judgeDiff(one, servers, folder.path))
      expect(found.map(({ text }) => text)).toEqual([])
    },
  )
})
