/**
 * Number of sessions that a command opens on a database, as the server counts them (for Cassandra this machine), with
 * more tables than workers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import { commandsOf, makeBookings } from '../support/archive-places.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyBetween } from './cassandra-target-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-sessions-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TABLES = Array.from({ length: 12 }, (_, i) => `t${i + 1}`)
const WORKERS = 4
const LANES = 3

const OPEN = {
  postgresql: (url: string) =>
    `SELECT count(*) FROM pg_stat_activity WHERE datname = '${databaseOf(url)}' AND pid <> pg_backend_pid()`,
  mysql: (url: string) =>
    `SELECT count(*) FROM information_schema.processlist WHERE db = '${databaseOf(url)}' AND id <> connection_id()`,
} as const

const databaseOf = (url: string): string => new URL(url).pathname.slice(1)

/** The most sessions that were open on each database during an operation. */
async function counted(
  operation: Operation,
  places: readonly Place[],
): Promise<{ readonly ran: Ran; readonly most: readonly number[] }> {
  const open = async (place: Place): Promise<number> =>
    Number((await place.rows(OPEN[place.system as keyof typeof OPEN](place.url)))[0]?.[0])
  // The server needs some time to end the sessions of the previous run.
  for (const place of places) await vi.waitFor(async () => expect(await open(place)).toBe(0), 20_000)
  return await watched(
    operation,
    places.map((place) => () => open(place)),
  )
}

async function watched(
  operation: Operation,
  counts: readonly (() => number | Promise<number>)[],
): Promise<{ readonly ran: Ran; readonly most: readonly number[] }> {
  const most = counts.map(() => 0)
  let isDone = false
  const watch = counts.map(async (count, at) => {
    while (!isDone) {
      most[at] = Math.max(most[at] ?? 0, await count())
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
      // The limit of docs/explain/scale.md.
      expect([name, source <= WORKERS + 4, source]).toEqual([name, true, source])
      expect([name, target <= 3 * WORKERS + 12, target]).toEqual([name, true, target])
    }
  })
})

const change = (table: string): string => `UPDATE ${table} SET v = 'w' WHERE id % 3 = 0`

describe.each(['postgresql', 'mysql'] as const)('%s', (system) => {
  test('the sessions of a stream, and of its sign-off', { timeout: 120_000 }, async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const [from, to] = [await makePlace(system, folder), await makePlace(system, folder)]
    await from.sql(...TABLES.flatMap((t) => [`CREATE TABLE ${t} (id int PRIMARY KEY, v varchar(9))`, FILL[system](t)]))
    const copy = copyOf(from, to, '*', {
      chunkRows: 100,
      workers: WORKERS,
      follow: { cdc: 'trigger', until: 'caught-up', lanes: LANES },
    })
    const first = await counted(copy, [from, to])
    const stream = first.ran.events.find((event) => event.type === 'follow.started')?.stream ?? ''
    const follow = { kind: 'follow', stream, from: from.url, to: to.url, end: false, untilCaughtUp: false, untilEqual: true } as Operation // prettier-ignore
    await from.sql(...TABLES.map(change))
    for (const [name, { ran, most: counts }] of [
      ['copy --follow', first],
      ['follow --until-equal', await counted(follow, [from, to])],
      ['sign-off', await counted({ kind: 'sign-off', stream, from: from.url, to: to.url, tables: [] }, [from, to])],
    ] as const) {
      expect([name, ran.finished.error, ran.finished.exitCode]).toEqual([name, undefined, 0])
      const [source = 0, target = 0] = counts
      // The limit of docs/explain/scale.md.
      expect([name, source <= WORKERS + 4, source]).toEqual([name, true, source])
      const most = name === 'copy --follow' ? 3 * WORKERS + 12 : 2 * LANES + 6
      expect([name, target <= most, target]).toEqual([name, true, target])
    }
  })

  test('the sessions of archives', { timeout: 120_000 }, async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const place = await makePlace(system, folder)
    const made = await makeBookings(
      place,
      system === 'mysql' ? 'plain' : 'native',
      join(folder, `archive-${system}`),
      60,
    )
    const { run, drop } = commandsOf({ ...made, workers: 2 })
    for (const [name, operation] of [
      ['run', run],
      ['drop', drop],
    ] as const) {
      const { ran, most } = await counted(operation, [place])
      expect([name, ran.finished.error, ran.finished.exitCode]).toEqual([name, undefined, 0])
      const [open = 0] = most
      expect([name, open <= 4 * 2 + 8, open]).toEqual([name, true, open])
    }
  })
})

/** Connections of this process to a port, as the kernel lists them. */
function connectionsTo(port: number): number {
  const own = new Set(
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? []
      } catch {
        return []
      }
    }),
  )
  const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/self/net/${name}`, 'utf8').split('\n').slice(1))
  return lines.filter((line) => {
    const [, , remote = '', state, , , , , , inode = ''] = line.trim().split(/\s+/)
    return state === '01' && Number.parseInt(remote.split(':')[1] ?? '', 16) === port && own.has(inode)
  }).length
}

describe.skipIf(!CASSANDRA_AVAILABLE || process.platform !== 'linux')(`cassandra ${CASSANDRA_MISSING}`, () => {
  test('the connections of a copy, of --again and of a comparison', { timeout: 120_000 }, async () => {
    await using from = await newKeyspace()
    await using to = await newKeyspace()
    const some = TABLES.slice(0, 6)
    for (const table of some) {
      await from.cql(`CREATE TABLE ${table} (id int PRIMARY KEY, v text)`)
      for (let id = 0; id < 20; id++) await from.cql(`INSERT INTO ${table} (id, v) VALUES (${id}, 'v')`)
    }
    const port = Number(new URL(from.url).port)
    const before = connectionsTo(port)
    const copy = copyBetween(from.url, to.url, some, { workers: WORKERS, ring: { splits: 8 }, onExisting: 'upsert' })
    for (const [name, operation] of [
      ['copy', copy],
      ['again', { ...copy, again: true }],
      ['diff', { ...copy, kind: 'diff', limit: 1, fix: false, deleteExtra: false } as Operation],
    ] as const) {
      const { ran, most } = await watched(operation, [() => connectionsTo(port) - before])
      expect([name, ran.finished.error, ran.finished.exitCode]).toEqual([name, undefined, 0])
      const [open = 0] = most
      expect([name, open <= 2 * (2 + 2), open]).toEqual([name, true, open])
    }
  })
})
