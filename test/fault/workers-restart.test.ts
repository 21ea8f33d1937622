/**
 * A copy that workers restart: one of them is lost in the middle, and another one completes it; former rows are
 * overwritten, and no row is there twice.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { makeOrders, WorkerStage } from '../support/worker-stage.ts'

const RESYNCED = `migration_chunk_history WHERE reason = 'resync'`
const COPY = ['copy', '--from', 'shop', '--to', 'cold', '--checkpoint-size', '100', '--workers', '1'] as const

describe.skipIf(!POSTGRES_OWN)(`a copy that workers restart ${POSTGRES_MISSING}`, { timeout: 180_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open(['wal_level=logical', 'max_replication_slots=10', 'max_wal_senders=10'])
    await makeOrders(stage, 20_000)
    await stage.ask(
      stage.data,
      'source',
      'CREATE TABLE lines AS SELECT * FROM orders; ALTER TABLE lines ADD PRIMARY KEY (id)',
    )
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  test('ends equal if the worker that has restarted it is killed', async () => {
    const words = [...COPY, '--tables', 'orders,lines']
    expect((await stage.sluice(...words)).code).toBe(0)
    await stage.ask(stage.data, 'target', `UPDATE orders SET note = 'stale'; DELETE FROM lines WHERE id % 3 = 0`)
    const run = await stage.distribute(...words, '--restart', '--on-existing', 'upsert', '--rate', '1000')
    const workers = [stage.worker(), stage.worker()]
    await stage.until('both at work', () => workers.every(({ slots }) => slots.includes('begun')))
    await stage.until('some chunks of it', async () => {
      const done = await stage.chunksDone()
      return done > 10 && done < 300
    })
    workers[0]?.signal('SIGKILL')
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
    // PostgreSQL writes a numeric without a scale by its value: the 3.0 of the source arrives as 3.
    const sumOf = (table: string, columns: string): string =>
      `SELECT count(*) || ' ' || md5(string_agg(${columns}, ',' ORDER BY id)) AS sum FROM ${table}`
    for (const sql of [sumOf('orders', 'id || note || amount::float8'), sumOf('lines', 'id || note || amount::float8')])
      expect(await stage.ask(stage.data, 'target', sql)).toEqual(await stage.ask(stage.data, 'source', sql))
    // A worker that takes over a table continues it, and does not restart it again.
    expect(await retired()).toBe(400)
  })

  test('restarts its stream once, whichever worker runs it next', async () => {
    await stage.forgetRuns()
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    const words = [...COPY, '--tables', 'orders,lines', '--follow']
    expect((await stage.sluice(...words, '--until-caught-up')).code).toBe(0)
    await stage.ask(stage.data, 'target', `UPDATE orders SET note = 'stale'; DELETE FROM lines WHERE id % 3 = 0`)
    const run = await stage.distribute(...words, '--restart', '--tasks', '3', '--rate', '2000')
    const owner = stage.worker({ host: 'stream' })
    await stage.until('the copy has begun', async () => (await completed()) > 3)
    const others = [stage.worker({ host: 'other' }), stage.worker({ host: 'next' })]
    await stage.until('others copy, too', async () => (await copiers()) > 1)
    owner.signal('SIGKILL')
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('it is live', async () => (await live()) === 2)
    expect([await retired(), await streams()]).toEqual([400, 2])
    // The stream is live, and its workers are lost.
    for (const one of others) one.signal('SIGKILL')
    await stage.ask(stage.data, 'source', `UPDATE orders SET note = 'late' WHERE id < 100`)
    stage.worker({ host: 'last' })
    await stage.until('what was late is there', async () => {
      const [row] = await stage.ask(stage.data, 'target', `SELECT count(*)::int AS n FROM orders WHERE note = 'late'`)
      return row?.['n'] === 99
    })
    expect([await retired(), await streams(), await live()]).toEqual([400, 2, 2])
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    // Resuming the run does not restart the stream either.
    await stage.sluice('ctl', run, 'resume', '--distributed')
    await stage.until('it goes on', async () => (await stage.run(run)).status === 'running')
    await stage.ask(stage.data, 'source', `UPDATE orders SET note = 'later' WHERE id < 100`)
    await stage.until('what was later is there', async () => {
      const [row] = await stage.ask(stage.data, 'target', `SELECT count(*)::int AS n FROM orders WHERE note = 'later'`)
      return row?.['n'] === 99
    })
    expect([await retired(), await streams(), await live()]).toEqual([400, 2, 2])
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    const sum = (table: string): string =>
      `SELECT count(*) || ' ' || md5(string_agg(id || note, ',' ORDER BY id)) AS sum FROM ${table}`
    for (const sql of [sum('orders'), sum('lines')])
      expect(await stage.ask(stage.data, 'target', sql)).toEqual(await stage.ask(stage.data, 'source', sql))
  })

  test('copies tables again within their stream once', async () => {
    await stage.forgetRuns()
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    expect((await stage.sluice(...COPY, '--tables', 'orders,lines', '--follow', '--until-caught-up')).code).toBe(0)
    const [stream] = await stage.ask(stage.data, 'target', 'SELECT stream_id FROM migration_streams')
    const run = await stage.distribute(
      'follow',
      String(stream?.['stream_id']),
      '--from',
      'shop',
      '--to',
      'cold',
      '--resync',
      'lines',
    )
    const first = stage.worker({ host: 'first' })
    await stage.until('it was emptied', async () => (await counted(RESYNCED)) > 0)
    await stage.until('both are live', async () => (await live()) === 2)
    first.signal('SIGKILL')
    await stage.ask(stage.data, 'source', `UPDATE lines SET note = 'now' WHERE id < 100`)
    stage.worker({ host: 'second' })
    await stage.until('what is newer is there', async () => (await counted(`lines WHERE note = 'now'`)) === 99)
    expect([await counted(RESYNCED), await live()]).toEqual([200, 2])
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
  })

  test('appends rows without a key once', async () => {
    await stage.forgetRuns()
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    await stage.ask(stage.data, 'source', 'DROP TABLE IF EXISTS loose; CREATE TABLE loose AS SELECT note FROM orders')
    const append = ['--table', 'loose', '--restart', '--on-existing', 'append', '--rate', '4000']
    const run = await stage.distribute('copy', '--from', 'shop', '--to', 'cold', '--checkpoint-size', '100', ...append)
    const first = stage.worker({ host: 'first' })
    await stage.until('some chunks of it', async () => (await stage.chunksDone()) > 2)
    first.signal('SIGKILL')
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    stage.worker({ host: 'second' })
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
    expect(await counted('loose')).toBe(20_000)
  })

  async function counted(sql: string): Promise<number> {
    const [row] = await stage.ask<{ n: number }>(stage.data, 'target', `SELECT count(*)::int AS n FROM ${sql}`)
    return row?.n ?? 0
  }

  const retired = (): Promise<number> => counted(`migration_chunk_history WHERE reason = 'restart'`)
  const completed = (): Promise<number> => counted(`migration_checkpoints WHERE status = 'completed'`)
  const streams = (): Promise<number> => counted('migration_streams')
  const live = (): Promise<number> =>
    counted(
      `migration_stream_tables t JOIN migration_streams s USING (stream_id) WHERE t.state = 'live' AND s.status = 'active'`,
    )
  const copiers = (): Promise<number> =>
    counted(
      `(SELECT DISTINCT r.host FROM migration_checkpoints c JOIN migration_runs r ON r.run_id = c.run_id WHERE c.status = 'completed') h`,
    )
})
