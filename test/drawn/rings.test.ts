/**
 * Random tables of Cassandra and of SQL systems, copied into Cassandra or out of it: values, write times and TTLs are
 * those that the servers report.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { judgeCopy } from './support/copying.ts'
import { drawAll, SECONDS, type Drawn } from './support/drawing.ts'
import { drawTable } from './support/draw-table.ts'
import { Servers } from './support/places.ts'
import { pick, SEED, type Random } from './support/random.ts'
import type { DrawnSystem, DrawnType } from './support/shape.ts'
import { ring } from './support/systems/cassandra.ts'
import { duckdb } from './support/systems/duckdb.ts'
import { mysql } from './support/systems/mysql.ts'
import { postgresql } from './support/systems/postgresql.ts'
import { sqlite } from './support/systems/sqlite.ts'

const SYSTEMS = [ring, postgresql, mysql, sqlite, duckdb] as const

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
  const others = [...types.keys()]
  const isSource = random(3) > 0
  const from = isSource ? ring : pick(random, others)
  const to = isSource ? pick(random, [ring, ring, ...others]) : ring
  const settings = from.settings(random, 'DRAWN_DATABASE')
  const targetSettings = random(2) === 0 ? [] : to.settings(random, 'DRAWN_DATABASE')
  const table = drawTable(random, from, types.get(from) ?? [])
  // A table of Cassandra needs a key.
  return { from, to, table: { ...table, key: table.key.length === 0 ? [0] : table.key, settings, targetSettings } }
}

describe.skipIf(!CASSANDRA_AVAILABLE)(
  `Cassandra copies of random tables, SLUICE_DRAW_SEED=${SEED} ${CASSANDRA_MISSING}`,
  { retry: 0 },
  () => {
    test('copies of random tables are equal, or are refused by name', { timeout: (SECONDS + 240) * 1000 }, async () => {
      const found = await drawAll('ring', draw, (one) => judgeCopy(one, servers, folder.path))
      expect(found.map(({ text }) => text)).toEqual([])
    })
  },
)
