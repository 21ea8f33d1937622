/** Tables that are drawn are followed while each of their rows changes: the server says the same of both sides, or the stream refuses them by name. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makePlace, missing, placeOn, type Place } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { drawAll, SECONDS, type Drawn } from './support/drawing.ts'
import { drawTable } from './support/draw-table.ts'
import { followedTable, judgeStream } from './support/following.ts'
import { dropPlace } from './support/places.ts'
import { pick, SEED, type Random } from './support/random.ts'
import type { DrawnSystem, DrawnType } from './support/shape.ts'
import { mysql } from './support/systems/mysql.ts'
import { postgresql } from './support/systems/postgresql.ts'

const ABSENT = (await missing('mysql')) || (POSTGRES_OWN ? '' : 'needs a PostgreSQL of its own')

describe.skipIf(ABSENT !== '')(`drawn streams, SLUICE_DRAW_SEED=${SEED} ${ABSENT}`, () => {
  let folder: Folder
  let server: PostgresServer
  const types = new Map<DrawnSystem, readonly DrawnType[]>()
  const make = (system: DrawnSystem): Promise<Place> =>
    system === postgresql ? placeOn('postgresql', server.url()) : makePlace(system.system, folder.path)

  beforeAll(async () => {
    folder = temporaryFolder()
    server = await startFollowServer()
    for (const system of [postgresql, mysql]) {
      const place = await make(system)
      types.set(system, await system.types(place))
      await dropPlace(place)
    }
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  function draw(random: Random): Drawn {
    const from = pick(random, [...types.keys()])
    const settings = from.settings(random, 'DRAWN_DATABASE')
    return { from, to: from, table: followedTable({ ...drawTable(random, from, types.get(from) ?? []), settings }) }
  }

  test('are equal, or refused by name', { timeout: (SECONDS + 240) * 1000, retry: 0 }, async () => {
    const found = await drawAll('stream', draw, (one) => judgeStream(one, () => make(one.from)))
    expect(found.map(({ text }) => text)).toEqual([])
  })
})
