/**
 * The first copy of a stream is made by all tasks of its run, while the source is written to: some workers are killed,
 * and the one that runs the stream is killed or frozen. The result is inspected from outside.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage, type TestWorker } from '../support/worker-stage.ts'

const ROWS = 30_000
const CHUNK = 100
const COPY = [
  'copy',
  '--from',
  'shop',
  '--to',
  'cold',
  '--follow',
  '--checkpoint-size',
  String(CHUNK),
  '--workers',
  '2',
]
const SUM = `SELECT count(*) || ' ' || md5(string_agg(id || note, ',' ORDER BY id)) AS sum FROM`

describe.skipIf(!POSTGRES_OWN)(`workers that copy for a stream ${POSTGRES_MISSING}`, { timeout: 240_000 }, () => {
  let stage: WorkerStage
  let stop = new AbortController()
  let writing: Promise<void> = Promise.resolve()
  beforeAll(async () => {
    stage = await WorkerStage.open(['wal_level=logical', 'max_replication_slots=10', 'max_wal_senders=10'])
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await stage.forgetRuns()
    await stage.ask(
      stage.data,
      'source',
      `DROP TABLE IF EXISTS t1, t2;
       ${['t1', 't2'].map((name) => `CREATE TABLE ${name} AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, ${ROWS}) g; ALTER TABLE ${name} ADD PRIMARY KEY (id); ANALYZE ${name}`).join(';')}`,
    )
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    stop = new AbortController()
    writing = write(stop.signal)
  })
  const workers: TestWorker[] = []
  const worker = (host: string): TestWorker => {
    const one = stage.worker({ host })
    workers.push(one)
    return one
  }
  afterEach(async () => {
    stop.abort()
    await writing
    for (const one of workers.splice(0)) {
      one.signal('SIGKILL')
      await one.ended
    }
  })

  /** Changes rows all over both tables until it is aborted. */
  async function write(signal: AbortSignal): Promise<void> {
    const client = new pg.Client({ connectionString: stage.data.url('source') })
    client.on('error', () => undefined)
    await client.connect()
    for (let n = 1; !signal.aborted; n++) {
      const id = (n * 7919) % ROWS
      await client.query(`UPDATE t1 SET note = 'now ' || $1 WHERE id = $2`, [n, id])
      await client.query(`DELETE FROM t2 WHERE id = $1`, [id])
      await client.query(`INSERT INTO t2 VALUES ($1, 'new'), ($2, 'again') ON CONFLICT DO NOTHING`, [ROWS + n, id - 1])
      await sleep(2)
    }
    await client.end()
  }

  async function target<R extends pg.QueryResultRow>(sql: string): Promise<readonly R[]> {
    try {
      return await stage.ask<R>(stage.data, 'target', sql)
    } catch {
      // The ledger does not exist yet.
      return []
    }
  }

  /** Completed chunks, by the host that completed them. */
  async function done(): Promise<Readonly<Record<string, number>>> {
    const rows = await target<{ host: string; n: number }>(
      `SELECT r.host, count(*)::int AS n FROM migration_checkpoints c JOIN migration_runs r ON r.run_id = c.run_id
       WHERE c.status = 'completed' GROUP BY r.host`,
    )
    return Object.fromEntries(rows.map(({ host, n }) => [host, n]))
  }

  const live = async (): Promise<boolean> =>
    (await target(`SELECT 1 FROM migration_stream_tables WHERE state = 'live'`)).length === 2

  /** Stops the writer; then both sides become equal. */
  async function expectEqual(): Promise<void> {
    stop.abort()
    await writing
    for (const name of ['t1', 't2']) {
      const [left] = await stage.ask(stage.data, 'source', `${SUM} ${name}`)
      await stage.until(`${name} is equal`, async () => {
        const [right] = await stage.ask(stage.data, 'target', `${SUM} ${name}`)
        return JSON.stringify(right) === JSON.stringify(left)
      })
    }
    // Each chunk was done once, and all chunks together cover the tables.
    const [chunks] = await target<{ n: number; distinct: number; open: number }>(
      `SELECT count(*)::int AS n, count(DISTINCT (table_name, chunk_no))::int AS distinct,
         count(*) FILTER (WHERE status <> 'completed')::int AS open FROM migration_checkpoints`,
    )
    expect(chunks).toMatchObject({ distinct: chunks?.n, open: 0 })
  }

  async function ended(run: string): Promise<void> {
    // Rows of a chunk count once, whichever worker has begun it before; a worker that was lost at its end may not have
    // reported them.
    const [copied] = await target<{ n: number }>('SELECT sum(rows_written)::int AS n FROM migration_checkpoints')
    const rows = async (): Promise<number> => Number((await stage.run(run)).rows)
    // The ledger is read every five seconds.
    await stage.until('the rows of the ledger', async () => (await rows()) > (copied?.n ?? 0) - 8000)
    expect(await rows()).toBeLessThanOrEqual(copied?.n ?? 0)
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'stopped', slots: { queued: 0, working: 0 } })
    expect(await target('SELECT * FROM migration_shared_copies')).toEqual([])
  }

  test('end equal if one that copies is killed, and then the one that runs the stream', async () => {
    const run = await stage.distribute(...COPY, '--tables', 't1,t2', '--rate', '4000', '--tasks', '3')
    const owner = worker('stream')
    await stage.until('the copy has begun', async () => ((await done())['stream'] ?? 0) > 2)
    const killed = worker('killed')
    worker('other')
    await stage.until('all three copy', async () => Object.keys(await done()).length === 3)
    killed.signal('SIGKILL')
    const before = (await done())['other'] ?? 0
    await stage.until('the others go on', async () => ((await done())['other'] ?? 0) > before + 5)
    expect(await live()).toBe(false)
    owner.signal('SIGKILL')
    worker('next')
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('both tables are live', live)
    await expectEqual()
    await ended(run)
  })

  test('end equal if the one that runs the stream is frozen until another has copied its tables', async () => {
    const run = await stage.distribute(...COPY, '--tables', 't1,t2', '--rate', '3000', '--tasks', '2')
    const frozen = worker('frozen')
    await stage.until('the copy has begun', async () => ((await done())['frozen'] ?? 0) > 2)
    worker('thawed')
    await stage.until('both copy', async () => Object.keys(await done()).length === 2)
    frozen.signal('SIGSTOP')
    const [since] = await stage.ask<{ at: string }>(stage.data, 'source', 'SELECT clock_timestamp()::text AS at')
    const silent = `SELECT pid FROM pg_stat_activity WHERE datname = 'source' AND state = 'idle in transaction' AND state_change < '${since?.at}'`
    expect(await stage.ask(stage.data, 'source', silent)).not.toEqual([])
    await stage.until('another one has the stream', async () => {
      const rows = await target<{ host: string }>(`SELECT host FROM migration_streams WHERE host IS NOT NULL`)
      return rows.some(({ host }) => host === 'thawed')
    })
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('both tables are live', live)
    // A session that needs an exclusive lock of a source table need not wait until the worker is thawed.
    await stage.until('the source has let go of it', async () => (await stage.ask(stage.data, 'source', silent)).length === 0) // prettier-ignore
    frozen.signal('SIGCONT')
    await expectEqual()
    await ended(run)
  })
})
