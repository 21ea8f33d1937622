/**
 * Random tables are replicated by a stream while each of their rows changes, and their columns: the server prints the
 * same values for both sides, or the stream refuses the table by name.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { drawAlters, withComputed } from './support/altering.ts'
import { drawAll, SECONDS } from './support/drawing.ts'
import { drawTable } from './support/draw-table.ts'
import { followedTable, judgeStream, type Followed } from './support/following.ts'
import { Servers } from './support/places.ts'
import { pick, SEED, type Random } from './support/random.ts'
import type { DrawnSystem, DrawnType } from './support/shape.ts'
import { mysql } from './support/systems/mysql.ts'
import { postgresql } from './support/systems/postgresql.ts'
import { sqlite } from './support/systems/sqlite.ts'

describe.skipIf(!POSTGRES_OWN)(`streams of random tables, SLUICE_DRAW_SEED=${SEED}`, () => {
  const servers = new Servers({ tells: true })
  let folder: Folder
  let types: ReadonlyMap<DrawnSystem, readonly DrawnType[]>
  beforeAll(async () => {
    folder = temporaryFolder()
    types = await servers.typesOf([postgresql, mysql, sqlite], folder.path)
  })
  afterAll(async () => {
    await servers[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  function draw(random: Random): Followed {
    const from = pick(random, [...types.keys()])
    const own = types.get(from) ?? []
    const settings = [...from.settings(random, 'DRAWN_DATABASE'), ...(from === sqlite ? ['PRAGMA journal_mode = WAL'] : [])] // prettier-ignore
    const drawn = { ...drawTable(random, from, own), settings }
    // Most engines and table options cannot be replicated.
    const table = withComputed(random, followedTable(random(8) === 0 ? drawn : { ...drawn, options: '' }))
    const alters = random(4) === 0 ? [] : drawAlters(random, table, own)
    const cdc = from === postgresql ? pick(random, ['slot', 'slot', 'trigger'] as const) : 'trigger'
    return { from, to: from, table: { ...table, alters }, cdc, isLive: random(3) === 0 }
  }

  test(
    'streams of random tables are equal, or are refused by name',
    { timeout: (SECONDS + 240) * 1000, retry: 0 },
    async () => {
      const found = await drawAll('stream', draw, (one) => judgeStream(one, servers, folder.path))
      expect(found.map(({ text }) => text)).toEqual([])
    },
  )
})
