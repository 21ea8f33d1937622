/**
 * A worker is killed around the transaction that begins a scheduled run: while it waits for the row of the schedule,
 * when the run and its jobs are written, and during its COMMIT. Locks of the test stop it at these points. No period is
 * lost, and none has two runs.
 */
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openQueue } from '../../src/app/share/queues.ts'
import type { RunQueue } from '../../src/model/share/queue-port.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage } from '../support/worker-stage.ts'

const ENSURE = ['--', 'partition', 'ensure', '--from', 'shop', '--table', 'logs', '--calendar', 'month', '--ahead', '2']
const DAY = 86_400_000
/** Any number that no other code uses. */
const GATE = 77_001

describe.skipIf(!POSTGRES_OWN)(
  `a worker that is killed while it begins a scheduled run ${POSTGRES_MISSING}`,
  { timeout: 120_000 },
  () => {
    let stage: WorkerStage
    let queue: RunQueue
    beforeAll(async () => {
      stage = await WorkerStage.open()
      queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
      await stage.ask(
        stage.data,
        'source',
        'CREATE TABLE logs (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)',
      )
      // If the test requests it, COMMIT waits for the test.
      await stage.ask(
        stage.queue,
        'queue',
        `CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(${GATE}); RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON sluice_queue.sluice_schedule_runs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()`,
      )
    }, 120_000)
    afterAll(async () => {
      await queue[Symbol.asyncDispose]()
      await stage[Symbol.asyncDispose]()
    })
    beforeEach(async () => {
      await stage.ask(stage.queue, 'queue', 'DELETE FROM sluice_queue.sluice_schedules')
      await stage.forgetRuns()
      await stage.sluice('schedule', 'add', 'coming', '--every', 'day', ...ENSURE)
      await stage.ask(
        stage.queue,
        'queue',
        `UPDATE sluice_queue.sluice_schedules SET since_ms = since_ms - ${DAY}, next_ms = 0`,
      )
    })

    test.each([
      ['before its first write', 'SELECT FROM sluice_queue.sluice_schedules FOR UPDATE', /FOR UPDATE/, 0],
      [
        'with run and jobs written',
        'LOCK TABLE sluice_queue.sluice_schedule_runs IN SHARE MODE',
        /INSERT INTO sluice_queue.sluice_schedule_runs/,
        0,
      ],
      ['while it commits', `SELECT pg_advisory_xact_lock(${GATE})`, /^COMMIT/, 1],
    ] as const)('loses no period and repeats none: %s', async (_when, lock, at, committed) => {
      const holder = new pg.Client({ connectionString: stage.queue.url('queue') })
      await holder.connect()
      await holder.query('BEGIN')
      await holder.query(lock)
      const killed = stage.worker()
      let held: number | null = null
      await stage.until('that it waits there', async () => {
        const sql = `SELECT pid, query FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0`
        const found = await stage.ask<{ pid: number; query: string }>(stage.queue, 'queue', sql)
        held = found.find(({ query }) => at.test(query))?.pid ?? null
        return held !== null
      })
      killed.signal('SIGKILL')
      await killed.ended
      expect(await queue.runs(9)).toEqual([])
      await holder.query('COMMIT')
      await holder.end()
      await stage.until('that its session is gone', async () => {
        const sql = `SELECT FROM pg_stat_activity WHERE pid = ${held}`
        return (await stage.ask(stage.queue, 'queue', sql)).length === 0
      })
      expect(await queue.runs(9)).toHaveLength(committed)
      const jobs = await stage.ask(stage.queue, 'queue', 'SELECT FROM graphile_worker.jobs')
      expect(jobs).toHaveLength(committed)
      const other = [stage.worker({ args: ['--idle', '3s'] }), stage.worker({ args: ['--idle', '3s'] })]
      await stage.until('its run', async () => (await queue.schedules.history('coming', 9))[0]?.status === 'ok')
      for (const worker of other) expect(await worker.ended).toBe(0)
      const history = await queue.schedules.history('coming', 9)
      expect(history).toMatchObject([{ status: 'ok', note: null, period: expect.any(String) }])
      expect(await queue.runs(9)).toHaveLength(1)
      const [after] = await queue.schedules.list('coming')
      expect(after?.since).toBe(history[0]?.dueAt)
      expect(after?.next?.at).toBeGreaterThan(await queue.schedules.now())
    })
  },
)
