/** The first copy of a stream into MySQL is made by two workers; the one that has the stream is killed in the middle. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makePlace, missing, type Place } from '../support/copy-systems.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage } from '../support/worker-stage.ts'

const ROWS = 20_000
const why = POSTGRES_OWN ? await missing('mysql') : POSTGRES_MISSING || 'needs a PostgreSQL server of its own'

describe.skipIf(why !== '')(`workers that copy for a stream into MySQL ${why}`, { timeout: 240_000 }, () => {
  let stage: WorkerStage
  let target: Place
  beforeAll(async () => {
    target = await makePlace('mysql', '')
    const settings = ['wal_level=logical', 'max_replication_slots=10', 'max_wal_senders=10']
    stage = await WorkerStage.open(settings, { cold: target.url })
    await stage.ask(
      stage.data,
      'source',
      `CREATE TABLE t1 AS SELECT g AS id, g * 7 AS n FROM generate_series(1, ${ROWS}) g; ALTER TABLE t1 ADD PRIMARY KEY (id); ANALYZE t1`,
    )
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  async function asked(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    try {
      return await target.rows(sql)
    } catch {
      // The ledger is not there yet.
      return []
    }
  }

  const done = async (): Promise<Readonly<Record<string, number>>> =>
    Object.fromEntries(
      (
        await asked(
          `SELECT r.host, COUNT(*) FROM migration_checkpoints c JOIN migration_runs r ON r.run_id = c.run_id WHERE c.status = 'completed' GROUP BY r.host`,
        )
      ).map(([host, n]) => [host, Number(n)]),
    )

  test('and all rows are there, with what was changed meanwhile', async () => {
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--follow', '--checkpoint-size', '100', '--workers', '2']
    const run = await stage.distribute(...copy, '--tables', 't1', '--rate', '2000', '--slots', '3')
    const owner = stage.worker({ host: 'stream', overTcp: true })
    await stage.until('the copy has begun', async () => ((await done())['stream'] ?? 0) > 2)
    stage.worker({ host: 'other', overTcp: true })
    await stage.until('both copy', async () => ((await done())['other'] ?? 0) > 2)
    await stage.ask(
      stage.data,
      'source',
      `UPDATE t1 SET n = -n WHERE id % 100 < 2; DELETE FROM t1 WHERE id % 100 = 50; INSERT INTO t1 SELECT ${ROWS} + g, g FROM generate_series(1, 500) g`,
    )
    owner.signal('SIGKILL')
    stage.worker({ host: 'next', overTcp: true })
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('the table is live', async () => {
      return (await asked(`SELECT 1 FROM migration_stream_tables WHERE state = 'live'`)).length === 1
    })
    const sum = `SELECT COUNT(*) a, SUM(id) b, SUM(n) c, SUM(CASE WHEN n < 0 THEN 1 ELSE 0 END) d FROM t1`
    const [left] = await stage.ask<Record<string, string>>(stage.data, 'source', sum)
    const wanted = Object.values(left ?? {}).map(Number)
    await stage.until('it is equal', async () => {
      const [right = []] = await target.rows(sum)
      return JSON.stringify(right.map(Number)) === JSON.stringify(wanted)
    })
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'stopped' })
    expect(await target.rows('SELECT * FROM migration_shared_copies')).toEqual([])
    expect((await target.rows(`SELECT COUNT(*) FROM migration_checkpoints WHERE status <> 'completed'`))[0]).toEqual([
      '0',
    ])
  })
})
