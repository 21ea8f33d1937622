/**
 * Alerts of a stream that workers share: each is raised once and cleared once, whichever of them runs the stream by
 * then. Read by an alert command.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage, type TestWorker } from '../support/worker-stage.ts'

const CHANGES = 1000

describe.skipIf(!POSTGRES_OWN)(`alerts of a distributed stream ${POSTGRES_MISSING}`, { timeout: 240_000 }, () => {
  let stage: WorkerStage
  let files = 0
  let file = ''
  beforeAll(async () => {
    stage = await WorkerStage.open(['wal_level=logical', 'max_replication_slots=10', 'max_wal_senders=10'])
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await stage.forgetRuns()
    await stage.ask(stage.data, 'source', 'DROP TABLE IF EXISTS t1; CREATE TABLE t1 (id int PRIMARY KEY)')
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    file = path.join(stage.folder, `received-${(files += 1)}`)
  })

  /** `state id` of each alert that the command received. */
  const received = (): readonly string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])
  const states = (): readonly string[] => received().map((line) => line.split(' ')[0] ?? '')

  async function applied(): Promise<number> {
    try {
      const [row] = await stage.ask<{ n: number }>(stage.data, 'target', 'SELECT count(*)::int AS n FROM t1')
      return row?.n ?? 0
    } catch {
      // The table does not exist yet.
      return 0
    }
  }

  const unconfirmed = async (): Promise<number> => {
    const sql = `SELECT count(*)::int AS n FROM sluice_queue.sluice_alerts WHERE cause LIKE 'unsent%'`
    return (await stage.ask<{ n: number }>(stage.queue, 'queue', sql))[0]?.n ?? 0
  }

  /** A worker that applies changes far more slowly than they are made. */
  async function lagging(host: string, lag: string): Promise<{ readonly run: string; readonly worker: TestWorker }> {
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--tables', 't1', '--follow', '--rate', '2', '--tasks', '1']
    // A lost worker is raised for every distributed run with an alert, so the command filters the cause.
    const line = '$SLUICE_ALERT_STATE $SLUICE_ALERT_ID $SLUICE_ALERT_TABLE $SLUICE_ALERT_RUN'
    const command = `if [ "$SLUICE_ALERT_CAUSE" = lag ]; then echo "${line}" >> ${file}; fi`
    const run = await stage.distribute(...copy, '--alert', `lag>${lag}`, '--alert-command', command)
    const worker = stage.worker({ host })
    await stage.ask(stage.data, 'source', 'INSERT INTO t1 VALUES (0)')
    await stage.until('the stream is live', async () => {
      const live = `SELECT 1 FROM migration_stream_tables WHERE state = 'live'`
      return (await applied()) === 1 && (await stage.ask(stage.data, 'target', live)).length === 1
    })
    await stage.ask(
      stage.data,
      'source',
      `DO $$ BEGIN FOR i IN 1..${CHANGES} LOOP INSERT INTO t1 VALUES (i); COMMIT; END LOOP; END $$`,
    )
    return { run, worker }
  }

  async function caughtUp(run: string): Promise<void> {
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('all changes', async () => (await applied()) === CHANGES + 1)
    await stage.until('the end of the lag', () => states().at(-1) === 'cleared' || received())
  }

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'a worker that ends by %s while an alert is raised leaves it to the next, which clears it',
    async (signal) => {
      const { run, worker } = await lagging('first', '2s')
      await stage.until('the alert', async () => states().length === 1 && (await unconfirmed()) === 0)
      worker.signal(signal)
      await worker.ended
      const before = await applied()
      stage.worker({ host: 'second' })
      await stage.until('the second one applies slowly', async () => (await applied()) > before + 8)
      await caughtUp(run)
      const [raised = '', cleared = ''] = received()
      expect(raised).toMatch(new RegExp(`^raised [0-9a-f]{16} t1 ${run}$`))
      expect(cleared).toBe(raised.replace('raised', 'cleared'))
      expect(received()).toHaveLength(2)
      await stage.until('the queue to know', async () => {
        const open = await stage.ask(stage.queue, 'queue', 'SELECT * FROM sluice_queue.sluice_alerts')
        return open.length === 0 || open
      })
      await stage.sluice('ctl', run, 'stop', '--distributed')
    },
  )

  test('a worker frozen until another one has its stream raises no alert when it continues', async () => {
    const { run, worker: frozen } = await lagging('frozen', '15s')
    frozen.signal('SIGSTOP')
    const before = await applied()
    stage.worker({ host: 'next' })
    // The lease of the task ends first, then that of the stream, and then its locks in the target.
    await stage.until('another one applies', async () => (await applied()) > before + 2, 150_000)
    await caughtUp(run)
    const known = received()
    frozen.signal('SIGCONT')
    await stage.until('it knows that its task is gone', () => frozen.slots.at(-1) === 'lost' || frozen.slots)
    expect(received()).toEqual(known)
    await stage.sluice('ctl', run, 'stop', '--distributed')
  })
})
