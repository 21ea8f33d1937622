/**
 * Transactions that a server sends before they are visible: one that waits for a synchronous standby is applied long
 * before a snapshot of the source shows it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { caughtUp, expectEqual, stageOf, startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer(['synchronous_commit=local'])
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

describe.skipIf(!POSTGRES_OWN)('a transaction that is sent before it is visible', { timeout: 60_000 }, () => {
  test('is not a difference, and is never reverted', async () => {
    const one = await stageOf(
      server,
      ['CREATE TABLE t (id int PRIMARY KEY, v text)', "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 50) i"],
      ['t'],
    )
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.source.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", 'SELECT pg_reload_conf()')
    const client = new pg.Client({ connectionString: one.source.url })
    await client.connect()
    await client.query('SET synchronous_commit = on')
    const update = client.query("UPDATE t SET v = 'late' WHERE id = 7")
    const child = startCopy({ ...one.copy, follow: { until: 'equal' } })
    for (;;) {
      const [[there] = []] = await one.target.rows('SELECT v FROM t WHERE id = 7')
      if (there === 'late') break
      await sleep(20)
    }
    const [[here] = []] = await one.source.rows('SELECT v FROM t WHERE id = 7')
    expect(here).toBe('v')
    // Enough time for a comparison to report a false difference.
    await sleep(1500)
    await one.source.sql('ALTER SYSTEM RESET synchronous_standby_names', 'SELECT pg_reload_conf()')
    await update
    await client.end()
    const { finished, events } = await child.ended
    expect(finished).toMatchObject({ exitCode: 0 })
    expect(events.filter(({ type }) => type === 'difference')).toEqual([])
    await expectEqual(one)
  })
})
