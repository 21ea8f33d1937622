/**
 * Wrong and jumping clocks: the lag follows the clock of the source, no alert is raised, and no program takes over the
 * stream of a live one.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { startWriter } from '../support/follow-writer.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer, writerStage } from '../support/follow-stage.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { of, saying, startCopy, type Child } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const HOUR_MS = 3_600_000
const ALERT = {
  conditions: [
    { cause: 'lag', limit: 60_000 },
    { cause: 'stalled', limit: 60_000 },
  ],
} as const

function lags({ events }: Child): readonly number[] {
  return of(events, 'follow.progress').map(({ lagMs }) => lagMs)
}

async function progressed(child: Child, times: number): Promise<void> {
  while (lags(child).length < times) await sleep(20)
}

describe.skipIf(!POSTGRES_OWN)('a stream', { timeout: 90_000 }, () => {
  test.each([5, -5].slice(0, ALL ? 2 : 1))(
    "whose program is %d hours ahead, and jumps, reports its lag by the source's clock",
    async (hours) => {
      const one = await writerStage(server, 300)
      const writer = startWriter(one.source.url, { seed: 3, keys: 300, pauseMs: 2 })
      const follow = { alert: ALERT, proveEveryMs: 500 }
      const child = startCopy({ ...one.copy, follow }, { aheadMs: hours * HOUR_MS, jumpsEveryMs: 700 })
      await progressed(child, 4)
      // A program on another machine, whose own clock says that the lease expired hours ago.
      const other = startCopy(one.copy, { aheadMs: 9 * HOUR_MS, host: 'elsewhere' })
      await saying(other, /waiting until its lease ends/)
      await child.until('follow.proved')
      await progressed(child, lags(child).length + 2)
      await writer.stop()
      for (const { process, ended } of [other, child]) {
        process.kill('SIGKILL')
        await ended
      }
      expect(of(child.events, 'alert')).toEqual([])
      expect(Math.min(...lags(child))).toBeGreaterThanOrEqual(0)
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await expectEqual(one)
    },
  )

  test('whose source was idle does not count the idle time as lag while a large transaction is applied', async () => {
    const one = await stageOf(server, ['CREATE TABLE t (id int PRIMARY KEY, v text)'], ['t'])
    const child = startCopy(one.copy)
    await progressed(child, 1)
    await one.source.sql('INSERT INTO t VALUES (0)')
    while ((await one.target.rows('SELECT 1 FROM t')).length === 0) await sleep(20)
    await sleep(4000)
    const began = Date.now()
    await one.source.sql("INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 150000) i")
    while ((await one.target.rows('SELECT 1 FROM t WHERE id = 150000')).length === 0) await sleep(20)
    await progressed(child, lags(child).length + 1)
    child.process.kill('SIGKILL')
    await child.ended
    expect(Math.max(...lags(child))).toBeGreaterThan(0)
    // While the source decodes, the lag is known only as of its last message.
    for (const { ts, lagMs } of of(child.events, 'follow.progress').filter(({ lagIs }) => lagIs === undefined))
      expect(lagMs).toBeLessThanOrEqual(Math.max(0, Date.parse(ts) - began))
  })
})
