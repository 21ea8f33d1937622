/**
 * The first copy of a stream into MySQL, and out of it, is made by two workers; the one that runs the stream is killed
 * in the middle.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makePlace, missing, postgresAt, type Place } from '../support/copy-systems.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage } from '../support/worker-stage.ts'

const ROWS = 20_000
const why = POSTGRES_OWN ? await missing('mysql') : POSTGRES_MISSING || 'needs a PostgreSQL server of its own'
const SUM = `SELECT COUNT(*), SUM(id), SUM(n), SUM(CASE WHEN n < 0 THEN 1 ELSE 0 END) FROM t1`

const SIDES = [
  { where: 'into MySQL', store: 'cold', cdc: [], numbers: (many: number) => `SELECT g FROM generate_series(1, ${many}) g` },
  { where: 'out of MySQL', store: 'shop', cdc: ['--cdc', 'trigger'], numbers: (many: number) => `SELECT seq AS g FROM seq_1_to_${many}` },
] as const // prettier-ignore

describe.skipIf(why !== '').each(SIDES)(`workers of a stream $where ${why}`, ({ store, cdc, numbers }) => {
  let stage: WorkerStage
  let source: Place
  let target: Place
  beforeAll(async () => {
    const mysql = await makePlace('mysql', '')
    const settings = ['wal_level=logical', 'max_replication_slots=10', 'max_wal_senders=10']
    stage = await WorkerStage.open(settings, { [store]: mysql.url })
    source = store === 'shop' ? mysql : postgresAt(stage.data.url('source'))
    target = store === 'cold' ? mysql : postgresAt(stage.data.url('target'))
    await source.sql(
      'CREATE TABLE t1 (id int PRIMARY KEY, n int NOT NULL)',
      `INSERT INTO t1 SELECT g, g * 7 FROM (${numbers(ROWS)}) s`,
    )
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  async function asked(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    try {
      return await target.rows(sql)
    } catch {
      // The ledger does not exist yet.
      return []
    }
  }

  /** Completed chunks, by the host that completed them. */
  async function done(): Promise<Readonly<Record<string, number>>> {
    const rows = await asked(
      `SELECT r.host, COUNT(*) FROM migration_checkpoints c JOIN migration_runs r ON r.run_id = c.run_id WHERE c.status = 'completed' GROUP BY r.host`,
    )
    return Object.fromEntries(rows.map(([host, n]) => [host, Number(n)]))
  }

  test('copy all rows, with changes made meanwhile', { timeout: 240_000 }, async () => {
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--follow', ...cdc, '--checkpoint-size', '100']
    const words = [...copy, '--workers', '2', '--tables', 't1', '--rate', '2000', '--tasks', '3']
    const run = await stage.distribute(...words)
    const owner = stage.worker({ host: 'stream', overTcp: true })
    await stage.until('the copy has begun', async () => ((await done())['stream'] ?? 0) > 2)
    stage.worker({ host: 'other', overTcp: true })
    await stage.until('both copy', async () => ((await done())['other'] ?? 0) > 2)
    await source.sql(
      'UPDATE t1 SET n = -n WHERE id % 100 < 2',
      'DELETE FROM t1 WHERE id % 100 = 50',
      `INSERT INTO t1 SELECT ${ROWS} + g, g FROM (${numbers(500)}) s`,
    )
    owner.signal('SIGKILL')
    stage.worker({ host: 'next', overTcp: true })
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('the table is live', async () => {
      return (await asked(`SELECT 1 FROM migration_stream_tables WHERE state = 'live'`)).length === 1
    })
    const wanted = (await source.rows(SUM)).map((row) => row.map(Number))
    await stage.until('it is equal', async () => {
      const found = (await target.rows(SUM)).map((row) => row.map(Number))
      return JSON.stringify(found) === JSON.stringify(wanted)
    })
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'stopped' })
    expect(await target.rows('SELECT * FROM migration_shared_copies')).toEqual([])
    expect(await target.rows(`SELECT 1 FROM migration_checkpoints WHERE status <> 'completed'`)).toEqual([])
  })
})
