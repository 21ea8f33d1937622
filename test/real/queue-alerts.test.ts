/**
 * Alerts of shared runs: a run that repeats on another host reports each alert once, because the queue knows which are
 * open.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { identified } from '../../src/app/share/identity.ts'
import { alertKey } from '../../src/app/alerts/scope.ts'
import { openQueue } from '../../src/app/share/queues.ts'
import type { OwnTask } from '../../src/engine/run/watch-port.ts'
import type { AlertQuestion } from '../../src/app/share/task-messages.ts'
import { WorkerAlerts } from '../../src/app/share/worker-alerts.ts'
import { memoryOfProgram } from '../../src/app/alerts/memory.ts'
import type { ClaimedTask } from '../../src/model/share/queue-port.ts'
import { RunWatch } from '../../src/app/share/run-watch.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { wholeCommands } from '../../src/app/whole-commands/whole.ts'
import type { Event } from '../../src/model/run/event.ts'
import { readExposition, valuesOf } from '../support/exposition.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { makeOrders, WorkerStage, type WorkerOptions } from '../support/worker-stage.ts'

/** A shared copy with one task. */
const RUN = {
  kind: 'copy',
  takesTurns: true,
  commandLine: 'sluice copy',
  source: null,
  target: null,
  actor: 'me',
  host: 'here',
  queue: null,
  slots: [{ about: '' }],
}

describe.skipIf(!POSTGRES_OWN)(`alerts of runs that workers share ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open()
    await makeOrders(stage, 100)
    await stage.ask(stage.data, 'target', 'CREATE TABLE orders (id int PRIMARY KEY, note text, amount numeric)')
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  /** A comparison on a host that has run none before, so it has no history of its own. */
  async function comparedOn(
    host: string,
    more: WorkerOptions = {},
  ): Promise<{ status: string; told: readonly string[] }> {
    const file = path.join(stage.folder, 'told')
    const command = `echo "$SLUICE_ALERT_CAUSE $SLUICE_ALERT_STATE" >> ${file}; echo "$SLUICE_ALERT_ID" >> ${file}-ids`
    const run = await stage.distribute(
      'diff',
      '--from',
      'shop',
      '--to',
      'cold',
      '--table',
      'orders',
      '--alert',
      'failed',
      '--alert-command',
      command,
    )
    const worker = stage.worker({ host, ...more })
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    const { status } = await stage.run(run)
    worker.signal('SIGTERM')
    await worker.ended
    return { status, told: existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [] }
  }

  test('an open alert is sent by the first host only, and its end by the host that finds it', async () => {
    expect(await comparedOn('first')).toEqual({ status: 'failed', told: ['failed raised'] })
    expect(await comparedOn('second')).toEqual({ status: 'failed', told: ['failed raised'] })
    await stage.ask(
      stage.data,
      'target',
      `INSERT INTO orders SELECT g, md5(g::text), g * 1.5 FROM generate_series(1, 100) g`,
    )
    // Its config file has another URL for the same store.
    const elsewhere = { overTcp: true, stores: { cold: stage.data.url('target') } }
    expect(await comparedOn('third', elsewhere)).toEqual({ status: 'ok', told: ['failed raised', 'failed cleared'] })
    const ids = readFileSync(path.join(stage.folder, 'told-ids'), 'utf8').trim().split('\n')
    expect(ids).toEqual([ids[0], ids[0]])
    expect(await stage.ask(stage.queue, 'queue', 'SELECT * FROM sluice_queue.sluice_alerts')).toEqual([])
  })

  test('an alert or its end during an outage of the queue is sent once, and recorded when the queue is back', async () => {
    await using proxy = await startProxy(stage.queue.port)
    const url = new URL(stage.queue.url('queue'))
    url.host = `127.0.0.1:${proxy.port}`
    const file = path.join(stage.folder, 'away')
    const reported = (): readonly string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])
    const command = `echo "$SLUICE_ALERT_STATE" >> ${file}`
    await stage.ask(stage.data, 'source', 'CREATE TABLE away (id int PRIMARY KEY); INSERT INTO away VALUES (1)')
    await stage.ask(stage.data, 'target', 'CREATE TABLE away (id int PRIMARY KEY)')
    const worker = stage.worker({ overTcp: true, stores: { queue: url.href } })
    const count = (isIt: (event: Event) => boolean): number => worker.events.filter(isIt).length
    const isBegun = (event: Event): boolean => event.type === 'worker.slot' && event.state === 'begun'
    const isLost = (event: Event): boolean => event.type === 'log' && event.message.includes('queue cannot be reached')
    const compared = async (row: 'is there' | 'is missing', queue: 'away' | 'there'): Promise<void> => {
      await stage.ask(stage.data, 'target', 'DELETE FROM away')
      if (row === 'is there') await stage.ask(stage.data, 'target', 'INSERT INTO away VALUES (1)')
      const [begun, lost, before] = [count(isBegun), count(isLost), reported().length]
      const holder = new pg.Client({ connectionString: stage.data.url('target') })
      await holder.connect()
      await holder.query('BEGIN; LOCK TABLE away')
      const diff = ['diff', '--from', 'shop', '--to', 'cold', '--table', 'away', '--alert', 'failed']
      const run = await stage.distribute(...diff, '--alert-command', command)
      await stage.until('a slot', () => count(isBegun) > begun)
      if (queue === 'away') {
        proxy.redirect(1)
        proxy.cut()
        await stage.until('the queue to be away', () => count(isLost) > lost)
      }
      await holder.end()
      if (queue === 'away') {
        // An alert is sent at once; an end when the queue is back.
        if (row === 'is missing') await stage.until('the alert', () => reported().length > before)
        else await sleep(4_000)
        proxy.redirect(stage.queue.port)
      }
      await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
      expect((await stage.run(run)).status).toBe(row === 'is there' ? 'ok' : 'failed')
      await stage.until('what is told', () => reported().length === before + 1 || reported(), 10_000)
    }
    await compared('is missing', 'away')
    await compared('is there', 'there')
    await compared('is missing', 'there')
    await compared('is there', 'away')
    await compared('is missing', 'away')
    expect(reported()).toEqual(['raised', 'cleared', 'raised', 'cleared', 'raised'])
    const stands = 'SELECT cause FROM sluice_queue.sluice_alerts'
    await stage.until(
      'the queue to know',
      async () => (await stage.ask(stage.queue, 'queue', stands)).length === 1,
      10_000,
    )
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
    await stage.ask(stage.queue, 'queue', 'DELETE FROM sluice_queue.sluice_alerts')
    await stage.forgetRuns()
  })

  test('a run that every worker refuses sends failed once, and the next run that succeeds clears it', async () => {
    const file = path.join(stage.folder, 'refused')
    const reported = (): readonly string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])
    const command = `echo "$SLUICE_ALERT_CAUSE $SLUICE_ALERT_STATE $SLUICE_ALERT_RUN $SLUICE_ALERT_VALUE" >> ${file}`
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'refused', '--tasks', '1']
    const alarm = ['--alert', 'failed', '--alert-command', command]
    await stage.ask(stage.data, 'source', 'CREATE TABLE refused (id int PRIMARY KEY); INSERT INTO refused VALUES (1)')
    const run = await stage.distribute(...copy, ...alarm)
    await stage.ask(stage.data, 'source', 'ALTER DATABASE target RENAME TO parked')
    await stage.data.createDatabase('target')
    const workers = [stage.worker(), stage.worker()]
    await stage.until('refusals', async () => (await stage.run(run)).refusals.length === 2)
    const longAgo = `UPDATE sluice_queue.sluice_run_refusals SET refused_at = now() - interval '2 min';
      DELETE FROM sluice_queue.sluice_workers WHERE ended_at IS NOT NULL`
    await stage.ask(stage.queue, 'queue', longAgo)
    await stage.until('its end', async () => (await stage.run(run)).status === 'failed')
    await stage.until('the alert', () => reported().length > 0)
    const stands = 'SELECT cause, table_name FROM sluice_queue.sluice_alerts'
    expect(await stage.ask(stage.queue, 'queue', stands)).toEqual([{ cause: 'failed', table_name: '' }])
    await stage.ask(stage.data, 'source', 'DROP DATABASE target WITH (FORCE)')
    await stage.ask(stage.data, 'source', 'ALTER DATABASE parked RENAME TO target')
    expect((await stage.sluice('ctl', run, 'resume', '--distributed')).code).toBe(0)
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    for (const worker of workers) worker.signal('SIGTERM')
    await Promise.all(workers.map(async ({ ended }) => await ended))
    expect(reported()).toEqual([
      expect.stringMatching(new RegExp(`^failed raised ${run} WORKERS_REFUSED .*is not the database of the run`)),
      expect.stringMatching(/^failed cleared /),
    ])
    expect(await stage.ask(stage.queue, 'queue', stands)).toEqual([])
    await stage.forgetRuns()
  })

  test('a failure that its program did not report is reported once by another worker if the first one is gone', async () => {
    await stage.forgetRuns()
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const about = { host: 'here', pid: 7, program: 'sluice 1, ledger 1', concurrency: 1, queues: [] }
    const alert = { conditions: [{ cause: 'failed' }] }
    const gone = queue.worker({ ...about, workerId: 'gone' })
    await gone.sendHeartbeat(false)
    const begun = async (runId: string, more = {}, options: unknown = alert) => {
      const operation = { kind: 'copy', from: 'shop', to: 'cold', tables: [`of_${runId}`], alert: options }
      await queue.submit({ ...RUN, ...more, program: about.program, runId, operation, stores: [] })
      const slot = await gone.claim({ runId, no: 1 })
      if (slot === null) throw new Error('the slot is not free')
      return slot
    }
    const error = { code: 'CONNECT_FAILED', message: 'no way there', retryable: false } as const
    await gone.refuse(await begun('31'), error)
    const longAgo = `UPDATE sluice_queue.sluice_run_refusals SET refused_at = now() - interval '2 min'`
    await stage.ask(stage.queue, 'queue', longAgo)
    expect((await gone.sweep()).ended).toMatchObject([{ runId: '31', status: 'failed' }])
    // Its program has crashed, so it has not raised the alert.
    await gone.release(await begun('32'), { left: 'none', exitCode: 3, error, isUnworked: true })
    // Its program has raised its own alerts.
    await gone.release(await begun('33'), { left: 'none', exitCode: 3, error })

    const reported: string[] = []
    const watch = new RunWatch({
      queue: queue.worker({ ...about, workerId: 'other' }),
      alerts: queue.alerts,
      known: [],
      host: 'other',
      emit: (event) => void (event.type === 'alert' && reported.push(`${event.cause} ${event.state} ${event.run}`)),
    })
    for (let inspections = 0; inspections < 3; inspections += 1) await watch.evaluate([])
    await watch.sent(60_000)
    expect(reported.splice(0)).toEqual(['failed raised 31', 'failed raised 32'])

    // A stop was requested while its program crashes, otherwise it would have been repeated.
    const rests = await begun('34', { slots: [{ about: 'own' }] })
    await queue.steer('34', { stop: true })
    await gone.release(rests, { left: 'rest', exitCode: 3, error, isUnworked: true })
    expect((await queue.runs(1, '34'))[0]?.status).toBe('stopped')
    await watch.evaluate([])
    await watch.sent(60_000)
    expect(reported).toEqual([])

    // The worker that has recorded the alert is killed before it is sent.
    await gone.release(await begun('35'), { left: 'none', exitCode: 3, error, isUnworked: true })
    const [killed] = (await gone.watch()).filter(({ runId }) => runId === '35')
    expect(await gone.takeFailure({ runId: '35', no: 1 })).toMatchObject({ isAgain: false })
    expect(await gone.takeFailure({ runId: '35', no: 1 })).toBeNull()
    await queue.alerts.begin(alertKey(killed?.operation as Operation, 'failed', '', true))
    // Its sink accepts nothing.
    const broken = { ...alert, command: 'exit 1' }
    await gone.release(await begun('36', {}, broken), { left: 'none', exitCode: 3, error, isUnworked: true })
    const inspected = async (): Promise<readonly string[]> => {
      for (let looks = 0; looks < 3; looks += 1) {
        await watch.evaluate([])
        await watch.sent(60_000)
      }
      return reported.splice(0)
    }
    expect(await inspected()).toEqual(['failed raised 36'])
    const minuteAgo = `UPDATE sluice_queue.sluice_run_slots SET unreported = unreported || jsonb_build_object('takenAt', (unreported ->> 'takenAt')::float8 - 61000)`
    await stage.ask(stage.queue, 'queue', minuteAgo)
    expect(await inspected()).toEqual(['failed raised 35', 'failed raised 36'])
    await stage.ask(stage.queue, 'queue', minuteAgo)
    expect(await inspected()).toEqual(['failed raised 36'])
    await stage.forgetRuns()
    await stage.ask(stage.queue, 'queue', 'DELETE FROM sluice_queue.sluice_alerts')
  })

  test('of workers that find the same alert at once, one gets "new", and one gets "cleared"', async () => {
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const key = { scope: 'x'.repeat(10_000), cause: 'drift', table: 'a' } as const
    const begun = await Promise.all(Array.from({ length: 8 }, () => queue.alerts.begin(key)))
    expect(begun.map(({ is }) => is).toSorted()).toEqual(['new', ...Array.from({ length: 7 }, () => 'stands')])
    expect(new Set(begun.map(({ since }) => since)).size).toBe(1)
    const ended = await Promise.all(Array.from({ length: 8 }, () => queue.alerts.end(key)))
    expect(ended.filter(({ is }) => is === 'cleared')).toHaveLength(1)
    expect(await queue.alerts.end(key)).toEqual({ is: 'none' })
    await queue.alerts.sent(key, 'cleared')
    expect(await stage.ask(stage.queue, 'queue', 'SELECT cause FROM sluice_queue.sluice_alerts')).toEqual([])
  })

  test('the confirmation of an end waits for a concurrent start of the same alert, and neither fails', async () => {
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const key = { scope: 'locked', cause: 'drift', table: 'a' } as const
    await queue.alerts.begin(key)
    await queue.alerts.sent(key, 'raised')
    await queue.alerts.end(key)
    const other = new pg.Client({ connectionString: stage.queue.url('queue') })
    await other.connect()
    try {
      // Takes the locks of a start, in its order.
      await other.query(`BEGIN; SELECT FROM sluice_queue.sluice_alerts WHERE cause = 'drift' FOR UPDATE`)
      const sent = queue.alerts.sent(key, 'cleared')
      const waits = `SELECT 1 FROM pg_stat_activity WHERE datname = 'queue' AND wait_event_type = 'Lock'`
      await stage.until('it to wait', async () => (await stage.ask(stage.queue, 'queue', waits)).length > 0)
      const noted = other.query(
        `UPDATE sluice_queue.sluice_alerts SET since = since WHERE cause = 'unsent end'; COMMIT`,
      )
      const both = await Promise.allSettled([sent, noted])
      expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    } finally {
      await other.end()
    }
    expect(await stage.ask(stage.queue, 'queue', 'SELECT cause FROM sluice_queue.sluice_alerts')).toEqual([])
  })

  test('an alert that was raised during an outage, or whose end no sink accepted, keeps its time and id', async () => {
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const key = { scope: 'kept', cause: 'drift', table: 'a' } as const
    let isAway = true
    const unless = async <T>(asked: () => Promise<T>): Promise<T> => {
      if (isAway) throw new Error('away')
      return await asked()
    }
    const { alerts: book } = queue
    const alerts = new WorkerAlerts({
      queue: {
        begin: async (one, note) => await unless(async () => await book.begin(one, note)),
        end: async (one) => await unless(async () => await book.end(one)),
        sent: async (one, state) => await unless(async () => await book.sent(one, state)),
      },
      own: memoryOfProgram(),
      note: () => undefined,
      cleared: () => undefined,
    })
    const slot = { runId: '1', operation: {} } as unknown as ClaimedTask
    const ask = async (act: AlertQuestion['act']): Promise<unknown> => await alerts.answer({ id: 1, act, key }, slot)
    const since = 1_700_000_000_000
    expect(await ask({ begin: since })).toEqual({ act: 'begin', found: { is: 'new', since } })
    await ask({ sent: 'raised' })
    isAway = false
    await alerts.deliver()
    expect(await ask('end')).toEqual({ act: 'end', found: { is: 'cleared', since } })
    await ask({ begin: since })
    await ask({ sent: 'raised' })
    expect(await book.end(key)).toEqual({ is: 'cleared', since })
    await book.sent(key, 'cleared')
  })

  test('an alert or an end that its sender does not confirm is sent by another worker after a minute', async () => {
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const { alerts } = queue
    const key = { scope: 's', cause: 'drift', table: 'a' } as const
    const minuteLater = async (): Promise<unknown> =>
      await stage.ask(
        stage.queue,
        'queue',
        `UPDATE sluice_queue.sluice_alerts SET since = since - interval '61 s' WHERE cause LIKE 'unsent%'`,
      )
    const first = await alerts.begin(key)
    expect(first.is).toBe('new')
    expect((await alerts.begin(key)).is).toBe('stands')
    await minuteLater()
    expect(await alerts.begin(key)).toEqual({ is: 'new', since: first.since })
    await alerts.sent(key, 'raised')
    await minuteLater()
    expect((await alerts.begin(key)).is).toBe('stands')

    expect((await alerts.end(key)).is).toBe('cleared')
    expect((await alerts.end(key)).is).toBe('none')
    await minuteLater()
    expect(await alerts.end(key)).toEqual({ is: 'cleared', since: first.since })
    // It starts again before its end is confirmed; the confirmation does not apply to the new one.
    const second = await alerts.begin(key)
    expect(second.is).toBe('new')
    expect(second.since).toBeGreaterThan(first.since)
    await alerts.sent(key, 'cleared')
    expect(await alerts.begin(key)).toEqual({ is: 'stands', since: second.since })
    await alerts.sent(key, 'raised')
    expect((await alerts.end(key)).is).toBe('cleared')
    await alerts.sent(key, 'cleared')
    expect(await stage.ask(stage.queue, 'queue', 'SELECT cause FROM sluice_queue.sluice_alerts')).toEqual([])
  })

  test('a lost worker is reported by another worker if the first reporter is killed before it has sent the alert', async () => {
    await stage.forgetRuns()
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const about = { host: 'here', pid: 7, program: 'sluice 1, ledger 1', concurrency: 1, queues: [] }
    const operation = {
      kind: 'copy',
      from: 'shop',
      to: 'cold',
      tables: ['t'],
      alert: { conditions: [{ cause: 'failed' }], command: `sleep 1; test ! -e ${stage.folder}/is-away` },
    }
    const gone = queue.worker({ ...about, workerId: 'lost' })
    await gone.sendHeartbeat(false)
    await queue.submit({ ...RUN, program: about.program, runId: '71', operation, stores: [] })
    await gone.claim({ runId: '71', no: 1 })
    const at = 1_700_000_000_000
    const lost = { no: 1, workerId: 'lost', host: 'here', beatAt: at, at, chunks: [] }
    await stage.ask(
      stage.queue,
      'queue',
      `UPDATE sluice_queue.sluice_run_slots SET state = 'queued', lost = '${JSON.stringify(lost)}' WHERE run_id = '71'`,
    )
    const minuteLater = async (field: string): Promise<unknown> =>
      await stage.ask(
        stage.queue,
        'queue',
        `UPDATE sluice_queue.sluice_run_slots SET lost = lost || jsonb_build_object('${field}', (lost ->> '${field}')::float8 - 61000) WHERE run_id = '71'`,
      )
    const key = { runId: '71', no: 1 }
    expect(await gone.noteLoss(key, at, 'reported')).toBe(true)
    const reported: string[] = []
    const watch = new RunWatch({
      queue: queue.worker({ ...about, workerId: 'other' }),
      alerts: queue.alerts,
      known: [],
      host: 'other',
      emit: (event) => void (event.type === 'alert' && reported.push(`${event.cause} ${event.state}`)),
    })
    const inspected = async (): Promise<readonly string[]> => {
      for (let inspections = 0; inspections < 2; inspections += 1) {
        await watch.evaluate([])
        await watch.sent(60_000)
      }
      return reported.splice(0)
    }
    expect(await inspected()).toEqual([])
    await minuteLater('reportedAt')
    // While its sender works on it, it is not sent again after a minute.
    await watch.evaluate([])
    await minuteLater('reportedAt')
    expect(await inspected()).toEqual(['worker-lost raised'])
    await stage.ask(
      stage.queue,
      'queue',
      `UPDATE sluice_queue.sluice_run_slots SET state = 'working' WHERE run_id = '71'`,
    )
    expect(await gone.noteLoss(key, at, 'over')).toBe(true)
    expect(await inspected()).toEqual([])
    await minuteLater('overAt')
    // If no sink accepts its end, the end is sent again a minute later, but not the loss.
    writeFileSync(path.join(stage.folder, 'is-away'), '')
    expect(await inspected()).toEqual(['worker-lost cleared'])
    expect(await inspected()).toEqual([])
    rmSync(path.join(stage.folder, 'is-away'))
    await minuteLater('overAt')
    expect(await inspected()).toEqual(['worker-lost cleared'])
    expect(await inspected()).toEqual([])
    await stage.forgetRuns()
  })

  test('a chunk that a silent host has finished is not reported as stuck, and an unfinished one until it is done', async () => {
    await stage.ask(stage.data, 'source', 'CREATE TABLE items AS SELECT g AS id FROM generate_series(1, 40) g')
    await stage.ask(stage.data, 'source', 'ALTER TABLE items ADD PRIMARY KEY (id)')
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'items', '--checkpoint-size', '10']
    expect((await stage.sluice(...copy)).code).toBe(0)
    const open = async (isOpen: boolean): Promise<unknown> =>
      await stage.ask(
        stage.data,
        'target',
        `UPDATE migration_checkpoints SET status = '${isOpen ? 'in_progress' : 'completed'}' WHERE table_name = 'items' AND chunk_no = 2`,
      )
    const known = [{ name: 'cold', url: stage.urlOf(stage.data, 'target') }]
    const stores = await Promise.all(known.map(async (store) => await identified(store)))
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const program = 'sluice 1, ledger 1'
    const options = { conditions: [{ cause: 'stuck', limit: 1000 }] }
    const run = { ...RUN, program }
    const operation = { kind: 'copy', from: 'shop', to: 'cold', tables: ['items'], alert: options }
    await queue.submit({ ...run, runId: '17', operation, stores })
    const about = { workerId: 'gone', host: 'dead', pid: 7, program, concurrency: 1, queues: [] }
    const gone = queue.worker(about)
    await gone.sendHeartbeat(false)
    const slot = await gone.claim({ runId: '17', no: 1 })
    if (slot === null) throw new Error('the slot is not free')
    const standing = ['1', '2', '3'].map((chunk) => ({ table: 'public.items', chunk, stoodMs: 0 }))
    await gone.progress(slot, { rows: 0n, open: 0n, chunks: 0, rate: 0, standing }, null)
    const silent = "UPDATE sluice_queue.sluice_run_slots SET beat_at = now() - interval '10 s' WHERE run_id = '17'"
    await stage.ask(stage.queue, 'queue', silent)
    const reported: string[] = []
    const watch = new RunWatch({
      queue: queue.worker({ ...about, workerId: 'here', host: 'here' }),
      alerts: queue.alerts,
      known,
      host: 'here',
      emit: (event) => void (event.type === 'alert' && reported.push(`${event.state}: ${event.value}`)),
    })
    const look = async (own: readonly OwnTask[] = []): Promise<readonly string[]> => {
      await watch.evaluate(own)
      await watch.sent(60_000)
      return reported.splice(0)
    }
    expect(await look()).toEqual([])
    await open(true)
    expect(await look()).toEqual([expect.stringMatching(/^raised: chunk 2 makes no progress for /)])
    expect(await look()).toEqual([])
    await open(false)
    await expect
      .poll(async () => await look(), { timeout: 15_000, interval: 1000 })
      .toEqual([expect.stringMatching(/^cleared: chunk 2 is done; it was open since /)])
    expect(await look()).toEqual([])
    // Another host has completed the chunk that is stuck here: it is not raised again at each check.
    const still = [{ runId: '17', standing: [{ table: 'public.items', chunk: '2', stoodMs: 20_000 }], moved: () => [] }]
    expect(await look(still)).toEqual([])

    // A paused run does not progress, as requested.
    await open(true)
    expect(await queue.steer('17', { held: true })).toBe(true)
    expect(await look()).toEqual([])
    expect(await queue.steer('17', { held: false })).toBe(true)
    expect(await look()).toEqual([expect.stringMatching(/^raised: chunk 2 makes no progress for /)])
    // A failed run clears nothing; a later run of the same command that succeeds does.
    const ended = async (runId: string, status: string): Promise<unknown> =>
      await stage.ask(
        stage.queue,
        'queue',
        `UPDATE sluice_queue.sluice_run_slots SET state = 'ended' WHERE run_id = '${runId}';
         UPDATE sluice_queue.sluice_runs SET status = '${status}', ended_at = clock_timestamp() WHERE run_id = '${runId}'`,
      )
    await ended('17', 'failed')
    expect(await look()).toEqual([])
    await queue.submit({ ...run, runId: '18', operation, stores })
    expect(await look()).toEqual([])
    await ended('18', 'ok')
    expect(await look()).toEqual([expect.stringMatching(/^cleared: a later run of the same command has ended well; /)])
    expect(await look()).toEqual([])
  })

  test('chunks of one alert have times of their own: older progress is ignored, and each is named once', async () => {
    await stage.forgetRuns()
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const program = 'sluice 1, ledger 1'
    const operation = { kind: 'copy', from: 'shop', to: 'cold', tables: ['notes'] }
    const alert = { conditions: [{ cause: 'stuck', limit: 1000 }] }
    const about = {
      kind: 'copy',
      takesTurns: true,
      commandLine: 'sluice copy',
      source: null,
      target: null,
      queue: null,
    }
    const who = { program, actor: 'me', host: 'here', slots: [{ about: '' }], stores: [] }
    await queue.submit({ ...about, ...who, runId: '18', operation: { ...operation, alert } })
    const reported: string[] = []
    const worker = queue.worker({ workerId: 'w', host: 'here', pid: 7, program, concurrency: 1, queues: [] })
    const watch = new RunWatch({
      queue: worker,
      alerts: queue.alerts,
      known: [],
      host: 'here',
      emit: (event) => void (event.type === 'alert' && reported.push(`${event.state}: ${event.value}`)),
    })
    /** Time of the last progress of each chunk. */
    const movedAt = new Map<string, number>()
    const table = 'public.notes'
    const ago = (chunk: string): number => performance.now() - (movedAt.get(chunk) ?? 0)
    const look = async (...open: readonly string[]): Promise<readonly string[]> => {
      const standing = open.map((chunk) => ({ table, chunk, stoodMs: ago(chunk) }))
      const moved = (ms: number) =>
        [...movedAt.keys()].filter((chunk) => ago(chunk) < ms).map((chunk) => ({ table, chunk }))
      await watch.evaluate([{ runId: '18', standing, moved }])
      await watch.sent(60_000)
      return reported.splice(0)
    }
    const named = async (): Promise<unknown> => {
      const sql = `SELECT chunks FROM sluice_queue.sluice_alerts WHERE run_id = '18'`
      return (await stage.ask<{ chunks: unknown }>(stage.queue, 'queue', sql))[0]?.chunks
    }
    for (const [chunk, ms] of [
      ['1', 9000],
      ['2', 3000],
      ['3', 2500],
    ] as const)
      movedAt.set(chunk, performance.now() - ms)
    expect(await look('1', '2')).toEqual([expect.stringMatching(/^raised: chunks 1, 2 make no progress for /)])
    expect(await look('2', '3')).toEqual([])
    expect(await look('1', '2', '3')).toEqual([])
    expect(await named()).toEqual(['1', '2', '3'])
    movedAt.set('2', performance.now())
    expect(await look('1', '2', '3')).toEqual([])
    expect(await named()).toEqual(['1', '3'])
    for (const chunk of ['1', '3']) movedAt.set(chunk, performance.now())
    expect(await look('1', '3')).toEqual([
      expect.stringMatching(/^cleared: chunks 1, 2 continue or are done; it was open since /),
    ])

    // Another host found that its chunk progresses, and was killed before it had sent that.
    movedAt.set('4', performance.now() - 9000)
    expect(await look('4')).toEqual([expect.stringMatching(/^raised: chunk 4 makes no progress for /)])
    const [stuck] = (await worker.watch())[0]?.alerts ?? []
    if (stuck === undefined) throw new Error('none stands')
    expect(await queue.alerts.moved(stuck, ['4'])).toBe(true)
    expect((await queue.alerts.end(stuck)).is).toBe('cleared')
    expect(await look()).toEqual([])
    await stage.ask(
      stage.queue,
      'queue',
      `UPDATE sluice_queue.sluice_alerts SET since = since - interval '61 s' WHERE cause LIKE 'unsent%'`,
    )
    expect(await look()).toEqual([expect.stringMatching(/^cleared: /)])
    expect(await look()).toEqual([])
    await stage.forgetRuns()
  })

  test('a version without live workers is reported once, and cleared when a worker starts', async () => {
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const program = 'sluice 2, ledger 1'
    const about = { pid: 7, concurrency: 1, queues: [] }
    const operation = {
      kind: 'copy',
      from: 'shop',
      to: 'cold',
      tables: ['none'],
      alert: { conditions: [{ cause: 'failed' }] },
    }
    await queue.submit({ ...RUN, program, runId: '18', operation, stores: [] })
    const reported: string[] = []
    const here = queue.worker({ ...about, workerId: 'of-1', host: 'here', program: 'sluice 1, ledger 1' })
    await here.sendHeartbeat(false)
    const watch = new RunWatch(
      {
        queue: here,
        alerts: queue.alerts,
        known: [],
        host: 'here',
        emit: (event) =>
          void (event.type === 'alert' && event.run === '18' && reported.push(`${event.state}: ${event.value}`)),
      },
      wholeCommands('sluice worker --config q.yaml'),
    )
    const look = async (): Promise<readonly string[]> => {
      await watch.evaluate([])
      await watch.sent(60_000)
      return reported.splice(0)
    }
    expect(await look()).toEqual([])
    const old = "UPDATE sluice_queue.sluice_runs SET begun_at = now() - interval '1 min' WHERE run_id = '18'"
    await stage.ask(stage.queue, 'queue', old)
    const how = 'takes the run; sluice runs --distributed --run 18 --config q.yaml shows'
    expect(await look()).toEqual([
      expect.stringContaining(`raised: no live worker of version sluice 2, ledger 1 ${how}`),
    ])
    expect(await look()).toEqual([])
    await queue.worker({ ...about, workerId: 'of-2', host: 'there', program }).sendHeartbeat(false)
    expect(await look()).toEqual([expect.stringMatching(/^cleared: a live worker takes the run/)])
    expect(await look()).toEqual([])
  })

  test('workers --metrics reports the queue, even on a host without workers, until it is stopped', async () => {
    await stage.forgetRuns()
    await stage.distribute('diff', '--from', 'shop', '--to', 'cold', '--table', 'orders')
    const watch = stage.desk('workers', '--metrics', '0')
    await stage.until('a look', () => watch.events.some(({ type }) => type === 'queue.stand'))
    const [url = ''] = watch.events.flatMap((event) =>
      event.type === 'log' ? (/^metrics (http\S+)$/.exec(event.message)?.[1] ?? []) : [],
    )
    const families = readExposition(await (await fetch(url)).text())
    expect(valuesOf(families, 'sluice_queue_slots', 'state')).toEqual({ queued: 1, working: 0, lost: 0 })
    expect(valuesOf(families, 'sluice_queue_workers', 'state')).toEqual({ lives: 0, silent: 0, lost: 0 })
    expect(valuesOf(families, 'sluice_queue_runs_waiting', '')).toEqual({ '': 1 })
    expect(valuesOf(families, 'sluice_run_running', '')).toEqual({ '': 1 })
    watch.signal('SIGINT')
    expect(await watch.ended).toBe(130)
  })
})
