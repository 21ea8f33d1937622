/**
 * One worker runs a stream, and others compare for it: one of them is killed while it compares, and then the one that
 * runs the stream; differences are repaired. The result is inspected from outside.
 */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage, type TestWorker } from '../support/worker-stage.ts'

const TABLES = ['t1', 't2', 't3', 't4', 't5', 't6'] as const
const ROWS = 2000

describe.skipIf(!POSTGRES_OWN)(`workers that compare for a stream ${POSTGRES_MISSING}`, { timeout: 240_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open(['wal_level=logical', 'max_replication_slots=10', 'max_wal_senders=10'])
    const made = TABLES.map(
      (name) =>
        `CREATE TABLE ${name} AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, ${ROWS}) g; ALTER TABLE ${name} ADD PRIMARY KEY (id)`,
    )
    await stage.ask(stage.data, 'source', made.join(';'))
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  async function target<R extends pg.QueryResultRow>(sql: string): Promise<readonly R[]> {
    try {
      return await stage.ask<R>(stage.data, 'target', sql)
    } catch {
      // The ledger does not exist yet.
      return []
    }
  }

  /** Number of tables without a difference in the newest round, and least number of rounds per table. */
  async function proofs(): Promise<{ equal: number; rounds: number }> {
    const [row] = await target<{ equal: number; rounds: number }>(
      `SELECT count(*) FILTER (WHERE differing = 0 AND source_rows = target_rows)::int AS equal, min(n)::int AS rounds FROM (
         SELECT DISTINCT ON (table_name) *, count(*) OVER (PARTITION BY table_name) AS n
         FROM migration_stream_proofs ORDER BY table_name, proved_ms DESC) newest`,
    )
    return { equal: row?.equal ?? 0, rounds: row?.rounds ?? 0 }
  }

  const ranges = (): Promise<readonly { host: string; status: string; table_no: number }[]> =>
    target(`SELECT host, status, table_no FROM migration_proof_ranges ORDER BY range_no`)

  /** Locks tables of the target, so that comparisons of them wait. */
  async function locked(...names: readonly string[]): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: stage.data.url('target') })
    client.on('error', () => undefined)
    await client.connect()
    await client.query(`BEGIN; LOCK TABLE ${names.join(', ')} IN ACCESS EXCLUSIVE MODE`)
    return client
  }

  async function expectEqual(): Promise<void> {
    for (const name of TABLES) {
      const sql = `SELECT count(*) || ' ' || md5(string_agg(id || note, ',' ORDER BY id)) AS sum FROM ${name}`
      const [left] = await stage.ask(stage.data, 'source', sql)
      const [right] = await stage.ask(stage.data, 'target', sql)
      expect(right, name).toEqual(left)
    }
  }

  test('continue if one that compares is killed, and then the one that runs the stream', async () => {
    await stage.endWorkers()
    const run = await stage.distribute(
      'copy',
      '--from',
      'shop',
      '--to',
      'cold',
      '--tables',
      TABLES.join(','),
      '--follow',
      '--prove-every',
      '1s',
      '--tasks',
      '3',
    )
    const owner = stage.worker({ host: 'stream' })
    await stage.until('all tables equal, compared by one worker', async () => (await proofs()).equal === TABLES.length)
    expect(await stage.run(run)).toMatchObject({ status: 'running', slots: { working: 1 } })

    // Two ranges cannot be completed while the tables are locked: one belongs to the owner, the other one to a worker
    // that is killed.
    const lock = await locked('t1', 't2')
    const comparer = stage.worker({ host: 'killed' })
    await stage.until('the killed one holds a range', async () =>
      (await ranges()).some(({ host, status }) => host === 'killed' && status === 'held'),
    )
    const other = stage.worker({ host: 'other' })
    await stage.until('others have answered', async () => {
      const found = await ranges()
      return found.filter(({ status }) => status === 'done').length === TABLES.length - 2
    })
    comparer.signal('SIGKILL')
    const { rounds } = await proofs()
    await lock.query('COMMIT')
    await lock.end()
    await stage.until('the round ends without the killed one', async () => (await proofs()).rounds > rounds)
    expect(await proofs()).toMatchObject({ equal: TABLES.length })

    // Rows that another session writes into the target are found, whichever worker compares them, and repaired.
    await stage.ask(stage.data, 'target', `UPDATE t5 SET note = 'no' WHERE id = 7; DELETE FROM t6 WHERE id = 8`)
    await stage.until('it is mended', async () => {
      const wrong = await target<{ n: number }>(
        `SELECT (SELECT count(*) FROM t5 WHERE note = 'no') + ${ROWS} - (SELECT count(*) FROM t6) AS n`,
      )
      return Number(wrong[0]?.n) === 0
    })

    // In the middle of a round that other workers share.
    const second = await locked('t3')
    await stage.until('a round goes on', async () => (await ranges()).some(({ status }) => status === 'done'))
    owner.signal('SIGKILL')
    await second.query('COMMIT')
    await second.end()
    await stage.ask(
      stage.data,
      'source',
      `INSERT INTO t1 SELECT g, 'later' FROM generate_series(${ROWS + 1}, ${ROWS + 10}) g`,
    )
    const before = (await proofs()).rounds
    await stage.until('another worker has the stream, and its rounds end', async () => {
      const now = await proofs()
      return now.rounds > before + 1 && now.equal === TABLES.length
    })
    await stage.until('what came later is there', async () => {
      const [found] = await target<{ n: number }>(`SELECT count(*)::int AS n FROM t1 WHERE note = 'later'`)
      return found?.n === 10
    })
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'stopped', slots: { queued: 0, working: 0, ended: 3 } })
    expect(await ranges()).toEqual([])
    await expectEqual()
    expect(failures([other])).toEqual([])
  })

  test('a frozen worker with a locked table releases it: a TRUNCATE waits no longer than a lease', async () => {
    // A worker of the test before, or of an earlier attempt, would take the only range that is left for the frozen one.
    await stage.endWorkers()
    await stage.forgetRuns()
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    const run = await stage.distribute(
      'copy',
      '--from',
      'shop',
      '--to',
      'cold',
      '--tables',
      't1,t2,t3',
      '--restart',
      '--follow',
      '--prove-every',
      '1s',
      '--tasks',
      '2',
    )
    stage.worker({ host: 'stream2' })
    await stage.until('all tables equal, compared by one worker', async () => {
      const now = await proofs()
      return now.equal === 3 || now
    })
    const lock = await locked('t1', 't2')
    const frozen = stage.worker({ host: 'frozen' })
    await stage.until('the one that is frozen holds a range', async () => {
      const now = await ranges()
      return now.some(({ host, status }) => host === 'frozen' && status === 'held') || now
    })
    frozen.signal('SIGSTOP')
    await lock.query('COMMIT')
    await lock.end()
    await stage.ask(stage.data, 'source', 'TRUNCATE t1, t2, t3')
    await stage.until(
      'the tables are empty in the target, too',
      async () => {
        const [row] = await target<{ n: number }>(
          'SELECT ((SELECT count(*) FROM t1) + (SELECT count(*) FROM t2) + (SELECT count(*) FROM t3))::int AS n',
        )
        return row?.n === 0 || row
        // Both sides have ended the frozen worker's sessions; the stream's own worker must not block itself.
      },
      25_000,
    )
    frozen.signal('SIGCONT')
    const { rounds } = await proofs()
    await stage.until('rounds go on', async () => {
      const now = await proofs()
      return (now.rounds > rounds && now.equal === 3) || { rounds, now }
    })
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await ranges()).toEqual([])
  })
})

/** Ends of tasks that are neither successful nor stopped. */
function failures(workers: readonly TestWorker[]): readonly unknown[] {
  return workers.flatMap(({ events }) =>
    events.filter(
      (event) =>
        event.type === 'worker.slot' && event.state === 'ended' && ![undefined, 0, 75].includes(event.exitCode),
    ),
  )
}
