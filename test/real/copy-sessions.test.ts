/** How many sessions a command has open at a database, by the server's own count, over more tables than it has workers. */
import { setTimeout as sleep } from 'node:timers/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import type { Operation } from '../../src/engine/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-sessions-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TABLES = Array.from({ length: 12 }, (_, i) => `t${i + 1}`)
const WORKERS = 4

const OPEN = {
  postgresql: (url: string) =>
    `SELECT count(*) FROM pg_stat_activity WHERE datname = '${databaseOf(url)}' AND pid <> pg_backend_pid()`,
  mysql: (url: string) =>
    `SELECT count(*) FROM information_schema.processlist WHERE db = '${databaseOf(url)}' AND id <> connection_id()`,
} as const

const databaseOf = (url: string): string => new URL(url).pathname.slice(1)

/** The most sessions that were open at each place while an operation ran. */
async function counted(
  operation: Operation,
  places: readonly Place[],
): Promise<{ readonly ran: Ran; readonly most: readonly number[] }> {
  const most = places.map(() => 0)
  const open = async (place: Place): Promise<number> =>
    Number((await place.rows(OPEN[place.system as keyof typeof OPEN](place.url)))[0]?.[0])
  // A server takes its time to let go of the sessions of the run before.
  for (const place of places) await vi.waitFor(async () => expect(await open(place)).toBe(0), 20_000)
  let isDone = false
  const watch = places.map(async (place, at) => {
    while (!isDone) {
      most[at] = Math.max(most[at] ?? 0, await open(place))
      await sleep(5)
    }
  })
  try {
    const ran = await perform(operation)
    return { ran, most }
  } finally {
    isDone = true
    await Promise.all(watch)
  }
}

const FILL = {
  postgresql: (table: string) => `INSERT INTO ${table} SELECT i, 'v' FROM generate_series(1, 400) i`,
  mysql: (table: string) =>
    `INSERT INTO ${table} WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 400) SELECT i, 'v' FROM s`,
} as const

describe.each(['postgresql', 'mysql'] as const)('%s', (system) => {
  test('the sessions of a copy, of --again and of a comparison', { timeout: 120_000 }, async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const [from, to] = [await makePlace(system, folder), await makePlace(system, folder)]
    await from.sql(...TABLES.flatMap((t) => [`CREATE TABLE ${t} (id int PRIMARY KEY, v varchar(9))`, FILL[system](t)]))
    const copy = copyOf(from, to, '*', { chunkRows: 100, workers: WORKERS })
    for (const [name, operation] of [
      ['copy', copy],
      ['again', { ...copy, again: true }],
      ['copy when all is done', copy],
      ['diff', { ...copy, kind: 'diff', limit: 1, fix: false, deleteExtra: false } as Operation],
    ] as const) {
      const { ran, most } = await counted(operation, [from, to])
      expect([ran.finished.error, ran.finished.exitCode]).toEqual([undefined, 0])
      const [source = 0, target = 0] = most
      // As docs/SCALE.md has it.
      expect([name, source <= WORKERS + 4, source]).toEqual([name, true, source])
      expect([name, target <= 3 * WORKERS + 12, target]).toEqual([name, true, target])
    }
  })
})
