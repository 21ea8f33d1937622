/**
 * A distributed run that ended while the ledger of its target was down: its last count is not the total, and is read
 * again once the ledger is available.
 */
import { afterAll, beforeAll, expect, describe, test } from 'vitest'
import pg from 'pg'
import type { Event } from '../../src/model/run/event.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { makeOrders, WorkerStage } from '../support/worker-stage.ts'

const ROWS = 40_000
const COPY = ['--from', 'shop', '--to', 'cold', '--table', 'orders', '--checkpoint-size', '100', '--workers', '1']

describe.skipIf(!POSTGRES_OWN)(`totals of distributed runs ${POSTGRES_MISSING}`, { timeout: 240_000 }, () => {
  let target: PostgresServer
  let stage: WorkerStage
  beforeAll(async () => {
    target = await startPostgres({ extraSettings: ['max_connections=50'] })
    // Test servers are copies of one, so that databases with the same OID would have the same identity.
    for (const name of ['one', 'two', 'three', 'four', 'cold']) await target.createDatabase(name)
    const url = `${target.url('cold').replace(/@[^/]*\//, `@localhost:${target.port}/`)}?host=${encodeURIComponent(target.socketFolder)}`
    stage = await WorkerStage.open([], { cold: url })
    await makeOrders(stage, ROWS)
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
    await target?.[Symbol.asyncDispose]()
  })

  /** Rows of chunks that are completed in the ledger. */
  async function rowsDone(table = 'orders'): Promise<bigint> {
    const client = new pg.Client({ connectionString: target.url('cold') })
    client.on('error', () => undefined)
    await client.connect()
    try {
      const sql = `SELECT coalesce(sum(rows_read), 0)::text AS n FROM migration_checkpoints WHERE status = 'completed' AND table_name = $1`
      const { rows } = await client.query<{ n: string }>(sql, [table]).catch(() => ({ rows: [{ n: '0' }] }))
      return BigInt(rows[0]?.n ?? 0)
    } finally {
      await client.end()
    }
  }

  /**
   * Rows that the worker has read from the ledger; 0 before its first reading, when the queue has only what its tasks
   * report.
   */
  async function rowsCounted(): Promise<bigint> {
    const sql = `SELECT coalesce(sum(ledger_rows), 0)::text AS n FROM sluice_queue.sluice_runs`
    const [row] = await stage.ask<{ n: string }>(stage.queue, 'queue', sql)
    return BigInt(row?.n ?? 0)
  }

  const shared = (events: readonly Event[]): unknown => events.find((event) => event.type === 'shared.run')

  test('are those of the ledger at the end of the run; until it was read, they have a time', async () => {
    const run = await stage.distribute('copy', ...COPY, '--rate', '500', '--tasks', '1')
    const worker = stage.worker({ host: 'left' })
    await stage.until('a count that the ledger is beyond', async () => {
      const [counted, done] = [await rowsCounted(), await rowsDone()]
      expect((await stage.run(run)).error).toBeNull()
      return (counted > 0n && done > counted) || { counted: String(counted), done: String(done) }
    })
    await target.kill9()
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    worker.signal('SIGTERM')
    await worker.ended

    const ended = await stage.run(run)
    expect(ended).toMatchObject({ status: 'stopped', countedAt: expect.any(Number) as number })
    const at = new Date(ended.countedAt ?? 0).toISOString()
    const list = await stage.sluice('runs', '--distributed')
    expect(shared(list.events)).toMatchObject({ rows: String(ended.rows), countedAt: at })
    const one = await stage.sluice('runs', '--distributed', '--run', run)
    expect(one.events.filter((event) => event.type === 'log')).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: expect.stringMatching(/are as of \d{4}-\d\d-\d\dT/) as string,
      }),
    )
    expect((await stage.sluice('report', run, '--format', 'json', '--write', '-')).err).toContain(at)

    await target.restart()
    const truth = await rowsDone()
    expect(truth).toBeGreaterThan(ended.rows)
    // Rows that another run copies afterwards do not count.
    expect(await stage.sluice('copy', ...COPY)).toMatchObject({ code: 0 })
    expect(await rowsDone()).toBe(BigInt(ROWS))
    stage.worker({ host: 'later' })
    await stage.until('the ledger is read again', async () => {
      const { rows, countedAt } = await stage.run(run)
      return countedAt === null || { rows: String(rows), countedAt }
    })
    expect(await stage.run(run)).toMatchObject({ status: 'stopped', rows: truth, chunks: Number(truth) / 100 })
    expect(shared((await stage.sluice('runs', '--distributed')).events)).not.toHaveProperty('countedAt')
  })

  test('are correct if the only worker is killed before its copy reads the ledger again', async () => {
    const run = await stage.distribute('copy', ...COPY, '--to-table', 'young', '--rate', '4000', '--tasks', '1')
    const worker = stage.worker({ host: 'killed' })
    await stage.until('rows that the worker has not reported', async () => {
      const { rows } = await stage.run(run)
      return rows > 0n && (await rowsDone('young')) > rows
    })
    worker.signal('SIGKILL')
    await worker.ended
    await stage.sluice('ctl', run, 'stop', '--distributed')
    stage.worker({ host: 'heir' })
    await endsByLedger(run, 'young')
  })

  test('are correct if an older program began the run, which had not read the ledger', async () => {
    const run = await stage.distribute('copy', ...COPY, '--to-table', 'old', '--rate', '4000', '--tasks', '1')
    const worker = stage.worker({ host: 'older' })
    await stage.until('rows of a closed chunk', async () => (await rowsDone('old')) > 0n)
    worker.signal('SIGKILL')
    await worker.ended
    const unread = `UPDATE sluice_queue.sluice_runs SET ledger_rows = NULL, ledger_chunks = NULL, ledger_ms = NULL, counted_at = NULL WHERE run_id = '${run}';
      UPDATE sluice_queue.sluice_run_slots SET turn_rows = turn_rows + 12345 WHERE run_id = '${run}'`
    await stage.ask(stage.queue, 'queue', unread)
    await stage.sluice('ctl', run, 'stop', '--distributed')
    stage.worker({ host: 'newer' })
    await endsByLedger(run, 'old')
  })

  async function endsByLedger(run: string, table: string): Promise<void> {
    await stage.until('the end by the ledger', async () => {
      const { status, rows, countedAt } = await stage.run(run)
      const done = await rowsDone(table)
      const isRead = status === 'stopped' && countedAt === null && rows === done
      return isRead || { status, rows: String(rows), done: String(done) }
    })
  }
})
