/**
 * Random tables are archived, queried and restored: the server prints the same values as before, or the plan refuses
 * the table by name.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { judgeArchive, leavingTable } from './support/archiving.ts'
import { drawAll, SECONDS, type Drawn } from './support/drawing.ts'
import { drawTable } from './support/draw-table.ts'
import { Servers } from './support/places.ts'
import { pick, SEED, type Random } from './support/random.ts'
import type { DrawnSystem, DrawnType } from './support/shape.ts'
import { mysql } from './support/systems/mysql.ts'
import { postgresql } from './support/systems/postgresql.ts'
import { sqlite } from './support/systems/sqlite.ts'

let folder: Folder
const servers = new Servers()
let types: ReadonlyMap<DrawnSystem, readonly DrawnType[]>
beforeAll(async () => {
  folder = temporaryFolder()
  types = await servers.typesOf([postgresql, mysql, sqlite], folder.path)
})
afterAll(async () => {
  await servers[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

function draw(random: Random): Drawn {
  const from = pick(random, [...types.keys()])
  const settings = from.settings(random, 'DRAWN_DATABASE')
  return { from, to: from, table: leavingTable({ ...drawTable(random, from, types.get(from) ?? []), settings }) }
}

describe(`archives of random tables, SLUICE_DRAW_SEED=${SEED}`, () => {
  test(
    'random tables are equal after archive and restore, or are refused by name',
    { timeout: (SECONDS + 240) * 1000, retry: 0 },
    async () => {
      const found = await drawAll('archive', draw, (one) => judgeArchive(one, servers, folder.path))
      expect(found.map(({ text }) => text)).toEqual([])
    },
  )
})
