/**
 * Tables that are drawn (type, value, name, key, settings), copied from every system to every other: what arrives is what the server itself says of the
 * source, or the copy is refused by name. `SLUICE_DRAW_SEED` repeats a run, `seed/draw` one draw of it; `SLUICE_DRAW_SECONDS` says how long.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, type System } from '../support/copy-systems.ts'
import { judgeCopy } from './support/copying.ts'
import { drawAll, SECONDS, type Found } from './support/drawing.ts'
import { drawTable } from './support/draw-table.ts'
import { dropPlace } from './support/places.ts'
import { pick, SEED, type Random } from './support/random.ts'
import type { DrawnSystem, DrawnTable, DrawnType } from './support/shape.ts'
import { duckdb } from './support/systems/duckdb.ts'
import { mysql } from './support/systems/mysql.ts'
import { postgresql } from './support/systems/postgresql.ts'
import { d1, sqlite } from './support/systems/sqlite.ts'

const SYSTEMS: readonly DrawnSystem[] = [postgresql, mysql, sqlite, duckdb, d1]

let folder: Folder
const types = new Map<System, readonly DrawnType[]>()
beforeAll(async () => {
  folder = temporaryFolder()
  for (const one of SYSTEMS) {
    if ((await missing(one.system)) !== '') continue
    const place = await makePlace(one.system, folder.path)
    types.set(one.system, await one.types(place))
    await dropPlace(place)
  }
})
afterAll(() => folder[Symbol.dispose]())

type Drawn = { readonly from: DrawnSystem; readonly to: DrawnSystem; readonly table: DrawnTable }

function draw(random: Random): Drawn {
  const there = SYSTEMS.filter(({ system }) => types.has(system))
  const from = pick(random, there)
  const to = random(3) === 0 ? from : pick(random, there)
  const table = drawTable(random, from, types.get(from.system) ?? [])
  return { from, to, table: { ...table, settings: from.settings(random, 'DRAWN_DATABASE') } }
}

describe(`drawn copies, SLUICE_DRAW_SEED=${SEED}`, () => {
  test('are equal, or refused by name', { timeout: (SECONDS + 240) * 1000, retry: 0 }, async () => {
    const found: readonly Found[] = await drawAll(draw, (one) => judgeCopy(one, folder.path))
    expect(found.map(({ text }) => text)).toEqual([])
  })
})
