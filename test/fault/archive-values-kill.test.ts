/**
 * A program that archives one value of a plain table is killed at each of its named steps: all rows count once, and the
 * same command continues.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import {
  done,
  listedValues,
  makeOrders,
  named,
  orderCommands,
  ORDERS,
  whole,
  type Orders,
} from '../support/value-places.ts'
import { startArchiver } from './archive-kit.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-values-kill-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const STAGES = ['run', 'drop', 'restore'] as const
const END = { run: 'DETACHED', drop: 'DROPPED', restore: 'RESTORED' } as const
type Point = { readonly at: string; readonly when: 'before' | 'after' | 'during' }

const POINTS: Readonly<Record<(typeof STAGES)[number], readonly Point[]>> = {
  run: [
    { at: 'parquet', when: 'during' },
    { at: 'COMMIT state EXPORTED', when: 'before' },
    { at: 'COMMIT state VERIFIED', when: 'after' },
    { at: 'link ', when: 'after' },
    { at: 'COMMIT state PUBLISHED', when: 'after' },
    { at: 'COMMIT state DETACHED', when: 'before' },
  ],
  drop: [
    { at: 'DELETE FROM', when: 'after' },
    { at: 'COMMIT state DETACHED', when: 'after' },
    { at: 'COMMIT state DROPPED', when: 'before' },
  ],
  restore: [
    { at: 'COMMIT state DETACHED', when: 'after' },
    { at: 'COMMIT state RESTORED', when: 'after' },
    { at: 'link ', when: 'before' },
  ],
}
const DAY = Math.floor(Date.now() / 86_400_000)

async function isWhole(orders: Orders, where: string): Promise<void> {
  const [counted, wanted] = await whole(orders)
  expect(counted, where).toBe(wanted)
}

test.each(['sqlite', 'postgresql'] as const)(
  'all rows count once if the program is killed in %s',
  { timeout: 240_000 },
  async (system) => {
    const why = await missing(system)
    if (why !== '') return
    const values = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? null : i % 3 === 1 ? "o'hare" : "O'HARE"))
    const type = system === 'sqlite' ? 'TEXT COLLATE NOCASE' : 'text'
    const orders = await makeOrders(await makePlace(system, folder), mkdtempSync(join(folder, 'to-')), type, values)
    const standing = `SELECT id, region, note FROM ${ORDERS} ORDER BY id`
    const before = await orders.place.rows(standing)
    const commands = orderCommands(orders)
    let kills = 0
    for (const stage of STAGES) {
      const all = POINTS[stage]
      // Two steps per day, in rotation.
      const points = ALL ? all : [0, 1].flatMap((i) => all[(DAY * 2 + i) % all.length] ?? [])
      const operation = named(commands[stage], "o'hare", 'NULL')
      for (const point of points) {
        const { signal, finished } = await startArchiver(operation, { ...point, rows: 40 }).ended
        const where = `${stage} ${JSON.stringify(point)}`
        if (signal === 'SIGKILL') kills++
        else expect(finished, where).toMatchObject({ exitCode: 0 })
        await isWhole(orders, where)
      }
      await done(operation)
      await isWhole(orders, stage)
      expect((await listedValues(orders)).map((line) => line.split(' ').slice(0, 2))).toEqual([
        ['NULL', END[stage]],
        ["o'hare", END[stage]],
      ])
      await done(commands.verify)
    }
    expect(kills).toBeGreaterThan(2)
    expect(await orders.place.rows(standing)).toEqual(before)
  },
)
