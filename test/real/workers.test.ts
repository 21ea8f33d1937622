/** Runs that workers share: divided, steered, refused, and without secrets in the queue. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import type { RunReport } from '../../src/model/run/report/run-report.ts'
import { toolVersion } from '../../src/cli/version.ts'
import { openQueue } from '../../src/app/share/queues.ts'
import { openWorkbench } from '../../src/app/thread/threaded-workbench.ts'
import { readExposition, valuesOf } from '../support/exposition.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { openApp } from '../tui/support/app.ts'
import { compared, makeOrders, WorkerStage, type TestWorker } from '../support/worker-stage.ts'

/** Prometheus metrics of a worker, as far as its own events have the same. */
async function reportedBy({ events }: TestWorker): Promise<object> {
  const [url = ''] = events.flatMap((event) =>
    event.type === 'log' ? (/^metrics (http\S+)$/.exec(event.message)?.[1] ?? []) : [],
  )
  const families = readExposition(await (await fetch(url)).text())
  expect(valuesOf(families, 'sluice_worker_concurrency', '')).toEqual({ '': 1 })
  return {
    rows: valuesOf(families, 'sluice_copy_rows_total', 'run'),
    chunks: valuesOf(families, 'sluice_chunks_total', 'run'),
    turns: valuesOf(families, 'sluice_worker_turns_total', 'status'),
    slots: valuesOf(families, 'sluice_worker_slots_total', 'state'),
    working: valuesOf(families, 'sluice_worker_slots_working', '')[''],
  }
}

function ownWork({ events }: TestWorker, run: string): object {
  const ends = events.filter((event) => event.type === 'worker.slot' && event.state === 'ended')
  const [end] = ends
  if (end?.type !== 'worker.slot') throw new Error('the worker has ended no slot')
  return { rows: { [run]: Number(end.rows) }, chunks: { [run]: Number(end.chunks) } }
}

const COPY = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'orders'] as const

/** A program of a task that crashes with the URL of its source in its last message. */
const CRASH = `if (process.argv[1]?.includes('slot-main')) process.on('message', ({ order }) => {
  if (order !== undefined) process.stderr.write('it broke at ' + order.stores[0].url, () => process.exit(9))
})`

describe.skipIf(!POSTGRES_OWN)(`workers of a queue ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open()
    await makeOrders(stage, 60_000)
  }, 120_000)
  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await stage.forgetRuns()
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  })

  /** The same name on the same server, but another database. */
  async function renewTarget(): Promise<void> {
    await stage.ask(stage.data, 'source', 'DROP DATABASE target WITH (FORCE)')
    await stage.data.createDatabase('target')
  }

  test('share the chunks of a copy, even when the program that began it is gone', async () => {
    const run = await stage.distribute(...COPY, '--checkpoint-size', '1000', '--tasks', '2')
    expect(await stage.run(run)).toMatchObject({ status: 'running', slots: { queued: 2, working: 0 }, kind: 'copy' })
    const measured = stage.worker({ args: ['--idle', '5s', '--metrics', '0'], overTcp: true })
    const workers = [measured, stage.worker({ args: ['--idle', '3s'] })]
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    await stage.until('its end here', () => measured.slots.includes('ended'))
    expect(await reportedBy(measured)).toEqual({
      ...ownWork(measured, run),
      turns: { ok: 1 },
      slots: { ended: 1 },
      working: 0,
    })
    const ended = await stage.run(run)
    expect(ended).toMatchObject({ status: 'ok', exitCode: 0, slots: { ended: 2 }, rows: 60_000n, chunks: 60 })
    expect(await compared(stage)).toMatchObject({ source: (await compared(stage)).target })
    for (const worker of workers) {
      expect(await worker.ended).toBe(0)
      expect(worker.slots).toEqual(['begun', 'ended'])
    }
    const listed = await stage.sluice('workers')
    const hosts = listed.events.filter((event) => event.type === 'worker')
    expect(hosts.map(({ state }) => state)).toEqual(['ended', 'ended'])
    const runs = await stage.sluice('runs', '--distributed')
    const row = runs.events.find((event) => event.type === 'shared.run')
    expect(row).toMatchObject({
      run,
      status: 'ok',
      ended: '2',
      rows: '60000',
      command: expect.not.stringContaining('--distributed'),
    })
    const slots = await stage.sluice('runs', '--distributed', '--run', run)
    const reported = slots.events.filter((event) => event.type === 'shared.slot')
    expect(reported.map(({ state, exitCode, turns }) => [state, exitCode, turns])).toEqual([
      ['ended', 0, '1'],
      ['ended', 0, '1'],
    ])
    // The ledger has each task as a run of its own, with the command that does the same without workers.
    const command = `SELECT command FROM migration_runs`
    const commands = await stage.ask<{ command: string }>(stage.data, 'target', command)
    expect(commands).toHaveLength(2)
    for (const { command: line } of commands) expect(line).not.toContain('--distributed')
  })

  test('a worker for which a name is another database refuses, and another one does the work', async () => {
    const stranger = stage.worker({ host: 'stranger', stores: { cold: stage.urlOf(stage.data, 'other') } })
    const run = await stage.distribute(...COPY, '--tasks', '1')
    await stage.until('a refusal', async () => (await stage.run(run)).refusals.length > 0)
    const refused = await stage.run(run)
    expect(refused.refusals).toMatchObject([
      {
        error: {
          code: 'BAD_CONFIG',
          message: 'the store cold on this worker is not the database of the run',
        },
      },
    ])
    expect(refused.status).toBe('running')
    const friend = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    await stage.until('its end here', () => friend.slots.includes('ended'))
    expect(stranger.slots).toEqual(['refused'])
    expect(friend.slots).toEqual(['begun', 'ended'])
    stranger.signal('SIGTERM')
    const [written] = await stage.ask<{ n: number }>(
      stage.data,
      'other',
      `SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'public'`,
    )
    expect(written?.n).toBe(0)
    await Promise.all([stranger.ended, friend.ended])
  })

  test('a database that was created again is checked again: no worker refuses a run by an earlier check', async () => {
    const first = await stage.distribute(...COPY, '--tasks', '1')
    const worker = stage.worker()
    await stage.until('the end', async () => (await stage.run(first)).status === 'ok')
    await renewTarget()
    const next = await stage.distribute(...COPY, '--tasks', '1')
    await stage.until('its end', async () => {
      const { status, refusals } = await stage.run(next)
      expect(refusals).toEqual([])
      return status === 'ok'
    })
    expect(await compared(stage)).toMatchObject({ source: (await compared(stage)).target })
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  test('a refusal reports how two databases of one URL differ, and a run continues once the name means the same one again', async () => {
    const run = await stage.distribute(...COPY, '--tasks', '1')
    await stage.ask(stage.data, 'source', 'ALTER DATABASE target RENAME TO parked')
    const oid = async (name: string): Promise<string> => {
      const sql = `SELECT oid::text FROM pg_database WHERE datname = '${name}'`
      return (await stage.ask<{ oid: string }>(stage.data, 'source', sql))[0]?.oid ?? ''
    }
    await stage.data.createDatabase('target')
    const worker = stage.worker()
    await stage.until('a refusal', async () => (await stage.run(run)).refusals.length > 0)
    const [refusal] = (await stage.run(run)).refusals
    expect(refusal?.error.reason).toContain(
      `oid of the database: ${await oid('target')} here, ${await oid('parked')} where the run was begun`,
    )
    expect(refusal?.error.hint).toContain('start the run again')
    // As if it had refused the run a while ago.
    await stage.ask(
      stage.queue,
      'queue',
      `UPDATE sluice_queue.sluice_run_refusals SET refused_at = now() - interval '2 min'; DELETE FROM sluice_queue.sluice_workers WHERE ended_at IS NOT NULL`,
    )
    await stage.until('its end', async () => (await stage.run(run)).status === 'failed')
    expect(await stage.run(run)).toMatchObject({
      error: { code: 'WORKERS_REFUSED', reason: expect.stringContaining('oid of the database') as string },
    })
    await stage.ask(stage.data, 'source', 'DROP DATABASE target WITH (FORCE)')
    await stage.ask(stage.data, 'source', 'ALTER DATABASE parked RENAME TO target')
    expect((await stage.sluice('ctl', run, 'resume', '--distributed')).code).toBe(0)
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  test('a run of another version waits for a worker that fits', async () => {
    const run = await stage.distribute(...COPY, '--tasks', '1', '--queue', 'nightly')
    const jobs = `
      SELECT graphile_worker.remove_job('sluice/${run}/1');
      UPDATE sluice_queue.sluice_runs SET program = '9.9.9, ledgers 99 and 99' WHERE run_id = '${run}'`
    await stage.ask(stage.queue, 'queue', jobs)
    const worker = stage.worker({ args: ['--queues', 'nightly'] })
    // Its sweep queues the task again, for programs of that version.
    await stage.until('a job for another program', async () => {
      const sql = `SELECT task_identifier AS task FROM graphile_worker.jobs WHERE key = 'sluice/${run}/1'`
      return (await stage.ask<{ task: string }>(stage.queue, 'queue', sql))[0]?.task.includes('9.9.9') === true
    })
    expect(await stage.run(run)).toMatchObject({ status: 'running', slots: { queued: 1 } })
    expect(worker.slots).toEqual([])
    for (const words of [
      ['runs', '--distributed'],
      ['runs', '--distributed', '--run', run],
    ]) {
      const { events } = await stage.sluice(...words)
      expect(events.filter(({ type }) => type === 'log')).toMatchObject([
        {
          message: `the run ${run} waits: there is no live worker of version 9.9.9, ledgers 99 and 99 that takes from the queue nightly`,
          hint: expect.stringMatching(
            new RegExp(`sluice ctl ${run} stop --distributed.* --distributed --tasks 1 --queue nightly \\(`),
          ) as string,
        },
      ])
    }
    expect((await stage.sluice('workers')).err).toContain('waits: there is no live worker of version 9.9.9')
    await stage.sluice('ctl', run, 'stop', '--distributed')
    expect(await stage.run(run)).toMatchObject({ status: 'stopped', exitCode: 75 })
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  test('a crash between a run and its jobs is repaired by the next sweep', async () => {
    const run = await stage.distribute(...COPY, '--tasks', '2')
    await stage.ask(
      stage.queue,
      'queue',
      `SELECT graphile_worker.remove_job('sluice/${run}/' || n) FROM generate_series(1, 2) n`,
    )
    const worker = stage.worker({ args: ['--concurrency', '2', '--idle', '15s'] })
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    expect(worker.said).toContain('queued again, because their job was missing in the queue')
    expect((await compared(stage)).target).toMatch(/^60000 60000 /)
    worker.signal('SIGTERM')
    await worker.ended
  })

  test('can be paused, accelerated, stopped and resumed from any host', async () => {
    const run = await stage.distribute(...COPY, '--checkpoint-size', '200', '--rate', '2000', '--tasks', '2')
    const worker = stage.worker({ args: ['--concurrency', '2'] })
    await stage.until('some chunks', async () => (await stage.chunksDone()) > 5)
    await stage.sluice('ctl', run, 'pause', '--distributed')
    expect(await stage.run(run)).toMatchObject({ wishes: { held: true } })
    // Until both have received it, and their batches are done.
    let before = -1
    await stage.until('that nothing moves', async () => {
      const now = await stage.chunksDone()
      const isStill = now === before
      before = now
      if (!isStill) await setTimeout(3000)
      return isStill
    })
    expect(before).toBeLessThan(300)
    // Each rate leaves a minute or more of work, so that the run has not ended before it is stopped, even if each
    // command takes seconds.
    await stage.sluice('ctl', run, 'rate', '1000', '--distributed')
    await stage.sluice('ctl', run, 'resume', '--distributed')
    await stage.until('more chunks', async () => (await stage.chunksDone()) > before)
    await stage.sluice('ctl', run, 'rate', '500', '--distributed')
    worker.signal('SIGSTOP')
    await stage.sluice('ctl', run, 'stop', '--distributed')
    const url = stage.queue.url('queue')
    const soon = await stage.sluice('ctl', run, 'resume', '--distributed', '--connect', url)
    expect(soon.code).toBe(2)
    expect(soon.err).toMatch(
      new RegExp(`the run ${run} is stopping: [12] of its tasks are still finishing their batches`),
    )
    // Pasted, the command finds the queue.
    expect(soon.err).toMatch(new RegExp(`sluice runs --distributed --run ${run} --connect \\S+`))
    worker.signal('SIGCONT')
    await stage.until('the stop', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'stopped', exitCode: 75 })
    const done = await stage.chunksDone()
    const late = await stage.sluice('ctl', run, 'pause', '--distributed')
    expect(late.code).toBe(2)
    await stage.sluice('ctl', run, 'resume', '--distributed')
    // A run that has ended accepts no rate.
    expect((await stage.sluice('ctl', run, 'rate', 'off', '--distributed')).code).toBe(0)
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    expect(done).toBeGreaterThan(before)
    const { source, target } = await compared(stage)
    expect(target).toBe(source)
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  test('a hanging program of a task is killed: its task continues, an alert reports it, and a stop ends its run', async () => {
    const file = path.join(stage.folder, 'told')
    const alert = ['--alert', 'failed', '--alert-command', `echo "$SLUICE_ALERT_CAUSE $SLUICE_ALERT_VALUE" >> ${file}`]
    const copy = [...COPY, '--checkpoint-size', '200', '--rate', '100', '--tasks', '1']
    const run = await stage.distribute(...copy, ...alert)
    const other = await stage.distribute(...copy, '--to-table', 'orders_too')
    const worker = stage.worker({ host: 'slow', args: ['--concurrency', '2'] })
    const isAtWork = async (id: string): Promise<boolean> => (await stage.run(id)).chunks > 0
    await stage.until('both at work', async () => (await isAtWork(run)) && (await isAtWork(other)))
    const programs = worker.programs('slot-main')
    expect(programs).toHaveLength(2)
    for (const pid of programs) process.kill(pid, 'SIGSTOP')
    await stage.sluice('ctl', other, 'stop', '--distributed')
    await stage.until('the stop', async () => (await stage.run(other)).status === 'stopped', 60_000)
    await stage.until('the alert', () => existsSync(file) && readFileSync(file, 'utf8').includes('\n'))
    expect(readFileSync(file, 'utf8')).toMatch(
      /^worker-lost the program of task 1 did not respond on slow and was killed, /,
    )
    const { chunks } = await stage.run(run)
    await stage.until('more chunks', async () => (await stage.run(run)).chunks > chunks)
    expect(worker.programs('slot-main')).toHaveLength(1)
    expect(programs).not.toContain(worker.programs('slot-main')[0])
    await stage.sluice('ctl', run, 'stop', '--distributed')
    await stage.until('its end', async () => (await stage.run(run)).status === 'stopped')
    worker.signal('SIGTERM')
    await worker.ended
  }, 240_000)

  test('a turn of a paused run begins nothing before it knows of the pause', async () => {
    const run = await stage.distribute(...COPY, '--checkpoint-size', '200', '--tasks', '1')
    await stage.sluice('ctl', run, 'pause', '--distributed')
    const worker = stage.worker()
    await stage.until('beats of a slot that is held', async () => {
      const sql = `SELECT FROM sluice_queue.sluice_run_slots WHERE beat_at > begun_at + interval '5 s'`
      return (await stage.ask(stage.queue, 'queue', sql)).length > 0
    })
    expect(await stage.chunksDone()).toBe(0)
    await stage.sluice('ctl', run, 'resume', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  test('can be joined, paused, resumed and stopped on the screen', async () => {
    const run = await stage.distribute(...COPY, '--checkpoint-size', '200', '--rate', '3000', '--tasks', '2')
    const worker = stage.worker({ args: ['--concurrency', '2'] })
    const queue = { url: stage.urlOf(stage.queue, 'queue') }
    await using workbench = await openWorkbench({ queue, tool: toolVersion(), actor: 'test', host: 'desk' })
    const app = openApp({ columns: 100, rows: 30, fake: workbench as never })
    const seen = async (text: string | RegExp): Promise<void> => {
      const isSeen = (): boolean => (typeof text === 'string' ? app.screen().includes(text) : text.test(app.screen()))
      await stage.until(`${String(text)} on the screen`, isSeen, 30_000).catch((error: Error) => {
        throw new Error(`${error.message}\n${app.screen()}`)
      })
    }
    app.type('2')
    await seen(/running +copy +orders/)
    app.type('enter')
    await seen('2 working')
    app.type('p')
    await seen('pause: 2 of 2 tasks have not received it yet')
    await seen('copy: paused')
    expect(await stage.run(run)).toMatchObject({ status: 'running', wishes: { held: true } })
    const before = await stage.chunksDone()
    app.type('p')
    await seen('copy: running')
    await stage.until('more chunks', async () => (await stage.chunksDone()) > before)
    app.type('w')
    await seen(/lives .* 2 of 2/)
    app.type('enter')
    await seen('2 working')
    app.type('x', 'down', 'enter')
    await seen('copy: stopped')
    expect(app.screen()).toContain('exit 75 · p queues the rest')
    await app.quit()
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  test('a drained worker gives back its tasks, and another one continues them', async () => {
    const run = await stage.distribute(...COPY, '--checkpoint-size', '200', '--rate', '3000', '--tasks', '1')
    const first = stage.worker()
    await stage.until('some chunks', async () => (await stage.chunksDone()) > 5)
    first.signal('SIGTERM')
    expect(await first.ended).toBe(0)
    expect(first.slots).toEqual(['begun', 'queued'])
    expect(await stage.run(run)).toMatchObject({ status: 'running', slots: { queued: 1, working: 0 } })
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    const second = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    expect(await second.ended).toBe(0)
    const { source, target } = await compared(stage)
    expect(target).toBe(source)
  })

  /** What the newest turns have reported of tables at their end, in the order of tasks. */
  async function reportedOf(run: string, table: string): Promise<readonly { looked: string; notes: string }[]> {
    const sql = `SELECT events FROM sluice_queue.sluice_run_output WHERE run_id = '${run}' ORDER BY slot_no`
    const rows = await stage.ask<{ events: string }>(stage.queue, 'queue', sql)
    return rows.flatMap(({ events }) =>
      (JSON.parse(events) as Event[]).flatMap((event) =>
        event.type === 'table.finished' && event.table.endsWith(table) && event.copied !== undefined
          ? [{ looked: event.copied.looked, notes: (event.notes ?? []).join('; ') }]
          : [],
      ),
    )
  }

  test('rows that existed before are counted once by all tasks and turns, and copied rows by none', async () => {
    await stage.ask(
      stage.data,
      'source',
      'CREATE TABLE IF NOT EXISTS more AS SELECT * FROM orders WHERE id <= 20000; ALTER TABLE more DROP CONSTRAINT IF EXISTS more_pkey; ALTER TABLE more ADD PRIMARY KEY (id)',
    )
    expect((await stage.sluice(...COPY, '--checkpoint-size', '1000')).code).toBe(0)
    const run = await stage.distribute(
      ...COPY,
      '--table',
      'more',
      '--checkpoint-size',
      '1000',
      '--batch-rows',
      '100',
      '--rate',
      '2000',
      '--tasks',
      '2',
    )
    const first = stage.worker({ args: ['--concurrency', '2'] })
    await stage.until('some chunks', async () => (await stage.chunksDone()) > 63)
    first.signal('SIGTERM')
    expect(await first.ended).toBe(0)
    const before = await reportedOf(run, 'orders')
    expect(before.map(({ looked: inspected }) => inspected).toSorted()).toEqual(['0', '60'])
    expect(before.find(({ looked: inspected }) => inspected === '0')?.notes).toMatch(
      /another task of this shared run, compared/,
    )
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    const second = stage.worker({ args: ['--concurrency', '2', '--idle', '3s'] })
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await second.ended).toBe(0)
    expect(await stage.run(run)).toMatchObject({ status: 'ok' })
    for (const { looked: seen } of [...(await reportedOf(run, 'orders')), ...(await reportedOf(run, 'more'))])
      expect(seen).toBe('0')
    // A resumed run, or another one, does not rely on earlier counts.
    const next = await stage.distribute(...COPY, '--tasks', '2')
    const third = stage.worker({ args: ['--concurrency', '2', '--idle', '3s'] })
    expect(await third.ended).toBe(0)
    expect((await reportedOf(next, 'orders')).map(({ looked: inspected }) => inspected)).toContain('60')
    expect(await stage.run(next)).toMatchObject({ status: 'ok' })
  })

  test('a row that is missing from the earlier ones is found by whichever task checks', async () => {
    expect((await stage.sluice(...COPY, '--checkpoint-size', '1000')).code).toBe(0)
    await stage.ask(stage.data, 'target', 'DELETE FROM orders WHERE id = 77')
    const run = await stage.distribute(...COPY, '--tasks', '2')
    const worker = stage.worker({ args: ['--concurrency', '2', '--idle', '3s'] })
    expect(await worker.ended).toBe(0)
    expect(await stage.run(run)).toMatchObject({ status: 'failed', exitCode: 1, error: { code: 'COUNTS_DIFFER' } })
    await stage.ask(stage.data, 'target', `INSERT INTO orders VALUES (77, md5('77'), 77 * 1.5)`)
    await stage.sluice('ctl', run, 'resume', '--distributed')
    const again = stage.worker({ args: ['--concurrency', '2', '--idle', '3s'] })
    expect(await again.ended).toBe(0)
    expect(await stage.run(run)).toMatchObject({ status: 'ok' })
  })

  test('a worker that ends when it is idle is not idle while it gives a task back', async () => {
    const slow = await stage.distribute(...COPY, '--rate', '8000', '--tasks', '1')
    const next = await stage.distribute('diff', '--from', 'shop', '--to', 'cold', '--table', 'orders')
    const worker = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('the first one', () => worker.slots.includes('begun'))
    // The row of the run is locked when the task is to be given back.
    const client = new pg.Client({ connectionString: stage.queue.url('queue') })
    await client.connect()
    await client.query('BEGIN')
    await client.query('SELECT FROM sluice_queue.sluice_runs WHERE run_id = $1 FOR UPDATE', [slow])
    await stage.until('its end by the ledger', async () => {
      const sql = `SELECT run_id FROM migration_runs WHERE exit_code = 0`
      return (await stage.ask(stage.data, 'target', sql).catch(() => [])).length > 0
    })
    await stage.until('that it waits to say so', async () => {
      const sql = `SELECT pid FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0`
      return (await stage.ask(stage.queue, 'queue', sql)).length > 0
    })
    // Longer than its interval of idle checks.
    await setTimeout(500)
    await client.query('COMMIT')
    await client.end()
    expect(await worker.ended).toBe(0)
    expect(worker.slots).toEqual(['begun', 'ended', 'begun', 'ended'])
    expect([(await stage.run(slow)).status, (await stage.run(next)).status]).toEqual(['ok', 'ok'])
  })

  test('rows that only the target has are named by a shared comparison that succeeds, and by its report', async () => {
    for (const database of ['source', 'target'])
      await stage.ask(
        stage.data,
        database,
        'DROP TABLE IF EXISTS more; CREATE TABLE more (id int PRIMARY KEY); INSERT INTO more VALUES (1)',
      )
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'more', '--again'] as const
    await stage.ask(stage.data, 'target', 'TRUNCATE more')
    expect((await stage.sluice(...copy.slice(0, -1))).code).toBe(0)
    await stage.ask(stage.data, 'target', 'INSERT INTO more VALUES (2)')
    const run = await stage.distribute(...copy)
    const worker = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await worker.ended).toBe(0)
    expect((await stage.run(run)).status).toBe('ok')
    const note = 'one row of the target is not in the source, and stays; --delete-extra removes it'
    const { events } = await stage.sluice('runs', '--distributed', '--run', run)
    const noted = { level: 'note', table: 'public.more', message: note }
    expect(events).toContainEqual(expect.objectContaining(noted))
    const report = await stage.sluice('report', run, '--to', 'cold', '--format', 'json')
    const text = report.events.find((event) => event.type === 'run.report')
    const document = JSON.parse(text?.type === 'run.report' ? text.text : '{}') as RunReport
    expect(document.queue?.notes).toContainEqual({ table: 'public.more', note })
  })

  test('a shared comparison that copies first counts each row once, even those that the target refuses', async () => {
    const odd = (check: string): string => `DROP TABLE IF EXISTS odd; CREATE TABLE odd (id int PRIMARY KEY${check})`
    await stage.ask(stage.data, 'source', `${odd('')}; INSERT INTO odd SELECT generate_series(1, 100)`)
    await stage.ask(stage.data, 'target', odd(', CHECK (id <> 7)'))
    const run = await stage.distribute('copy', '--from', 'shop', '--to', 'cold', '--table', 'odd', '--again')
    const worker = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await worker.ended).toBe(0)
    expect(await stage.run(run)).toMatchObject({ rows: 100n, chunks: 1, countedAt: null })
  })

  test('the result of an incomplete run names each table and its cause, as the same run does on one machine', async () => {
    await stage.ask(
      stage.data,
      'source',
      `CREATE TABLE IF NOT EXISTS good (id int PRIMARY KEY); CREATE TABLE IF NOT EXISTS first_bad (id int PRIMARY KEY); CREATE TABLE IF NOT EXISTS second_bad (id int PRIMARY KEY)`,
    )
    for (const name of ['first_bad', 'second_bad'])
      await stage.ask(stage.data, 'target', `CREATE TABLE ${name} (id int PRIMARY KEY); INSERT INTO ${name} VALUES (1)`)
    const tables = ['good', 'first_bad', 'second_bad'].flatMap((name) => ['--table', name])
    const copy = ['copy', '--from', 'shop', '--to', 'cold', ...tables] as const
    await stage.ask(stage.data, 'source', 'INSERT INTO first_bad VALUES (1); INSERT INTO second_bad VALUES (1)')
    const run = await stage.distribute(...copy, '--tasks', '1')
    const worker = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await worker.ended).toBe(0)
    const here = await stage.sluice(...copy)
    const notified = here.events.flatMap((event) =>
      event.type === 'table.finished' && event.error !== undefined ? [event] : [],
    )
    expect(notified.map(({ table }) => table).toSorted()).toEqual(['public.first_bad', 'public.second_bad'])
    const { error } = await stage.run(run)
    expect(error?.hint).not.toContain('above')
    for (const { table, error: cause } of notified)
      expect(error?.reason).toContain(`${table}: ${cause?.code ?? ''} ${cause?.message ?? ''}`)
    // The report of it is requested by the same id.
    const reported = await stage.sluice('report', run, '--to', 'cold', '--format', 'json')
    const text = reported.events.find((event) => event.type === 'run.report')
    const document = JSON.parse(text?.type === 'run.report' ? text.text : '{}') as RunReport
    expect([reported.code, document.queue]).toMatchObject([
      0,
      { status: 'failed', exitCode: 1, slots: [{ slot: '1', state: 'ended', exitCode: 1 }] },
    ])
    expect(document.queue?.causes.map(({ table }) => table)).toEqual(['public.first_bad', 'public.second_bad'])
    const ledgerRun = document.queue?.slots[0]?.ledgerRun ?? ''
    expect((await stage.sluice('report', ledgerRun, '--to', 'cold')).code).toBe(0)
    const unknown = await stage.sluice('report', '12345', '--to', 'cold')
    expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining('the queue of')])
    const { events } = await stage.sluice('runs', '--distributed', '--run', run)
    const lines = events.filter((event) => event.type === 'log')
    for (const { table, error: cause } of notified)
      expect(lines).toContainEqual(
        expect.objectContaining({
          level: 'error',
          table,
          message: expect.stringContaining(cause?.message ?? '') as string,
          hint: cause?.hint,
        }),
      )
    expect(lines.at(-1)).toMatchObject({
      level: 'error',
      message: expect.stringContaining('the run ended: failed, exit 1') as string,
    })
  })

  test('differences are found, and end the run as they end one on a single machine', async () => {
    expect((await stage.sluice(...COPY)).code).toBe(0)
    await stage.ask(stage.data, 'target', `UPDATE orders SET note = 'other' WHERE id = 77`)
    const run = await stage.distribute('diff', '--from', 'shop', '--to', 'cold', '--table', 'orders')
    const worker = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'failed', exitCode: 1, error: { code: 'DIFFERENCES' } })
    const { events } = await stage.sluice('runs', '--distributed', '--run', run)
    expect(events.find((event) => event.type === 'log' && event.table !== undefined)).toMatchObject({
      level: 'error',
      table: 'public.orders',
      message: expect.stringMatching(/^DIFFERENCES .* 1 different/) as string,
      hint: expect.stringContaining('--fix to repair the target') as string,
    })
    await worker.ended
  })

  test.each([
    [
      'a URL without a name',
      ['--from', 'shop', '--to', 'sqlite:///tmp/nowhere.db'],
      /is not a store of the config file/,
    ],
    ['a command that only looks', ['--dry-run', '--from', 'shop', '--to', 'cold'], /the plan is made on this machine/],
    [
      'the background',
      ['--background', '--from', 'shop', '--to', 'cold'],
      /--distributed and --background exclude each other/,
    ],
  ])('%s is refused, and nothing is queued', async (_what, words, why) => {
    const before = await stage.sluice('runs', '--distributed')
    const { code, events } = await stage.sluice('copy', '--table', 'orders', ...words, '--distributed')
    expect(code).toBe(2)
    const end = events.at(-1)
    expect(end?.type === 'run.finished' ? end.error?.message : '').toMatch(why)
    const after = await stage.sluice('runs', '--distributed')
    expect(after.events.length).toBe(before.events.length)
  })

  test('a waiting task ends with the error of the run, and without one if the run succeeds', async () => {
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work', 2)
    const error = { code: 'CONNECT_FAILED', message: 'away', retryable: true } as const
    const refused = { code: 'NO_SUCH_TABLE', message: 'no table', retryable: false } as const
    const about = { host: 'here', pid: 1, program: 'none', concurrency: 1, queues: [] }
    for (const [exitCode, end, status] of [
      [0, null, 'ok'],
      [2, refused, 'refused'],
    ] as const) {
      const runId = String(70 + exitCode)
      const words = { kind: 'copy', commandLine: 'sluice copy', program: 'none', actor: 'me', host: 'here' }
      const none = { source: null, target: null, queue: null, mark: null }
      const slots = [{ about: '' }, { about: '' }]
      await queue.submit({ runId, takesTurns: true, operation: {}, stores: [], slots, ...words, ...none })
      const [one, two] = [
        queue.worker({ workerId: `a${runId}`, ...about }),
        queue.worker({ workerId: `b${runId}`, ...about }),
      ]
      const [rests, ends] = [await one.claim({ runId, no: 1 }), await two.claim({ runId, no: 2 })]
      if (rests === null || ends === null) throw new Error('no slot')
      await one.release(rests, { left: 'rest', exitCode: 4, error })
      await two.release(ends, { left: 'none', exitCode, ...(end === null ? {} : { error: end }) })
      expect(await stage.run(runId)).toMatchObject({ status, error: end })
      expect((await queue.slots(runId)).map((slot) => slot.error)).toEqual([end, end])
    }
  })

  test('a task that works again does not keep the error of its earlier turn', async () => {
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work', 2)
    const words = { kind: 'copy', commandLine: 'sluice copy', program: 'none', actor: 'me', host: 'here' }
    const none = { source: null, target: null, queue: null, mark: null }
    const slots = [{ about: '' }]
    await queue.submit({ runId: '90', takesTurns: true, operation: {}, stores: [], slots, ...words, ...none })
    const worker = queue.worker({ workerId: 'a90', host: 'here', pid: 1, program: 'none', concurrency: 1, queues: [] })
    const errors = async (): Promise<unknown> => (await queue.slots('90')).map(({ error }) => error?.code ?? null)
    const first = await worker.claim({ runId: '90', no: 1 })
    if (first === null) throw new Error('no slot')
    const error = { code: 'CONNECT_FAILED', message: 'away', retryable: true } as const
    await worker.release(first, { left: 'rest', exitCode: 4, error })
    expect(await errors()).toEqual(['CONNECT_FAILED'])
    const second = await worker.claim({ runId: '90', no: 1 })
    if (second === null) throw new Error('no slot')
    expect(await errors()).toEqual([null])
    expect(second.rested).toMatchObject({ times: 1, cause: { code: 'CONNECT_FAILED' } })
    // Repeated waits count only for one cause in a row.
    const refused = { ...error, message: 'refuses the password', retryable: false }
    await worker.release(second, { left: 'rest', exitCode: 4, error: refused })
    const third = await worker.claim({ runId: '90', no: 1 })
    if (third === null) throw new Error('no slot')
    expect(third.rested).toMatchObject({ times: 1, cause: { message: 'refuses the password' } })
    await worker.refuse(third, refused)
    const fourth = await worker.claim({ runId: '90', no: 1 })
    expect(fourth?.rested).toMatchObject({ times: 1, cause: { message: 'refuses the password' } })
  })

  test('a database without a queue gets none from a steering command, and a role without rights gets an error', async () => {
    await stage.ask(stage.data, 'other', `DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN PASSWORD 'poor-word'`)
    const url = new URL(stage.data.url('other'))
    for (const words of [
      ['ctl', '1', 'pause', '--distributed'],
      ['schedule', 'pause', 'nightly'],
    ]) {
      expect((await stage.sluice(...words, '--connect', url.href)).err).toContain('NO_SUCH_PATH')
    }
    const made = `SELECT nspname FROM pg_namespace WHERE nspname IN ('sluice_queue', 'graphile_worker')`
    expect(await stage.ask(stage.data, 'other', made)).toEqual([])
    url.username = 'poor'
    url.password = 'poor-word'
    const { code, err } = await stage.sluice('worker', '--idle', '1s', '--connect', url.href)
    expect([code, err]).toEqual([4, expect.stringContaining('GRANT CREATE ON DATABASE')])
    expect(err).toContain('TARGET_DENIED')
    expect(err).not.toMatch(/poor-word|GRANT CREATE [^;]*TO [\\"]*poor/)
  })

  test('no password is in the queue, or in the output of workers', async () => {
    const password = 'a test pässword/@:%'
    const forms = [password, encodeURIComponent(password), JSON.stringify(password).slice(1, -1)]
    const bad = await stage.distribute(...COPY, '--table', 'nowhere', '--tasks', '1')
    const worker = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('a refusal', async () => (await stage.run(bad)).status !== 'running')
    await worker.ended
    // The last message of a crashing program cannot be controlled.
    await stage.distribute(...COPY, '--tasks', '1')
    const crashing = stage.worker({ preload: CRASH })
    await stage.until('a crash', () => crashing.slots.includes('resting'))
    crashing.signal('SIGKILL')
    await crashing.ended
    const tables = await stage.ask<{ name: string }>(
      stage.queue,
      'queue',
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('sluice_queue', 'graphile_worker')`,
    )
    expect(tables.length).toBeGreaterThan(6)
    let text = worker.said + crashing.said
    for (const { name } of tables) {
      const rows = await stage.ask<{ row: string }>(stage.queue, 'queue', `SELECT t::text AS row FROM ${name} t`)
      text += rows.map(({ row }) => row).join('\n')
    }
    for (const form of forms) expect(text).not.toContain(form)
    expect(text).toContain(bad)
    expect(text).toContain('it broke at postgresql')
  })
})
