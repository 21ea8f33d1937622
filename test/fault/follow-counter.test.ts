/**
 * One row that sessions increment 200 times a second: no alert, no false difference, and a final report of what was
 * compared.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { perform } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { of } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

/** @returns stops it, and returns the number of increments */
async function startCounter(url: string): Promise<() => Promise<number>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  let [isOver, counted] = [false, 0]
  const began = performance.now()
  const done = (async () => {
    while (!isOver) {
      await client.query('UPDATE cnt SET n = n + 1 WHERE id = 1')
      counted++
      await sleep(Math.max(0, began + counted * 5 - performance.now()))
    }
    await client.end()
  })()
  done.catch(() => undefined)
  return async () => {
    isOver = true
    await done
    return counted
  }
}

const ALERT = {
  conditions: [{ cause: 'lag', limit: 30_000 }, { cause: 'stalled', limit: 30_000 }, { cause: 'error' }],
} as const

describe.skipIf(!POSTGRES_OWN)('a row that is incremented 200 times a second', { timeout: 60_000 }, () => {
  test.each(ALL ? (['slot', 'trigger'] as const) : (['slot'] as const))(
    'is replicated by %s, and compared as of one position',
    async (cdc) => {
      const tables = [
        'CREATE TABLE cnt (id int PRIMARY KEY, n bigint)',
        'INSERT INTO cnt SELECT i, 0 FROM generate_series(1, 9) i',
      ]
      const one = await stageOf(server, tables, ['cnt'])
      const stop = await startCounter(one.source.url)
      const { finished, events } = await perform({ ...one.copy, follow: { cdc, until: 'equal', alert: ALERT } })
      const counted = await stop()
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
      expect(of(events, 'alert')).toEqual([])
      const proved = of(events, 'follow.proved')
      expect(proved.length).toBeGreaterThan(0)
      expect(proved.map(({ differing, unread }) => [differing, unread])).toEqual(proved.map(() => ['0', '0']))
      expect(await one.target.rows('SELECT count(*) FROM migration_repairs')).toEqual([['0']])
      // Rows in flight are not reported as equal.
      expect(finished.notChecked).toMatch(/^every row was found equal as of \S+/)
      const [[there = null] = []] = await one.target.rows('SELECT n FROM cnt WHERE id = 1')
      if (Number(there) > 0) expect(Number(there)).toBeLessThanOrEqual(counted)
      const last = await caughtUp(one)
      expect(last.finished.exitCode).toBe(0)
      expect(last.finished.notChecked).toMatch(/changed rows were not compared/)
      await expectEqual(one)
      expect(await one.target.rows('SELECT n FROM cnt WHERE id = 1')).toEqual([[String(counted)]])
    },
  )
})
