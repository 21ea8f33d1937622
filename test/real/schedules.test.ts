/**
 * Schedules: each period has one run, whichever worker checks; a confirmed plan is compared; the history has what was
 * skipped and what was printed.
 */
import { existsSync, readdirSync, readFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { openQueue } from '../../src/app/share/queues.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { changeSchedule } from '../../src/app/share/schedules/change.ts'
import { ScheduleAlerts } from '../../src/app/share/schedules/schedule-alerts.ts'
import { Scheduler } from '../../src/app/share/schedules/scheduler.ts'
import { scheduledWork } from '../../src/app/share/schedules/work.ts'
import type { EventType, Event } from '../../src/model/run/event.ts'
import { systemClock } from '../../src/shared/clock.ts'
import type { RunQueue } from '../../src/model/share/queue-port.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { add as addFile, METADATA, PROTOCOL, writeLog } from '../support/catalog-kit.ts'
import { NAMESPACES, WorkerStage } from '../support/worker-stage.ts'

const DAY = 86_400_000
const RUN = {
  kind: 'copy',
  takesTurns: true,
  operation: { kind: 'copy' },
  stores: [],
  commandLine: 'sluice copy',
  source: null,
  target: null,
  actor: 'me',
  queue: null,
  slots: [{ about: '' }],
} as const
const ENSURE = ['--', 'partition', 'ensure', '--from', 'shop', '--table', 'logs', '--calendar', 'month', '--ahead', '2']

describe.skipIf(!POSTGRES_OWN)(`schedules of a queue ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let stage: WorkerStage
  let queue: RunQueue
  beforeAll(async () => {
    stage = await WorkerStage.open()
    queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work', 4)
  }, 120_000)
  afterAll(async () => {
    await queue[Symbol.asyncDispose]()
    await stage[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await stage.ask(
      stage.queue,
      'queue',
      'DELETE FROM sluice_queue.sluice_schedules; DELETE FROM sluice_queue.sluice_alerts',
    )
    await stage.forgetRuns()
    await stage.ask(
      stage.data,
      'source',
      `DROP TABLE IF EXISTS logs, inv; CREATE TABLE logs (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
       CREATE TABLE inv (id int PRIMARY KEY, at timestamptz NOT NULL, v text);
       INSERT INTO inv SELECT i, '2020-01-01Z'::timestamptz + i * interval '1 day', 'x' FROM generate_series(1, 400) i`,
    )
  })

  const said: string[] = []
  let ticks = 0
  const alertsOf = ({ alerts, schedules }: RunQueue): ScheduleAlerts =>
    new ScheduleAlerts({
      alerts,
      schedules,
      host: 'here',
      clock: { ticks: () => ticks },
      emit: (event) => void said.push(event.type === 'alert' ? `${event.state} ${event.value}` : event.message),
      note: (error) => void said.push(`not noted: ${String(error)}`),
    })
  /** What one worker does every few seconds. */
  const scheduler = (
    inspected = queue,
    queues: readonly string[] = [],
    stores: readonly string[] = ['shop'],
  ): Scheduler =>
    new Scheduler({
      book: inspected.schedules,
      known: stores.map((name) => ({ name, url: stage.urlOf(stage.data, 'source') })),
      secrets: [],
      readCommand: async (words) => {
        const { request } = await parseCommandLine([...words, '--config', path.join(stage.folder, 'sluice.yaml')], {})
        if (request.kind !== 'operation') throw new Error('no operation')
        return request.operation
      },
      workOf: async (operation, known) =>
        await Promise.resolve(
          scheduledWork(operation as Operation, known, async () => await Promise.reject(new Error('no dry run'))),
        ),
      tool: 'test',
      host: 'here',
      queues,
      clock: systemClock,
      log: (_level, message) => void said.push(message),
      alerts: alertsOf(inspected),
    })
  const add = async (name: string, ...words: readonly string[]) => stage.sluice('schedule', 'add', name, ...words)
  /** Sets the clock of a schedule back, as if it had been added, or had run, so long ago. */
  const back = async (name: string, ms: number): Promise<void> => {
    await stage.ask(
      stage.queue,
      'queue',
      `UPDATE sluice_queue.sluice_schedules SET since_ms = since_ms - ${ms}, next_ms = 0 WHERE name = '${name}'`,
    )
  }
  const history = async (name: string) => await queue.schedules.history(name, 50)
  const ended = async (runId: string | null): Promise<void> => {
    await stage.ask(
      stage.queue,
      'queue',
      `UPDATE sluice_queue.sluice_runs SET status = 'ok', exit_code = 0, ended_at = now() WHERE run_id = '${runId ?? ''}'`,
    )
  }

  test('each period has one run, however many workers check at once, and the next waits for its end', async () => {
    const { code, events } = await add('coming', '--every', 'day', ...ENSURE)
    expect(code).toBe(0)
    expect(of(events, 'schedule.time')).toHaveLength(10)
    expect(await queue.schedules.due()).toEqual([])
    await back('coming', 3 * DAY)
    await Promise.all(Array.from({ length: 6 }, async () => scheduler().check()))
    const [run, passed, ...more] = await history('coming')
    expect(more).toEqual([])
    expect(run).toMatchObject({ status: 'running', runId: expect.any(String), note: null })
    expect(passed).toMatchObject({ runId: null, note: expect.stringContaining('2 times were skipped') })
    expect(await queue.runs(10)).toHaveLength(1)
    // No time of a schedule occurs twice, whatever a clock does.
    await ended(run?.runId ?? null)
    await back('coming', DAY)
    await scheduler().check()
    expect(await queue.runs(10)).toHaveLength(1)
    // The schedule is not stuck there either.
    const [stands] = await queue.schedules.list('coming')
    expect(stands?.error).toBeNull()
    expect(stands?.next?.at).toBeGreaterThan(await queue.now())
  })

  test('in a copy of the queue no schedule begins a run before it is confirmed there', async () => {
    await add('coming', '--every', 'day', ...ENSURE)
    await back('coming', DAY)
    expect(await queue.schedules.due()).toHaveLength(1)
    const server = async (sql: string): Promise<unknown> => await stage.ask(stage.queue, 'postgres', sql)
    await server("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'queue'")
    await server('CREATE DATABASE staging TEMPLATE queue')
    await using copy = await openQueue(stage.urlOf(stage.queue, 'staging'), 'work', 2)
    expect(await copy.schedules.due()).toEqual([])
    expect(await copy.schedules.requestRun('coming')).toBe(false)
    const listed = await stage.sluice('schedule', 'list', '--connect', stage.urlOf(stage.queue, 'staging'))
    expect(of(listed.events, 'schedule')).toMatchObject([
      { state: 'paused', error: expect.stringMatching(/MISSING_CONFIRM.*in this database.*schedule resume coming/s) },
    ])
    await expect(changeSchedule(copy, 'coming', 'run-now')).rejects.toMatchObject({ code: 'MISSING_CONFIRM' })
    await changeSchedule(copy, 'coming', 'resume')
    await stage.ask(stage.queue, 'staging', 'UPDATE sluice_queue.sluice_schedules SET next_ms = 0')
    expect(await copy.schedules.due()).toMatchObject([{ name: 'coming', state: 'on', error: null }])
    // The original is not affected.
    expect(await queue.schedules.due()).toMatchObject([{ name: 'coming', state: 'on', error: null }])
  })

  test('a run in a copy of the queue waits there for ctl resume, and continues in the original', async () => {
    const rows = async (): Promise<unknown> =>
      (await stage.ask<{ n: string }>(stage.data, 'target', 'SELECT count(*) AS n FROM inv'))[0]?.n
    await stage.ask(
      stage.data,
      'target',
      'DROP TABLE IF EXISTS inv; CREATE TABLE inv (id int PRIMARY KEY, at timestamptz NOT NULL, v text)',
    )
    const run = await stage.distribute('copy', '--from', 'shop', '--to', 'cold', '--table', 'inv', '--tasks', '1')
    const server = async (sql: string): Promise<unknown> => await stage.ask(stage.queue, 'postgres', sql)
    await server("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'queue'")
    await server('CREATE DATABASE clone TEMPLATE queue')
    const clone = stage.urlOf(stage.queue, 'clone')
    const worker = stage.worker({ stores: { queue: clone } })
    const job = 'SELECT FROM graphile_worker._private_jobs'
    await stage.until('the job is taken', async () => (await stage.ask(stage.queue, 'clone', job)).length === 0)
    await stage.until('the worker says so', () => worker.said.includes(`the run ${run} does not start`))
    expect(worker.slots).toEqual([])
    const look = ['runs', '--distributed', '--connect', clone]
    expect(of((await stage.sluice(...look)).events, 'shared.run')).toMatchObject([
      { run, paused: true, status: 'running' },
    ])
    const listed = await stage.sluice(...look, '--run', run)
    const hint = expect.stringContaining(`sluice ctl ${run} resume --distributed --connect`)
    expect(listed.events).toContainEqual(expect.objectContaining({ type: 'log', level: 'warn', hint }))
    expect(await rows()).toBe('0')

    expect((await stage.sluice('ctl', run, 'resume', '--distributed', '--connect', clone)).code).toBe(0)
    const status = `SELECT status FROM sluice_queue.sluice_runs WHERE run_id = '${run}'`
    await stage.until('its end', async () => {
      const [found] = await stage.ask<{ status: string }>(stage.queue, 'clone', status)
      return found?.status === 'ok' || found
    })
    expect(await rows()).toBe('400')
    expect(await stage.run(run)).toMatchObject({ status: 'running', isUnconfirmed: false })
    worker.signal('SIGTERM')
    await worker.ended
  })

  test('after a promotion an existing worker continues schedules; in a copy of the server they need a confirmation', async () => {
    await add('coming', '--every', 'day', ...ENSURE)
    await back('coming', DAY)
    const standby = await startPostgres({ standbyOf: stage.queue, extraSettings: ['max_connections=200'] })
    try {
      await using wire = await startProxy(stage.queue.port)
      const through = stage.queue.url('queue').replace(/@[^/]*\//, `@127.0.0.1:${wire.port}/`)
      await using here = await openQueue(through, 'work', 2)
      const [lived, late] = ['lived', 'late'].map((workerId) => ({
        workerId,
        host: 'here',
        pid: 1,
        program: 'test',
        concurrency: 1,
        queues: [],
      }))
      if (lived === undefined || late === undefined) throw new Error('no workers')
      const worker = here.worker(lived)
      await worker.sendHeartbeat(false)
      await here.submit({ ...lived, ...RUN, runId: '1' })
      expect(await worker.sweep()).toMatchObject({ carried: { schedules: 0, runs: 0 }, unconfirmed: [] })
      await stage.ask(stage.queue, 'queue', 'CREATE TABLE IF NOT EXISTS told (id int); INSERT INTO told VALUES (1)')
      await until(async () => (await stage.ask(standby, 'queue', 'SELECT FROM told').catch(() => [])).length > 0)
      await standby.promote()
      await until(async () => {
        const [row] = await stage.ask<{ is: boolean }>(standby, 'queue', 'SELECT pg_is_in_recovery() AS is')
        return row?.is === false
      })

      // A program that was never connected to the original: it may belong to another environment.
      await using copy = await openQueue(standby.url('queue'), 'work', 2)
      const other = copy.worker(late)
      await other.sendHeartbeat(false)
      expect(await other.sweep()).toMatchObject({ carried: { schedules: 0, runs: 0 }, unconfirmed: ['1'] })
      expect(await other.claim({ runId: '1', no: 1 })).toBeNull()
      expect(await copy.schedules.due()).toEqual([])
      expect(await copy.schedules.unconfirmed()).toMatchObject([
        { name: 'coming', state: 'paused', error: { code: 'MISSING_CONFIRM' } },
      ])
      expect(await copy.state()).toMatchObject({ unconfirmed: 1, unconfirmedRuns: 1 })
      said.length = 0
      await scheduler(copy).check()
      await scheduler(copy).check()
      expect(said).toEqual(Array(2).fill(expect.stringMatching(/schedule coming begins no run.*MISSING_CONFIRM/s)))
      expect(await copy.runs(10)).toMatchObject([{ runId: '1', isUnconfirmed: true, isWaiting: false }])

      // The same address, and the same worker: its queue was moved to the standby.
      wire.redirect(standby.port)
      wire.cut()
      const swept: unknown[] = []
      await until(async () => {
        swept.push(await worker.sweep().catch(() => null))
        await scheduler(here).check()
        return (await here.runs(10)).length > 1
      })
      expect(swept).toContainEqual(expect.objectContaining({ carried: { schedules: 1, runs: 1 }, unconfirmed: [] }))
      expect(await here.state()).toMatchObject({ unconfirmed: 0, unconfirmedRuns: 0 })
      expect(await worker.claim({ runId: '1', no: 1 })).not.toBeNull()
      // The original is not affected either.
      expect(await queue.schedules.due()).toMatchObject([{ name: 'coming', state: 'on', error: null }])
    } finally {
      await standby[Symbol.asyncDispose]()
    }
  })

  test('a schedule that no worker can begin raises failed once, and clears it later; no worker is blamed within 30 s', async () => {
    const reported = path.join(stage.folder, 'told-of-schedules')
    const command = `echo "$SLUICE_ALERT_STATE $SLUICE_ALERT_ABOUT" >> ${reported}`
    await add('odd', '--every', 'hour', ...ENSURE, '--alert', 'none-ahead,failed', '--alert-command', command)
    const [schedule] = await queue.schedules.list()
    const words = async (text: readonly string[] | undefined): Promise<unknown> =>
      await stage.ask(
        stage.queue,
        'queue',
        `UPDATE sluice_queue.sluice_schedules SET words = '${JSON.stringify(text)}' WHERE name = 'odd'`,
      )
    await words([...(schedule?.words ?? []), '--of-a-later-version'])
    await back('odd', 2 * 3_600_000)
    said.length = 0
    const [one, other] = [scheduler(), scheduler()]
    for (const wait of [0, 29_000, 1_000, 1_000]) {
      ticks += wait
      await one.check()
      await other.check()
      await Promise.all([one.sent(60_000), other.sent(60_000)])
    }
    const alerts = (): readonly string[] => said.filter((line) => /^(?:raised|cleared) /.test(line))
    expect(alerts()).toEqual([expect.stringMatching(/^raised schedule odd: it begins no run: .*of-a-later-version/)])
    await words(schedule?.words)
    await other.check()
    await one.check()
    await Promise.all([one.sent(60_000), other.sent(60_000)])
    expect(alerts().slice(1)).toEqual([
      expect.stringMatching(/^cleared schedule odd: it can begin runs again; the alert was open since /),
    ])
    expect(
      readFileSync(reported, 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.replace(/ .*/, '')),
    ).toEqual(['raised', 'cleared'])
  })

  test('a schedule that another worker begins alerts in no later period: each has its own 30 s', async () => {
    await add('coming', '--every', 'day', ...ENSURE, '--alert', 'failed')
    said.length = 0
    const [stranger, friend] = [scheduler(queue, [], []), scheduler()]
    const look = async (one: Scheduler): Promise<void> => {
      await one.check()
      await one.sent(60_000)
    }
    const alerts = (): readonly string[] => said.filter((line) => /^(?:raised|cleared) /.test(line))
    for (const day of [1, 2, 3]) {
      await back('coming', DAY)
      for (const one of [stranger, friend, stranger]) await look(one)
      expect(await queue.runs(10)).toHaveLength(day)
      await ended((await history('coming'))[0]?.runId ?? null)
      // A clock that is set back repeats no period.
      await stage.ask(stage.queue, 'queue', 'DELETE FROM sluice_queue.sluice_schedule_runs')
      ticks += DAY
    }
    expect(alerts()).toEqual([])
    await back('coming', DAY)
    await look(stranger)
    ticks += 30_000
    await look(stranger)
    expect(alerts()).toEqual([expect.stringMatching(/^raised /)])
  })

  test('alerts that no sink accepted are sent again within 30 s: the end of one, and that of a void schedule', async () => {
    const reported = path.join(stage.folder, 'told-again')
    const broken = `${reported}-broken`
    const command = `[ ! -e ${broken} ] && echo "$SLUICE_ALERT_STATE $SLUICE_ALERT_ID" >> ${reported}`
    await add('again', '--every', 'day', ...ENSURE, '--alert', 'failed', '--alert-command', command)
    const [one, stranger] = [scheduler(), scheduler(queue, [], [])]
    const look = async (at: Scheduler): Promise<void> => {
      await at.check()
      await at.sent(60_000)
    }
    const lines = (): readonly string[] =>
      existsSync(reported) ? readFileSync(reported, 'utf8').trim().split('\n') : []
    await back('again', DAY)
    await look(stranger)
    ticks += 30_000
    await look(stranger)
    expect(lines()).toEqual([expect.stringMatching(/^raised /)])
    writeFileSync(broken, '')
    said.length = 0
    await look(one)
    await look(one)
    await look(one)
    expect(await queue.runs(10)).toHaveLength(1)
    // A failed send is not repeated at each check.
    expect(said.filter((line) => line.startsWith('cleared '))).toHaveLength(1)
    rmSync(broken)
    ticks += 30_000
    await look(one)
    await look(one)
    expect(lines()).toEqual([lines()[0], lines()[0]?.replace('raised', 'cleared')])
    const [schedule] = await queue.schedules.list('again')
    if (schedule === undefined) throw new Error('no schedule')
    const error = { code: 'SCHEDULE_VOID', message: 'its plan is another one', retryable: false } as never
    await ended((await history('again'))[0]?.runId ?? null)
    expect(await queue.schedules.refuse(schedule, error, true)).toBe(true)
    writeFileSync(broken, '')
    const alerts = alertsOf(queue)
    alerts.refused(schedule, true, 'its plan is another one')
    await alerts.sent(60_000)
    rmSync(broken)
    ticks += 30_000
    await alerts.check([])
    await alerts.sent(60_000)
    expect(lines().slice(2)).toEqual([expect.stringMatching(/^raised /)])
  })

  test('a schedule that is replaced is cleared, even if its new words request no alert', async () => {
    const rows = async (): Promise<readonly unknown[]> =>
      await stage.ask(stage.queue, 'queue', `SELECT FROM sluice_queue.sluice_alerts WHERE about = 'schedule anew'`)
    await add('anew', '--every', 'day', ...ENSURE, '--alert', 'failed')
    await back('anew', DAY)
    const stranger = scheduler(queue, [], [])
    await stranger.check()
    ticks += 30_000
    await stranger.check()
    await stranger.sent(60_000)
    expect(await rows()).toHaveLength(1)
    expect((await add('anew', '--replace', '--every', 'day', ...ENSURE)).code).toBe(0)
    said.length = 0
    await stranger.check()
    await stranger.sent(60_000)
    expect(said).toEqual([expect.stringMatching(/^cleared schedule anew: it can begin runs again; /)])
    expect(await rows()).toEqual([])
  })

  test('a check waits for no alert command, and a failure to record an end is reported', async () => {
    const reported = path.join(stage.folder, 'told-slowly')
    const go = `${reported}-go`
    const command = `while [ ! -e ${go} ]; do sleep 0.1; done; echo $SLUICE_ALERT_STATE >> ${reported}`
    await add('slow', '--every', 'day', ...ENSURE, '--alert', 'failed', '--alert-command', command)
    await back('slow', DAY)
    said.length = 0
    const stranger = scheduler(queue, [], [])
    await stranger.check()
    ticks += 30_000
    await stranger.check()
    await stranger.check()
    writeFileSync(go, '')
    await stranger.sent(60_000)
    expect(readFileSync(reported, 'utf8')).toBe('raised\n')
    const friend = scheduler()
    const rename = async (from: string, to: string) =>
      await stage.ask(stage.queue, 'queue', `ALTER TABLE sluice_queue.${from} RENAME TO ${to}`)
    await rename('sluice_alerts', 'away')
    try {
      await friend.check()
      await friend.sent(60_000)
    } finally {
      await rename('away', 'sluice_alerts')
    }
    expect(await queue.runs(10)).toHaveLength(1)
    expect(said).toContainEqual(expect.stringMatching(/^not noted: .*not a complete queue/))
  })

  test('a schedule is begun by a worker of its queue, and no late error of another worker remains', async () => {
    await add('coming', '--every', 'day', ...ENSURE)
    await back('coming', DAY)
    const [found] = await queue.schedules.due()
    await scheduler(queue, ['big']).check()
    expect(await queue.runs(10)).toEqual([])
    await scheduler().check()
    expect(await queue.runs(10)).toHaveLength(1)
    const error = { code: 'BAD_FLAG', message: 'no store is called shop', retryable: false } as const
    expect(await queue.schedules.refuse(found!, error, false)).toBe(false)
    await ended((await history('coming'))[0]?.runId ?? null)
    expect(await queue.schedules.refuse(found!, error, false)).toBe(false)
    expect((await queue.schedules.list('coming'))[0]?.error).toBeNull()
  })

  test('a slow worker begins by hand no command that was replaced since it read it', async () => {
    await add('coming', '--every', 'day', ...ENSURE)
    expect(await queue.schedules.requestRun('coming')).toBe(true)
    const [old] = await queue.schedules.due()
    await add('coming', '--replace', '--every', 'day', ...ENSURE.slice(0, -1), '3')
    expect(await queue.schedules.requestRun('coming')).toBe(true)
    const { since, next, commandLine, slots } = old!
    const run = { ...RUN, runId: 'old', commandLine, slots: Array.from({ length: slots }, () => ({ about: '' })) }
    const begun = { since, next, found: since, time: null, passed: null, run: { ...run, program: 'p', host: 'here' } }
    expect(await queue.schedules.begin('coming', begun)).toBe('moved')
    await scheduler().check()
    expect((await queue.runs(10)).map((one) => one.commandLine)).toEqual([
      (await queue.schedules.list('coming'))[0]?.commandLine,
    ])
    expect((await queue.schedules.list('coming'))[0]?.wanted).toBe(false)
  })

  test('the refusal of a run does not make a schedule void that was confirmed again since', async () => {
    const error = { code: 'SCHEDULE_VOID', message: 'another plan', retryable: false } as const
    const started = async (): Promise<string> => {
      await queue.schedules.requestRun('coming')
      await scheduler().check()
      return (await history('coming'))[0]?.runId ?? ''
    }
    expect((await add('coming', '--every', 'day', ...ENSURE)).code).toBe(0)
    const old = await started()
    expect((await add('coming', '--replace', '--every', 'day', ...ENSURE)).code).toBe(0)
    await queue.schedules.refuseRun(old, error)
    expect((await queue.schedules.list('coming'))[0]).toMatchObject({ state: 'on', error: null })
    await ended(old)
    await queue.schedules.refuseRun(await started(), error)
    expect((await queue.schedules.list('coming'))[0]).toMatchObject({ state: 'void', error })
  })

  test('a schedule of a queue without workers is reported once it is late', async () => {
    await add('coming', '--every', 'day', '--queue', 'big', ...ENSURE)
    await back('coming', DAY)
    await stage.ask(
      stage.queue,
      'queue',
      `INSERT INTO sluice_queue.sluice_workers (worker_id, host, pid, program, concurrency, queues) VALUES ('big', 'big', 1, 'p', 1, '{big}')`,
    )
    await scheduler().check()
    expect((await queue.schedules.list('coming'))[0]?.error).toBeNull()
    // It is draining, so it takes nothing new.
    await stage.ask(
      stage.queue,
      'queue',
      `UPDATE sluice_queue.sluice_workers SET draining = true WHERE worker_id = 'big'`,
    )
    await scheduler().check()
    await stage.ask(stage.queue, 'queue', `DELETE FROM sluice_queue.sluice_workers WHERE worker_id = 'big'`)
    expect(await queue.runs(10)).toEqual([])
    const [late] = await queue.schedules.list('coming')
    expect(late?.error?.message).toBe('runs of the schedule need a live worker with --queues big, and there is none')
    expect(await queue.schedules.refused()).toBe(1)
    await scheduler(queue, ['big']).check()
    expect(await queue.runs(10)).toHaveLength(1)
    expect((await queue.schedules.list('coming'))[0]?.error).toBeNull()
  })

  test('an error with text that jsonb cannot hold is kept all the same', async () => {
    await add('coming', '--every', 'day', ...ENSURE)
    const error = { code: 'ROW_REFUSED', message: 'the key a\0b \ud800 and 😀', retryable: false } as const
    const [found] = await queue.schedules.list('coming')
    expect(await queue.schedules.refuse(found!, error, false)).toBe(true)
    expect((await queue.schedules.list('coming'))[0]?.error?.message).toBe('the key a\ufffdb \ufffd and 😀')
  })

  test('a period that begins during a run waits for its end', async () => {
    await add('coming', '--every', 'day', ...ENSURE)
    await stage.sluice('schedule', 'run-now', 'coming')
    await Promise.all(Array.from({ length: 6 }, async () => scheduler().check()))
    expect(await queue.runs(10)).toHaveLength(1)
    const [byHand] = await history('coming')
    expect(byHand).toMatchObject({ period: null, status: 'running' })
    await back('coming', DAY)
    await scheduler().check()
    expect(await queue.runs(10)).toHaveLength(1)
    await ended(byHand?.runId ?? null)
    await scheduler().check()
    expect(await queue.runs(10)).toHaveLength(2)
    expect((await queue.schedules.list('coming'))[0]).toMatchObject({ running: expect.any(String), error: null })
  })

  test('all missed periods run one after the other, and none of a pause', async () => {
    await add('all', '--every', 'day', '--catch-up', 'all', ...ENSURE)
    await back('all', 2 * DAY)
    const periods: (string | null)[] = []
    for (;;) {
      await scheduler().check()
      const [newest] = await history('all')
      if (newest === undefined || newest.status !== 'running') break
      periods.unshift(newest.period)
      await ended(newest.runId)
    }
    expect(periods).toHaveLength(2)
    expect(periods.toSorted()).toEqual(periods.toReversed())
    expect(await stage.sluice('schedule', 'pause', 'all')).toMatchObject({ code: 0 })
    await back('all', 2 * DAY)
    await scheduler().check()
    expect(await history('all')).toHaveLength(2)
    const resumed = of((await stage.sluice('schedule', 'resume', 'all')).events, 'schedule.changed')
    expect(resumed).toMatchObject([
      {
        notes: ['2 times were skipped: ' + (await dayBack(1)) + ' to ' + (await dayBack(0)) + ' while it was paused'],
      },
    ])
    await scheduler().check()
    expect(await history('all')).toHaveLength(2)
  })

  /** A day before today, by the clock of the queue. */
  async function dayBack(days: number): Promise<string> {
    return new Date((await queue.schedules.now()) - days * DAY).toISOString().slice(0, 10)
  }

  test('a run by hand has its output; a name is used once; a schedule is removed with its history', async () => {
    expect((await add('coming', '--every', 'quarter', '--at', '02:30', ...ENSURE)).code).toBe(0)
    expect((await add('coming', ...ENSURE)).err).toContain('schedule coming already exists')
    await stage.sluice('schedule', 'run-now', 'coming')
    const worker = stage.worker()
    await stage.until('its run', async () => (await history('coming'))[0]?.status === 'ok')
    const listed = of((await stage.sluice('schedule', 'list')).events, 'schedule')
    expect(listed).toMatchObject([
      { schedule: 'coming', state: 'on', lastStatus: 'ok', nextPeriod: expect.stringMatching(/Q/) },
    ])
    expect(listed[0]).not.toHaveProperty('wanted')
    const reported = of((await stage.sluice('schedule', 'history', 'coming', '--output')).events, 'schedule.output')
    expect(reported.map(({ event }) => (event as Event).type)).toEqual(
      expect.arrayContaining(['run.started', 'partition.made', 'run.finished']),
    )
    const rows = await stage.ask<{ n: number }>(
      stage.data,
      'source',
      `SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = 'logs'::regclass`,
    )
    expect(rows).toEqual([{ n: 3 }])
    expect((await add('coming', '--every', 'day', '--replace', ...ENSURE)).code).toBe(0)
    expect(await history('coming')).toHaveLength(1)
    expect((await stage.sluice('schedule', 'remove', 'coming')).code).toBe(0)
    expect(await queue.schedules.list()).toEqual([])
    expect(await queue.runs(9)).toHaveLength(1)
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  test('a destructive command is confirmed by name, and void as soon as its plan changes', async () => {
    const archive = path.join(stage.folder, 'archive')
    mkdirSync(archive)
    const purge = [
      '--',
      'archive',
      'run',
      '--from',
      'shop',
      '--to',
      archive,
      '--table',
      'inv',
      '--by',
      'at',
      '--older-than',
      '1q',
      '--grace',
      '0s',
      '--drop',
      '--alert',
      'failed',
      '--alert-command',
      `echo "$SLUICE_ALERT_CAUSE $SLUICE_ALERT_STATE $SLUICE_ALERT_VALUE" >> ${path.join(stage.folder, 'void')}`,
    ]
    expect((await add('purge', ...purge)).err).toContain('MISSING_CONFIRM')
    expect((await add('purge', ...purge, '--confirm', 'orders')).err).toContain('MISSING_CONFIRM')
    expect(readdirSync(archive)).toEqual([])
    expect((await add('purge', ...purge, '--confirm', 'inv')).code).toBe(0)
    // The program reads other options: from its config file, or because of another version.
    const options = `UPDATE sluice_queue.sluice_schedules SET wanted = true`
    await stage.ask(stage.queue, 'queue', `${options}, confirmed = confirmed || '{"olderThan": "9q"}'`)
    await scheduler().check()
    expect((await queue.schedules.list('purge'))[0]).toMatchObject({
      state: 'void',
      error: { code: 'SCHEDULE_VOID', reason: 'other values of olderThan' },
    })
    expect(await queue.state()).toMatchObject({ refusedSchedules: 1 })
    expect((await stage.sluice('schedule', 'run-now', 'purge')).err).toContain('SCHEDULE_VOID')
    // The table changes: its dry run on the worker reports it before anything is changed.
    expect((await add('purge', '--replace', ...purge, '--confirm', 'inv')).code).toBe(0)
    await stage.ask(stage.data, 'source', 'ALTER TABLE inv ADD COLUMN note text')
    await stage.ask(stage.queue, 'queue', options)
    const worker = stage.worker()
    await stage.until('the refusal', async () => (await queue.schedules.list('purge'))[0]?.state === 'void')
    await stage.until('its end', async () => (await history('purge'))[0]?.status === 'refused')
    expect((await history('purge'))[0]).toMatchObject({ exitCode: 5, error: { code: 'SCHEDULE_VOID' } })
    // No run of it began that could raise the alert.
    const reported = path.join(stage.folder, 'void')
    const lines = (): readonly string[] => readFileSync(reported, 'utf8').trim().split('\n')
    await stage.until('the alert', () => lines().length > 2)
    expect(lines()).toEqual([
      expect.stringMatching(/^failed raised schedule purge: it begins no run: SCHEDULE_VOID /),
      expect.stringMatching(/^failed cleared schedule purge: it can begin runs again; /),
      expect.stringMatching(/^failed raised SCHEDULE_VOID /),
    ])
    expect(await stage.ask(stage.data, 'source', 'SELECT count(*)::int AS n FROM inv')).toEqual([{ n: 400 }])
    worker.signal('SIGKILL')
    await worker.ended
    expect((await stage.sluice('schedule', 'remove', 'purge')).code).toBe(0)
    expect(
      await stage.ask(stage.queue, 'queue', `SELECT FROM sluice_queue.sluice_alerts WHERE about LIKE 'schedule%'`),
    ).toEqual([])
  })

  test('a schedule whose alerts cannot be removed stays, which is reported', async () => {
    expect((await add('kept', '--every', 'day', ...ENSURE)).code).toBe(0)
    const ask = (sql: string): Promise<unknown> => stage.ask(stage.queue, 'queue', sql)
    await ask(
      `CREATE FUNCTION public.no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
       CREATE TRIGGER no_delete BEFORE DELETE ON sluice_queue.sluice_alerts EXECUTE FUNCTION public.no_delete()`,
    )
    try {
      await expect(queue.schedules.remove('kept')).rejects.toThrow(/not today/)
      expect(await queue.schedules.list('kept')).toHaveLength(1)
    } finally {
      await ask('DROP FUNCTION public.no_delete() CASCADE')
    }
    expect(await queue.schedules.remove('kept')).toBe(true)
    expect(await queue.schedules.remove('kept')).toBe(false)
  })

  test('a folder belongs to its machine, and must be the same one', async () => {
    const lake = path.join(stage.folder, 'lake')
    mkdirSync(lake)
    expect((await add('look', '--', 'fsck', './lake')).code).toBe(0)
    const [kept] = await queue.schedules.list('look')
    expect(kept).toMatchObject({ words: ['fsck', lake], stores: [{ name: lake }] })
    renameSync(lake, `${lake}-before`)
    mkdirSync(lake)
    await stage.sluice('schedule', 'run-now', 'look')
    const worker = stage.worker()
    await stage.until('a refusal', async () => ((await queue.runs(1))[0]?.refusals ?? []).length > 0)
    expect((await queue.runs(1))[0]?.refusals).toMatchObject([
      { error: { message: `${lake} on this worker is not the folder of the run` } },
    ])
    // Only after a minute, and not while another worker may still take it.
    await stage.ask(
      stage.queue,
      'queue',
      `INSERT INTO sluice_queue.sluice_workers (worker_id, host, pid, program, concurrency, queues, ended_at)
       SELECT 'gone', 'gone', 1, program, 1, queues, now() FROM sluice_queue.sluice_workers`,
    )
    const older = `UPDATE sluice_queue.sluice_run_refusals SET refused_at = refused_at - interval '61 s'`
    await stage.ask(stage.queue, 'queue', older)
    const beats = async (): Promise<number> =>
      (await queue.workers()).find(({ state }) => state === 'lives')?.beatAt ?? 0
    const from = await beats()
    await stage.until('a sweep', async () => (await beats()) > from + 12_000)
    expect((await queue.runs(1))[0]?.status).toBe('running')
    await stage.ask(
      stage.queue,
      'queue',
      `UPDATE sluice_queue.sluice_workers SET beat_at = beat_at - interval '61 s' WHERE worker_id = 'gone'`,
    )
    await stage.until('the end', async () => (await queue.runs(1))[0]?.status === 'failed')
    const [first] = await history('look')
    expect(first).toMatchObject({
      status: 'failed',
      exitCode: 1,
      error: {
        code: 'WORKERS_REFUSED',
        reason: expect.stringMatching(/^\S+: .* is not the folder of the run \(.*inode number differs\)$/),
        hint: expect.stringContaining(`sluice ctl ${first?.runId} resume --distributed`),
      },
    })
    // The next period has its run, and the same worker checks again a run that was resumed.
    await back('look', DAY)
    await stage.until('the next one', async () => (await history('look')).length === 2)
    rmSync(lake, { recursive: true })
    renameSync(`${lake}-before`, lake)
    await stage.sluice('ctl', String(first?.runId), 'resume', '--distributed')
    await stage.until('its end', async () => (await queue.runs(1, String(first?.runId)))[0]?.status !== 'running')
    expect((await queue.runs(1, String(first?.runId)))[0]?.error?.code).not.toBe('WORKERS_REFUSED')
    worker.signal('SIGKILL')
    await worker.ended
  })

  test('rows of a shared archive run are those that it has archived', async () => {
    const archive = path.join(stage.folder, 'cold')
    mkdirSync(archive)
    const words = ['--from', 'shop', '--to', archive, '--table', 'inv', '--by', 'at', '--older-than', '1q']
    const run = await stage.distribute('archive', 'run', ...words)
    const worker = stage.worker({ args: ['--idle', '3s'] })
    expect(await worker.ended).toBe(0)
    const [{ events } = { events: [] }] = await queue.schedules.output(run)
    const [end] = of(events, 'run.finished')
    expect(end).toMatchObject({ status: 'ok', totals: { rows: '400' } })
    expect((await stage.run(run)).rows).toBe(400n)
  })

  test('another disk with the same inode in place of an archive is refused by its worker only', async () => {
    const [archive, kept] = [path.join(stage.folder, 'mounted'), path.join(stage.folder, 'mounted-before')]
    mkdirSync(archive)
    mkdirSync(kept)
    await stage.ask(
      stage.data,
      'source',
      'DROP TABLE IF EXISTS disks; CREATE TABLE disks (LIKE inv INCLUDING ALL); INSERT INTO disks SELECT * FROM inv',
    )
    const words = ['--from', 'shop', '--to', archive, '--table', 'disks', '--by', 'at', '--older-than', '1q']
    const run = await stage.distribute('archive', 'run', ...words)
    // A new file system gives its first folder the inode of the other one's first: the same folder, without its
    // content.
    const move = (from: string, to: string): void => {
      for (const name of readdirSync(from)) renameSync(path.join(from, name), path.join(to, name))
    }
    move(archive, kept)
    const stranger = stage.worker({ args: ['--idle', '20s'] })
    await stage.until('a refusal', async () => (await stage.run(run)).refusals.length > 0)
    const { refusals, status } = await stage.run(run)
    expect(refusals).toMatchObject([
      { error: { code: 'BAD_CONFIG', message: `${archive} on this worker is not the folder of the run` } },
    ])
    expect(status).toBe('running')
    expect(readdirSync(archive)).toEqual([])
    move(kept, archive)
    const friend = stage.worker({ args: ['--idle', '3s'] })
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    expect(stranger.slots).toEqual(['refused'])
    await stage.until('its end here', () => friend.slots.includes('ended'))
    expect(friend.slots).toEqual(['begun', 'ended'])
    expect((await stage.run(run)).rows).toBe(400n)
    // One marker file for all runs of the folder.
    await stage.distribute('archive', 'run', ...words)
    expect(readdirSync(archive).filter((name) => name.startsWith('.'))).toHaveLength(1)
  })

  test.skipIf(!NAMESPACES)(
    'a machine without the folders of its tables refuses a run that names them by id',
    async () => {
      const lake = path.join(stage.folder, 'lake-by-id')
      const table = path.join(lake, 'orders')
      writeLog(table, [[PROTOCOL, METADATA, addFile('a')]])
      const catalog = ['--database-url', 'cold']
      expect((await stage.sluice('import', table, '--table-id', 'by-id', ...catalog)).code).toBe(0)
      const runs = []
      for (const words of [
        ['sync', '--all'],
        ['sync', 'by-id'],
        ['validate', 'by-id'],
        ['fsck', 'by-id'],
      ])
        runs.push(await stage.distribute(...words, ...catalog))
      // Mounted in the namespace of this worker alone.
      const preload = `import { execFileSync } from 'node:child_process'
      execFileSync('mount', ['-t', 'tmpfs', 'none', ${JSON.stringify(lake)}])`
      const stranger = stage.worker({ host: 'elsewhere', preload, args: ['--idle', '20s'] })
      for (const run of runs) {
        await stage.until('a refusal', async () => {
          const { refusals, status, error } = await stage.run(run)
          return refusals.length > 0 || JSON.stringify({ status, error })
        })
        expect(await stage.run(run)).toMatchObject({
          status: 'running',
          refusals: [{ error: { message: `the folders of the tables do not exist on elsewhere: ${table}` } }],
        })
      }
      expect(new Set(stranger.slots)).toEqual(new Set(['refused']))
      const friend = stage.worker({ args: ['--idle', '3s'] })
      expect(await friend.ended).toBe(0)
      for (const run of runs.slice(0, 3)) expect(await stage.run(run)).toMatchObject({ status: 'ok' })
    },
  )

  test('imports of a table and of a lake are repeated', async () => {
    const lake = path.join(stage.folder, 'lake-again')
    writeLog(path.join(lake, 'orders'), [[PROTOCOL, METADATA, addFile('a')]])
    for (const words of [
      ['import', path.join(lake, 'orders')],
      ['batch-import', lake, '--recursive'],
    ]) {
      const { code } = await add('again', '--every', 'day', '--', ...words, '--database-url', 'cold')
      expect(code).toBe(0)
      await stage.ask(stage.queue, 'queue', 'DELETE FROM sluice_queue.sluice_schedules')
    }
    await add('again', '--every', 'day', '--', 'import', path.join(lake, 'orders'), '--database-url', 'cold')
    expect((await stage.sluice('schedule', 'run-now', 'again')).code).toBe(0)
    const worker = stage.worker({ args: ['--idle', '3s'] })
    expect(await worker.ended).toBe(0)
    const [run] = await history('again')
    expect(run).toMatchObject({ status: 'ok' })
  })

  test('no secret is stored, and commands that cannot be scheduled are refused by name', async () => {
    const secret = 'postgresql://app:hush-hush@127.0.0.1:1/nowhere'
    for (const [words, code] of [
      [['--', 'partition', 'ensure', '--from', secret, '--table', 'logs'], 'is not a store of the config file'],
      [['--', 'query', 'shop', 'SELECT 1'], 'BAD_FLAG'],
      [['--', 'copy', '--from', 'shop', '--to', 'cold', '--table', 'inv'], 'copy cannot be scheduled without --again'],
      [
        ['--', 'copy', '--from', 'shop', '--to', 'cold', '--table', 'inv', '--again', '--background'],
        'cannot have --background',
      ],
      [
        ['--', 'copy', '--from', 'shop', '--to', 'cold', '--table', 'inv', '--again', '--follow'],
        'copy --follow does not end by itself',
      ],
      [['--', 'sync', '--all', '--watch', '--database-url', 'cold'], 'sync --watch does not end by itself'],
      [['--every', '7m', ...ENSURE], '7m does not divide a day evenly'],
      [['--every', 'month', '--day', '0', ...ENSURE], '--day 0'],
      [['--every', '1h', '--at', '02:00', ...ENSURE], '--every 1h does not accept --at'],
      [['--every', '1m', '--zone', 'Mars/X', ...ENSURE], '--zone Mars/X'],
      [['--every', 'day', '--zone', 'Mars/Base', ...ENSURE], '--zone Mars/Base'],
      [[], 'no command is given'],
    ] as const) {
      const { code: exit, err } = await add('odd', ...words)
      expect([exit, err]).toEqual([expect.toBeOneOf([2, 6]), expect.stringContaining(code)])
    }
    expect(await queue.schedules.list()).toEqual([])
    const own = stage.urlOf(stage.data, 'source')
    expect((await add('own', '--', 'partition', 'ensure', `--from=${own}`, '--table', 'logs')).code).toBe(0)
    expect((await queue.schedules.list('own'))[0]?.words).toEqual([
      'partition',
      'ensure',
      '--from=shop',
      '--table',
      'logs',
    ])
  })
})

function of<T extends EventType>(events: readonly Event[], type: T): readonly Extract<Event, { type: T }>[] {
  return events.filter((event): event is Extract<Event, { type: T }> => event.type === type)
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const from = performance.now()
  // A connection that was just cut fails once.
  while (!(await isSo().catch(() => false))) {
    if (performance.now() - from > 60_000) throw new Error('it did not come in a minute')
    await sleep(100)
  }
}
