/**
 * A table of the target that was emptied by others is detected at the next start; a table that the stream has emptied
 * itself is accepted.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { atOnce } from '../support/at-once.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, perform, type Place, type RunOptions } from '../support/copy-systems.ts'
import { caughtUp, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer
const folder = mkdtempSync(join(tmpdir(), 'sluice-same-target-'))

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const GOES_ON = { exitCode: 0 }
const HALTS = {
  exitCode: 5,
  error: { code: 'STREAM_HALTED', message: expect.stringMatching(/queue holds no rows/) as string },
}
const SYSTEMS = ALL ? (['postgresql', 'sqlite', 'duckdb'] as const) : (['postgresql'] as const)

async function targetOn(system: (typeof SYSTEMS)[number]): Promise<Place | undefined> {
  return system === 'postgresql' ? undefined : await makePlace(system, folder)
}

/**
 * A copy that was killed before it reached `queue`: changes from here on are in its chunk, and the stream reports them,
 * too.
 * @param jobs number of rows in `queue`
 */
async function killedCopy(jobs: number, to?: Place): Promise<Stage> {
  const one = await stageOf(
    server,
    [
      'CREATE TABLE history (id int PRIMARY KEY, t text)',
      "INSERT INTO history SELECT i, 'h' || i FROM generate_series(1, 2000) i",
      'CREATE TABLE queue (id int PRIMARY KEY, payload text)',
      `INSERT INTO queue SELECT i, 'job' FROM generate_series(1, ${jobs}) i`,
    ],
    ['history', 'queue'],
    200,
    to,
  )
  const copy = { ...one.copy, workers: 1 }
  const child = startCopy(copy, { killedBy: { type: 'chunk.done', times: 3 } })
  expect((await child.ended).signal).toBe('SIGKILL')
  return { ...one, copy }
}

async function jobsIn({ target }: Stage): Promise<string | null | undefined> {
  return (await target.rows('SELECT count(*) FROM queue'))[0]?.[0]
}

describe.skipIf(!POSTGRES_OWN).each(SYSTEMS)(`a target on %s ${POSTGRES_MISSING}`, { timeout: 60_000 }, (system) => {
  test('that was emptied is detected, however often its changes were counted', async () => {
    const one = await killedCopy(200, await targetOn(system))
    await one.source.sql('DELETE FROM queue WHERE id <= 100')
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    expect(await jobsIn(one)).toBe('100')
    await one.target.sql('DELETE FROM queue')
    expect((await caughtUp(one)).finished).toMatchObject(HALTS)
    // The stream stays halted until the table is copied again.
    expect((await caughtUp(one)).finished).toMatchObject(HALTS)
    const resync = ['queue']
    expect((await perform({ ...one.copy, follow: { until: 'caught-up', resync } })).finished).toMatchObject(GOES_ON)
    expect(await jobsIn(one)).toBe('100')
    await one.target.sql('DELETE FROM queue')
    expect((await caughtUp(one)).finished).toMatchObject(HALTS)
  })

  test('whose columns have swapped names between two runs is written to only after a resync', async () => {
    const made = ['CREATE TABLE t (id int PRIMARY KEY, v text, w text)', "INSERT INTO t VALUES (1, 'v', 'w')"]
    const one = await stageOf(server, made, ['t'], 100, await targetOn(system))
    const exchange = (): Promise<void> =>
      one.target.sql(...['v TO x', 'w TO v', 'x TO w'].map((names) => `ALTER TABLE t RENAME COLUMN ${names}`))
    const rows = (): Promise<unknown> => one.target.rows('SELECT v, w FROM t ORDER BY id')
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    await exchange()
    await one.source.sql("INSERT INTO t VALUES (2, 'v', 'w')")
    expect((await caughtUp(one)).finished).toMatchObject({
      exitCode: 4,
      error: { code: 'TABLE_REFUSED', hint: expect.stringContaining('--resync') as string },
    })
    expect(await rows()).toEqual([['w', 'v']])
    await exchange()
    await one.target.sql('ALTER TABLE t ADD COLUMN z int')
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    expect(await rows()).toEqual([
      ['v', 'w'],
      ['v', 'w'],
    ])
    await exchange()
    const again = await perform({ ...one.copy, follow: { until: 'caught-up', resync: ['t'] } })
    expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject(GOES_ON)
    await one.source.sql("INSERT INTO t VALUES (3, 'v', 'w')")
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    expect(await rows()).toEqual(Array.from({ length: 3 }, () => ['v', 'w']))
  })

  test('that the stream has emptied is accepted', async () => {
    const one = await killedCopy(0, await targetOn(system))
    await one.source.sql("INSERT INTO queue SELECT i, 'job' FROM generate_series(1, 100) i")
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    await one.source.sql('DELETE FROM queue')
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    expect(await jobsIn(one)).toBe('0')
    await one.source.sql("INSERT INTO queue VALUES (1, 'job')")
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    expect(await jobsIn(one)).toBe('1')
    await one.source.sql('TRUNCATE queue')
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    await one.source.sql("INSERT INTO queue SELECT i, 'job' FROM generate_series(1, 5) i")
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    await one.target.sql('DELETE FROM queue')
    expect((await caughtUp(one)).finished).toMatchObject(HALTS)
  })
})

describe.skipIf(!POSTGRES_OWN)(`a target of a stream ${POSTGRES_MISSING}`, { timeout: 60_000 }, () => {
  test('that was emptied is detected if the run before was killed while it applied changes', async () => {
    const one = await killedCopy(200)
    const child = startCopy(one.copy)
    await child.until('follow.progress')
    await one.source.sql('DELETE FROM queue WHERE id <= 150', "INSERT INTO queue VALUES (1000, 'job')")
    await expect.poll(() => jobsIn(one), { timeout: 20_000 }).toBe('51')
    child.process.kill('SIGKILL')
    await child.ended
    await one.target.sql('DELETE FROM queue')
    expect((await caughtUp(one)).finished).toMatchObject(HALTS)
  })

  test('that was emptied before any change was applied to it is detected', async () => {
    const one = await killedCopy(200)
    const child = startCopy(one.copy, { killedBy: { type: 'follow.table', times: 1 } })
    await child.ended
    await one.target.sql('DELETE FROM queue')
    expect((await caughtUp(one)).finished).toMatchObject(HALTS)
  })

  test('continues with a ledger without row counts, and with one from a program that did not know them', async () => {
    const one = await killedCopy(0)
    await one.source.sql("INSERT INTO queue SELECT i, 'job' FROM generate_series(1, 100) i")
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    await one.source.sql('DELETE FROM queue')
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    const [[counts = ''] = []] = await one.target.rows('SELECT counts FROM migration_stream_lanes')
    const { 'public.queue': queue, ...others } = JSON.parse(counts ?? '') as Record<string, { deletes: number }>
    for (const held of [undefined, { rows: 100, changes: 100 }]) {
      const old = JSON.stringify({ ...others, 'public.queue': { ...queue, held } })
      await one.target.sql(`UPDATE migration_stream_lanes SET counts = '${old}'`)
      await one.source.sql("INSERT INTO queue VALUES (1, 'job')")
      expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
      await one.source.sql('DELETE FROM queue')
      expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
      expect(await jobsIn(one)).toBe('0')
    }
  })
})

const PARTS = [
  'CREATE TABLE t (id int PRIMARY KEY, v int)',
  'INSERT INTO t SELECT i, 0 FROM generate_series(1, 50) i',
  'CREATE TABLE ev (id int, d date, PRIMARY KEY (id, d)) PARTITION BY RANGE (d)',
  "CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
  "CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
  "INSERT INTO ev SELECT i, date '2026-01-01' + i % 50 FROM generate_series(1, 100) i",
]

describe.skipIf(!POSTGRES_OWN)(`a source that changes in a comparison ${POSTGRES_MISSING}`, { timeout: 60_000 }, () => {
  const LOST = {
    exitCode: 5,
    error: { code: 'STREAM_HALTED', message: expect.stringMatching(/ev/) as string },
  }

  /** Truncates a partition right after a table was compared, when no transaction of the comparison is open. */
  const truncating = (url: string): Required<Pick<RunOptions, 'onEvent'>> => {
    let isTruncated = false
    return {
      onEvent: (event) => {
        if (isTruncated || event.type !== 'follow.proved') return
        isTruncated = true
        atOnce(url, 'TRUNCATE ev_2')
      },
    }
  }

  test('and loses the rows of a partition is not reported as equal', async () => {
    const one = await stageOf(server, PARTS, ['t', 'ev'])
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    // The first comparison finds a row to repair, so that another comparison follows.
    await one.target.sql('UPDATE t SET v = 7 WHERE id = 3')
    const equal = { ...one.copy, follow: { until: 'equal' } } as const
    expect((await perform(equal, truncating(one.source.url))).finished).toMatchObject(LOST)
  })

  test('and loses them after the comparison is not signed off', async () => {
    const one = await stageOf(server, PARTS, ['t', 'ev'])
    expect((await caughtUp(one)).finished).toMatchObject(GOES_ON)
    const [[stream] = []] = await one.target.rows('SELECT stream_id FROM migration_streams')
    const { from, to } = one.copy
    const signOff = { kind: 'sign-off', stream: stream ?? '', from, to, tables: [] } as const
    expect((await perform(signOff, truncating(one.source.url))).finished).toMatchObject(LOST)
  })
})
