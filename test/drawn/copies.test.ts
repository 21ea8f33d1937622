/**
 * Random tables (type, value, name, key, settings), copied from every system to every other: the server prints the same
 * values for both sides, or the copy is refused by name. `SLUICE_DRAW_SEED` repeats a run, or one draw of it as
 * `seed/draw`; `SLUICE_DRAW_SECONDS` sets the duration.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { CASES } from './cases.ts'
import { judgeCopy } from './support/copying.ts'
import { drawAll, SECONDS, type Drawn } from './support/drawing.ts'
import { drawTable } from './support/draw-table.ts'
import { Servers } from './support/places.ts'
import { pick, SEED, type Random } from './support/random.ts'
import type { DrawnSystem, DrawnType } from './support/shape.ts'
import { duckdb } from './support/systems/duckdb.ts'
import { mysql } from './support/systems/mysql.ts'
import { postgresql } from './support/systems/postgresql.ts'
import { d1, sqlite } from './support/systems/sqlite.ts'

const SYSTEMS = { postgresql, mysql, sqlite, duckdb, d1 } as const

let folder: Folder
const servers = new Servers()
let types: ReadonlyMap<DrawnSystem, readonly DrawnType[]>
beforeAll(async () => {
  folder = temporaryFolder()
  types = await servers.typesOf(Object.values(SYSTEMS), folder.path)
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
  const targetSettings = random(2) === 0 ? [] : to.settings(random, 'DRAWN_DATABASE')
  return { from, to, table: { ...drawTable(random, from, types.get(from) ?? []), settings, targetSettings } }
}

describe(`copies of random tables, SLUICE_DRAW_SEED=${SEED}`, { retry: 0 }, () => {
  test('copies of random tables are equal, or are refused by name', { timeout: (SECONDS + 240) * 1000 }, async () => {
    const found = await drawAll('copy', draw, (one) => judgeCopy(one, servers, folder.path))
    expect(found.map(({ text }) => text)).toEqual([])
  })

  test.each(CASES)('a table that failed once passes: $why', async ({ from, to, expected = 'equal', ...drawn }) => {
    if (!types.has(SYSTEMS[from]) || !types.has(SYSTEMS[to])) return
    const table = { name: 't', key: [], options: '', settings: [], ...drawn, system: from }
    const verdict = await judgeCopy({ from: SYSTEMS[from], to: SYSTEMS[to], table }, servers, folder.path)
    const text = 'text' in verdict ? verdict.text : ''
    expect(verdict, text).toMatchObject(expected === 'equal' ? { is: 'equal' } : { is: 'named', code: expected })
  })
})
