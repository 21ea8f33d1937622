/**
 * A source that decodes without sending differs from one at rest: its lag is not 0 and alerts are raised. At rest the
 * lag is 0.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, describe, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { perform } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

let server: PostgresServer
let stage: Stage

beforeAll(async () => {
  if (!POSTGRES_OWN) return
  server = await startFollowServer()
  const tables = ['CREATE TABLE t (id int PRIMARY KEY, "V ""x" text)', "INSERT INTO t VALUES (0, 'a')"]
  const guarded = ['CREATE TABLE guarded (v text)', 'ALTER TABLE guarded ENABLE ROW LEVEL SECURITY']
  stage = await stageOf(server, [...tables, ...guarded, 'CREATE TABLE noise (v text)'], ['t'])
  await caughtUp(stage)
  await stage.source.sql("INSERT INTO t VALUES (1, 'a')")
  await caughtUp(stage)
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

type Progress = Extract<Event, { type: 'follow.progress' }>

describe.skipIf(!POSTGRES_OWN)(`a stream ${POSTGRES_MISSING}`, { timeout: 90_000 }, () => {
  test('has a lag while the source decodes and sends nothing, also after reconnecting, and none while only other tables change', async () => {
    const { source, target, copy } = stage
    const [interrupt, events]: [Interrupter, Event[]] = [new Interrupter(), []]
    const conditions = [
      { cause: 'lag', limit: 2000 },
      { cause: 'stalled', limit: 1000 },
      { cause: 'rate', limit: 1 },
    ] as const
    const running = perform(
      { ...copy, follow: { alert: { conditions: [...conditions] } } },
      { interrupt, onEvent: (event) => void events.push(event) },
    )
    const reported = (): readonly Progress[] => events.filter((event) => event.type === 'follow.progress')
    const alerts = (): readonly string[] =>
      events.flatMap((event) => (event.type === 'alert' ? `${event.cause} ${event.state}` : [])).toSorted()
    while (reported().at(-1)?.lagMs !== 0) await sleep(50)

    // Opening the guarded table reads this catalog: the walsender waits for the lock before it has decoded the first
    // change.
    const open = await connected(source.url)
    await open.query(
      "BEGIN; INSERT INTO guarded VALUES ('a'); INSERT INTO t SELECT i, 'a' FROM generate_series(2, 3000) i",
    )
    const lock = await connected(source.url)
    await lock.query('BEGIN; LOCK TABLE pg_catalog.pg_policy IN ACCESS EXCLUSIVE MODE')
    await open.query('COMMIT')
    await open.end()
    while (alerts().length < 3) await sleep(50)
    expect(alerts()).toEqual(['lag raised', 'rate raised', 'stalled raised'])
    expect(reported().at(-1)).toMatchObject({ lagIs: 'at most' })
    await lock.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active')
    while (!events.some((event) => event.type === 'log' && event.message.includes('opened again'))) await sleep(50)
    const opened = reported().length
    while (reported().length < opened + 3) await sleep(50)
    for (const one of reported().slice(opened)) {
      expect(one).toMatchObject({ lagIs: 'at most' })
      expect(one.lagMs).toBeGreaterThan(6000)
      expect(one.remainingMs).toBeUndefined()
    }
    expect(alerts()).toHaveLength(3)
    await lock.end()
    while (alerts().length < 6) await sleep(50)
    expect(alerts()).toEqual(expect.arrayContaining(['lag cleared', 'rate cleared', 'stalled cleared']))
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['3001']])

    while (reported().at(-1)?.lagMs !== 0) await sleep(50)
    const before = reported().length
    while (reported().length < before + 8) {
      await source.sql("INSERT INTO noise SELECT repeat('x', 100) FROM generate_series(1, 2000)")
      await sleep(20)
    }
    expect(
      reported()
        .slice(before)
        .map(({ lagMs }) => lagMs),
    ).toEqual(
      reported()
        .slice(before)
        .map(() => 0),
    )
    interrupt.requestStop()
    await running
    expect(alerts().filter((one) => one.endsWith('raised'))).toHaveLength(3)
    await expectEqual(stage)
  })
})
