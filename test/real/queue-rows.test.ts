/** Rows of a task whose worker is gone: unfinished chunks are done again, and counted once. */
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openQueue } from '../../src/app/share/queues.ts'
import { steered } from '../../src/app/share/steer.ts'
import { queuePart } from '../../src/app/report/of-queue.ts'
import { RunProgress } from '../../src/app/live/run-progress.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import type { QueuedRun, QueueSweep, WorkerAbout } from '../../src/model/share/queue-port.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog } from '../support/catalog-kit.ts'
import { perform } from '../support/copy-systems.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const TIMELINE = 'SELECT timeline_id AS n FROM pg_control_checkpoint()'
const PROGRAM = 'sluice 1, ledger 1'
const ABOUT: WorkerAbout = { workerId: 'w1', host: 'here', pid: 7, program: PROGRAM, concurrency: 1, queues: [] }
const RUN: QueuedRun = {
  runId: '7',
  kind: 'copy',
  takesTurns: true,
  operation: { kind: 'copy' },
  stores: [],
  commandLine: 'sluice copy',
  source: null,
  target: null,
  program: PROGRAM,
  actor: 'me',
  host: 'here',
  queue: null,
  slots: [{ about: '' }],
}

test('of an import that another worker resumes are all that the run has imported', async () => {
  using folder = temporaryFolder()
  const lines = Array.from({ length: 40 }, (_, i) => [...(i === 0 ? [PROTOCOL, METADATA] : []), add(`f${i}`)])
  writeLog(join(folder.path, 'table'), lines)
  const catalog = `sqlite:///${join(folder.path, 'catalog.db')}`
  const table = join(folder.path, 'table')
  const operation = { kind: 'import', table, catalog, dryRun: false, resume: true, batchSize: 1, verbose: false, allowRefused: false, waitMs: 0 } as const // prettier-ignore
  /** What a task has reported in one turn. */
  const turn = async (sharedRun: string, stopsAt = Number.POSITIVE_INFINITY): Promise<RunProgress> => {
    const [pulse, interrupt] = [new RunProgress(), new Interrupter()]
    await perform(operation, {
      interrupt,
      sharedRun,
      onEvent: (event) => {
        pulse.take(event)
        if (event.type === 'chunk.progress' && Number(event.done) >= stopsAt) interrupt.requestStop()
      },
    })
    return pulse
  }
  const before = await turn('6', 1)
  expect(before.rows).toBeGreaterThan(0)
  const first = await turn('7', 1)
  expect(first.rows - first.open).toBe(0)
  expect(first.rows).toBeLessThan(42)
  const last = await turn('7/1000')
  // Without the rows of the earlier run.
  expect(last.rows).toBe(42 - before.rows)
  expect(last.done).toBe(42 - before.rows - first.rows)
  expect(last.open).toBe(0)
})

describe.skipIf(!POSTGRES_OWN)(`rows of a task ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({})
    await server.createDatabase('queue')
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })

  test('and the state of the queue are the same for every worker, by the clock of its database', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    const [one, other] = [queue.worker(ABOUT), queue.worker({ ...ABOUT, workerId: 'w2', host: 'there' })]
    await one.sendHeartbeat(false)
    await other.sendHeartbeat(false)
    await queue.submit({ ...RUN, runId: '5', slots: [{ about: 'a' }, { about: 'b' }] })
    await queue.submit({ ...RUN, runId: '6', program: 'sluice 2, ledger 1' })
    const slot = await other.claim({ runId: '5', no: 1 })
    if (slot === null) throw new Error('the slot is not free')
    await other.progress(slot, { rows: 9n, open: 0n, chunks: 1, rate: 5 }, null)
    const rates = async (): Promise<unknown> => [(await queue.runs(1, '5'))[0]?.rate, (await queue.slots('5'))[0]?.rate]
    expect(await rates()).toEqual([5, 5])
    // Only a worker of its version takes the other run, and its report says so.
    expect((await queuePart(server.url('queue'), '6'))?.error).toMatch(
      /there is no live worker of version sluice 2, ledger 1/,
    )
    const calm = await queue.state()
    expect(calm).toMatchObject({
      workers: { lives: 2, silent: 0, lost: 0 },
      slots: { queued: 2, working: 1, lost: 0 },
      waiting: 1,
    })
    expect(calm.oldestBeatMs).toBeLessThan(5000)
    const client = new pg.Client({ connectionString: server.url('queue') })
    await client.connect()
    const ago = (seconds: number): string =>
      `UPDATE sluice_queue.sluice_workers SET beat_at = now() - interval '${seconds} s' WHERE worker_id = 'w2';
       UPDATE sluice_queue.sluice_run_slots SET beat_at = now() - interval '${seconds} s' WHERE worker_id = 'w2'`
    await client.query(ago(10))
    expect(await queue.state()).toMatchObject({ workers: { lives: 1, silent: 1, lost: 0 }, slots: { lost: 0 } })
    expect(await rates()).toEqual([0, 0])
    await client.query(ago(31))
    const lost = await queue.state()
    expect(lost).toMatchObject({ workers: { lives: 1, silent: 0, lost: 1 }, slots: { queued: 2, working: 1, lost: 1 } })
    expect(lost.oldestBeatMs).toBeGreaterThanOrEqual(31_000)
    await client.query(ago(86_401))
    expect(await queue.state()).toMatchObject({ workers: { lives: 1, silent: 0, lost: 0 }, slots: { lost: 1 } })
    await client.query('DELETE FROM sluice_queue.sluice_runs; DELETE FROM sluice_queue.sluice_workers')
    await client.end()
  })

  test('of workers that ended or were lost over seven days ago are removed, unless a task names them', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    const sweeping = queue.worker({ ...ABOUT, workerId: 'sweeps' })
    const ids = ['ended-old', 'lost-old', 'named-old', 'ended-lately']
    const workers = ids.map((workerId) => queue.worker({ ...ABOUT, workerId, queues: ['old'] }))
    for (const worker of [sweeping, ...workers]) await worker.sendHeartbeat(false)
    await queue.submit({ ...RUN, runId: 'old', queue: 'old' })
    expect(await workers[2]?.claim({ runId: 'old', no: 1 })).not.toBeNull()
    const client = new pg.Client({ connectionString: server.url('queue') })
    await client.connect()
    try {
      const days = (id: string, count: number): string =>
        `UPDATE sluice_queue.sluice_workers SET beat_at = now() - ${count} * interval '1 day', ended_at = CASE WHEN worker_id LIKE 'ended%' THEN now() - ${count} * interval '1 day' END WHERE worker_id = '${id}'`
      for (const id of ids) await client.query(days(id, id === 'ended-lately' ? 6 : 8))
      await sweeping.sweep()
      const { rows } = await client.query<{ worker_id: string }>(
        `SELECT worker_id FROM sluice_queue.sluice_workers WHERE worker_id = ANY ($1) ORDER BY worker_id`,
        [ids],
      )
      expect(rows.map(({ worker_id }) => worker_id)).toEqual(['ended-lately', 'named-old'])
    } finally {
      await client.query(
        `DELETE FROM sluice_queue.sluice_runs WHERE run_id = 'old'; DELETE FROM sluice_queue.sluice_workers`,
      )
      await client.end()
    }
  })

  test('in a copy of the queue no run begins before it is confirmed there, and none is reported as lost', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    const worker = queue.worker(ABOUT)
    await worker.sendHeartbeat(false)
    for (const runId of ['20', '21', '22']) await queue.submit({ ...RUN, runId })
    const [waits, worked, unwanted] = ['20', '21', '22'].map((runId) => ({ runId, no: 1 }))
    if (waits === undefined || worked === undefined || unwanted === undefined) throw new Error('no slots')
    expect(await worker.claim(worked)).not.toBeNull()
    expect(await worker.claim(unwanted)).not.toBeNull()
    const ask = async (database: string, sql: string): Promise<void> => {
      const client = new pg.Client({ connectionString: server.url(database) })
      await client.connect()
      await client.query(sql)
      await client.end()
    }
    await ask(
      'postgres',
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'queue' AND pid <> pg_backend_pid()",
    )
    await ask('postgres', 'CREATE DATABASE staging TEMPLATE queue')
    const isLongAgo = `UPDATE sluice_queue.sluice_run_slots SET beat_at = now() - interval '1 hour' WHERE beat_at IS NOT NULL`
    await ask('staging', isLongAgo)
    await using copy = await openQueue(server.url('staging'), 'work')
    const other = copy.worker({ ...ABOUT, workerId: 'w9', host: 'staging' })
    await other.sendHeartbeat(false)
    for (const key of [waits, worked, unwanted]) expect(await other.claim(key)).toBeNull()
    expect(await other.sweep()).toMatchObject({ lost: [], unqueued: [], ended: [], unconfirmed: ['20', '21', '22'] })
    expect(await copy.state()).toMatchObject({ waiting: 0, unconfirmedRuns: 3 })
    expect((await queuePart(server.url('staging'), '20'))?.error).toMatch(/20 does not start: .*another database/)

    await steered(copy, '20', { held: false })
    expect(await other.claim(waits)).not.toBeNull()
    // The task of the original's worker is first taken from it.
    await steered(copy, '21', { held: false })
    expect(await other.sweep()).toMatchObject({ lost: [worked], unconfirmed: ['22'] })
    expect(await other.claim(worked)).not.toBeNull()
    expect(await steered(copy, '22', { stop: true })).toMatchObject({ status: 'stopped' })
    expect(await other.sweep()).toMatchObject({ ended: [], unconfirmed: [] })
    expect(await copy.state()).toMatchObject({ unconfirmedRuns: 0 })

    // The original is not affected.
    expect(await queue.state()).toMatchObject({ unconfirmedRuns: 0 })
    expect(await worker.claim(waits)).not.toBeNull()
    await ask('queue', isLongAgo)
    expect((await worker.sweep()).lost).toHaveLength(3)
    await ask('queue', 'DELETE FROM sluice_queue.sluice_runs; DELETE FROM sluice_queue.sluice_workers')
  })

  test('of no worker are taken in the first 30 s after an outage of the queue, and none is reported as lost', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    const [one, other] = [queue.worker(ABOUT), queue.worker({ ...ABOUT, workerId: 'w2', host: 'there' })]
    const alert = { conditions: [{ cause: 'stuck', limit: 10_000 }] }
    for (const worker of [one, other]) await worker.sendHeartbeat(false)
    for (const runId of ['30', '31', '32']) await queue.submit({ ...RUN, runId, operation: { kind: 'copy', alert } })
    const standing = [{ table: 'a', chunk: '1', stoodMs: 0 }]
    for (const [runId, worker] of [
      ['30', one],
      ['31', other],
    ] as const) {
      const slot = await worker.claim({ runId, no: 1 })
      if (slot === null) throw new Error('the slot is not free')
      await worker.progress(slot, { rows: 0n, open: 0n, chunks: 0, rate: 0, standing }, null)
    }
    const client = new pg.Client({ connectionString: server.url('queue') })
    await client.connect()
    // As after 42 s in which no worker has reached the queue.
    await client.query(`UPDATE sluice_queue.sluice_workers SET beat_at = now() - interval '42 s';
      UPDATE sluice_queue.sluice_run_slots SET beat_at = now() - interval '42 s' WHERE state = 'working';
      UPDATE sluice_queue.sluice_runs SET begun_at = now() - interval '1 min'`)
    const seen = async (): Promise<unknown> =>
      (await one.watch()).map(({ runId, silent, lost, waitsFor }) => [runId, silent.length, lost.length, waitsFor])
    const calm = [['30', 0, 0, null], ['31', 0, 0, null], ['32', 0, 0, null]] // prettier-ignore
    // It may sweep and check before its heartbeat.
    for (const isHeard of [false, true]) {
      if (isHeard) await one.sendHeartbeat(false)
      expect(await one.sweep()).toMatchObject({ lost: [], ended: [] })
      expect(await seen()).toEqual(calm)
      expect(await one.claim({ runId: '31', no: 1 })).toBeNull()
    }
    // A worker that starts just then takes none either.
    const late = queue.worker({ ...ABOUT, workerId: 'w3', host: 'later' })
    await late.sendHeartbeat(false)
    expect(await late.sweep()).toMatchObject({ lost: [], isWithheld: true })
    expect(await late.claim({ runId: '31', no: 1 })).toBeNull()
    await client.query(`DELETE FROM sluice_queue.sluice_workers WHERE worker_id = 'w3'`)
    // For 30 s this worker has reached the queue, and the other one is away.
    await client.query(`UPDATE sluice_queue.sluice_workers SET reached_at = now() - interval '31 s' WHERE worker_id = 'w1';
      UPDATE sluice_queue.sluice_run_slots SET beat_at = now() WHERE run_id = '30'`)
    await one.sendHeartbeat(false)
    expect(await seen()).toEqual([['30', 0, 0, null], ['31', 1, 0, null], ['32', 0, 0, null]]) // prettier-ignore
    // A worker that starts then does not need to wait.
    await late.sendHeartbeat(false)
    expect(await late.sweep()).toMatchObject({ lost: [{ runId: '31', no: 1 }], isWithheld: false })
    await client.query(`DELETE FROM sluice_queue.sluice_workers WHERE worker_id = 'w3'`)
    expect(await other.claim({ runId: '31', no: 1 })).not.toBeNull()
    expect((await one.watch()).flatMap(({ lost }) => lost)).toMatchObject([{ state: 'working', isBack: true }])
    await client.query('DELETE FROM sluice_queue.sluice_runs; DELETE FROM sluice_queue.sluice_workers')
    await client.end()
  })

  test('of workers that are all gone wait like queued ones, and a stop ends them without a worker', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    const worker = queue.worker({ ...ABOUT, workerId: 'alone' })
    await worker.sendHeartbeat(false)
    await queue.submit({ ...RUN, runId: '50' })
    const slot = await worker.claim({ runId: '50', no: 1 })
    if (slot === null) throw new Error('the slot is not free')
    const client = new pg.Client({ connectionString: server.url('queue') })
    await client.connect()
    const silent = async (seconds: number): Promise<unknown> =>
      await client.query(`UPDATE sluice_queue.sluice_workers SET beat_at = now() - interval '${seconds} s' WHERE worker_id = 'alone';
        UPDATE sluice_queue.sluice_run_slots SET beat_at = now() - interval '${seconds} s' WHERE run_id = '50'`)
    await silent(20)
    expect((await queue.runs(1, '50'))[0]).toMatchObject({ isWaiting: false })
    await steered(queue, '50', { stop: true })
    await expect(steered(queue, '50', { held: false })).rejects.toThrow(
      '1 of its tasks are still finishing their batches',
    )
    await silent(31)
    expect((await queue.runs(1, '50'))[0]).toMatchObject({ status: 'running', isWaiting: true })
    expect((await queue.state()).waiting).toBe(1)
    expect(await steered(queue, '50', { held: false })).toMatchObject({ status: 'running', slots: { queued: 1 } })
    await steered(queue, '50', { stop: true })
    expect((await queue.runs(1, '50'))[0]).toMatchObject({ status: 'stopped', exitCode: 75 })
    // If the worker was only cut off, it no longer owns the task.
    expect((await worker.release(slot, { left: 'none', exitCode: 0 })).isMine).toBe(false)
    await client.query('DELETE FROM sluice_queue.sluice_runs; DELETE FROM sluice_queue.sluice_workers')
    await client.end()
  })

  test('end with a stop that was requested while a worker checked its stores and then refused them', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    const [one, other] = [queue.worker(ABOUT), queue.worker({ ...ABOUT, workerId: 'w2', host: 'there' })]
    await one.sendHeartbeat(false)
    await other.sendHeartbeat(false)
    const error = { code: 'BAD_CONFIG', message: 'no store is called shop', retryable: false } as const
    await queue.submit({ ...RUN, runId: '60' })
    const slot = await one.claim({ runId: '60', no: 1 })
    await steered(queue, '60', { stop: true })
    expect(await one.refuse(slot!, error)).toMatchObject({ runId: '60', status: 'stopped', exitCode: 75 })
    // A worker of an earlier version left its task waiting.
    await queue.submit({ ...RUN, runId: '61' })
    const client = new pg.Client({ connectionString: server.url('queue') })
    await client.connect()
    await client.query(`UPDATE sluice_queue.sluice_runs SET wishes = '{"stop": true}' WHERE run_id = '61'`)
    expect((await other.sweep()).ended).toMatchObject([{ runId: '61', status: 'stopped', exitCode: 75 }])
    expect((await other.sweep()).ended).toEqual([])
    await client.query('DELETE FROM sluice_queue.sluice_runs; DELETE FROM sluice_queue.sluice_workers')
    await client.end()
  })

  test('are those of the chunks that it has ended, once it waits for another worker', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    await queue.submit(RUN)
    const key = { runId: '7', no: 1 }
    const rows = async (): Promise<readonly [bigint | undefined, bigint | undefined]> => [
      (await queue.runs(1, '7'))[0]?.rows,
      (await queue.slots('7'))[0]?.rows,
    ]
    const worker = queue.worker(ABOUT)
    await worker.sendHeartbeat(false)
    const first = await worker.claim(key)
    if (first === null) throw new Error('the slot is not free')
    await worker.progress(first, { rows: 100n, open: 40n, chunks: 2, rate: 1 }, null)
    expect(await rows()).toEqual([100n, 100n])
    await worker.release(first, { left: 'rest', exitCode: 3 })
    expect(await rows()).toEqual([60n, 60n])
    const second = await worker.claim(key)
    if (second === null) throw new Error('the slot is not free')
    expect(await rows()).toEqual([60n, 60n])
    await worker.progress(second, { rows: 40n, open: 40n, chunks: 0, rate: 1 }, null)
    expect(await rows()).toEqual([100n, 100n])
    await worker.progress(second, { rows: 40n, open: 0n, chunks: 1, rate: 1 }, null)
    await worker.release(second, { left: 'none', exitCode: 0 })
    expect(await rows()).toEqual([100n, 100n])
  })

  test('of a run are those of the latest ledger read, and a task with nothing to do has no exit code', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    await queue.submit({ ...RUN, runId: '8', slots: [{ about: '' }, { about: '' }] })
    const worker = queue.worker(ABOUT)
    const dead = await worker.claim({ runId: '8', no: 1 })
    if (dead === null) throw new Error('the slot is not free')
    await worker.progress(dead, { rows: 52n, open: 0n, chunks: 1, rate: 1 }, null)
    await worker.release(dead, { left: 'rest', exitCode: 4 })
    const last = await worker.claim({ runId: '8', no: 2 })
    if (last === null) throw new Error('the slot is not free')
    await worker.progress(last, { rows: 100n, open: 0n, chunks: 2, rate: 1 }, null)
    await worker.count(last, { rows: 100n, chunks: 2, at: 20 }, 0)
    // Counts that were read earlier and arrive later, and those of a worker that no longer owns the task, are ignored.
    await worker.count(last, { rows: 50n, chunks: 1, at: 10 }, 0)
    await worker.count(dead, { rows: 7n, chunks: 7, at: 30 }, 0)
    await worker.release(last, { left: 'none', exitCode: 0 })
    expect(await queue.runs(1, '8')).toMatchObject([{ status: 'ok', exitCode: 0, rows: 100n, chunks: 2 }])
    expect(await queue.slots('8')).toMatchObject([
      { state: 'ended', exitCode: null, rows: 52n },
      { state: 'ended', exitCode: 0, rows: 100n },
    ])
  })
  test('are not counted again after a restore of the queue, and a worker keeps running', async () => {
    await using queue = await openQueue(server.url('queue'), 'work')
    const worker = queue.worker({ ...ABOUT, workerId: 'stays' })
    const beaten = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n += 1) await worker.sendHeartbeat(false)
    }
    const kept = `${server.dataFolder}.kept`
    const swept = async (): Promise<QueueSweep> => await worker.sweep()
    const timeline = async (): Promise<number> => (await onServer(TIMELINE))[0]?.n ?? 0
    const onServer = async (sql: string): Promise<{ n: number }[]> => {
      const client = new pg.Client(server.url('queue'))
      await client.connect()
      const { rows } = await client.query<{ n: number }>(sql)
      await client.end()
      return rows
    }
    /** Recovers to a new timeline, as a promotion and a point-in-time recovery do. */
    const promoted = async (before: number): Promise<void> => {
      await server.demote()
      await server.promote()
      await expect.poll(timeline, { timeout: 20_000 }).toBeGreaterThan(before)
    }
    await beaten(2)
    await queue.submit({ ...RUN, runId: '40' })
    await swept()
    // A standby that lacks the last heartbeat is promoted.
    await promoted(await timeline())
    let carried: unknown
    await expect
      .poll(async () => (carried = (await swept().catch(() => null))?.carried), { timeout: 20_000 })
      .toBeDefined()
    expect(carried).toMatchObject({ runs: 1 })

    const before = await timeline()
    await server.stop()
    execFileSync('cp', ['-a', server.dataFolder, kept])
    await server.restart()
    await expect
      .poll(
        async () =>
          await worker
            .sendHeartbeat(false)
            .then(() => true)
            .catch(() => false),
      )
      .toBe(true)
    await beaten(5)
    const slot = await worker.claim({ runId: '40', no: 1 })
    if (slot === null) throw new Error('the slot is not free')
    await worker.release(slot, { left: 'none', exitCode: 0 })
    await server.stop()
    rmSync(server.dataFolder, { recursive: true })
    renameSync(kept, server.dataFolder)
    await promoted(before)
    await expect
      .poll(
        async () =>
          await worker
            .sendHeartbeat(false)
            .then(() => true)
            .catch(() => false),
      )
      .toBe(true)
    // Heartbeats before the first sweep raise the count again.
    await beaten(6)
    expect(await swept()).toMatchObject({ carried: { schedules: 0, runs: 0, isSetBack: true }, unconfirmed: ['40'] })
    expect(await worker.claim({ runId: '40', no: 1 })).toBeNull()
    expect((await swept()).carried).toEqual({ schedules: 0, runs: 0 })
    await onServer("DELETE FROM sluice_queue.sluice_runs WHERE run_id = '40'")
  }, 60_000)

  test('are reported, and the run is steered, even if an earlier version made the queue', async () => {
    const client = new pg.Client(server.url('queue'))
    client.on('error', () => undefined)
    await client.connect()
    await client.query(`ALTER TABLE sluice_queue.sluice_run_slots DROP COLUMN compares, DROP COLUMN open_rows, DROP COLUMN tables, DROP COLUMN open_chunks, DROP COLUMN lost, DROP COLUMN unreported;
      ALTER TABLE sluice_queue.sluice_runs DROP COLUMN ledger_rows, DROP COLUMN ledger_chunks, DROP COLUMN ledger_ms, DROP COLUMN counted_at, DROP COLUMN counted_end, DROP COLUMN confirmed_in; DROP TABLE sluice_queue.sluice_alerts;
      ALTER TABLE sluice_queue.sluice_workers DROP COLUMN drain_wanted, DROP COLUMN reached_at, DROP COLUMN beats; ALTER TABLE sluice_queue.sluice_schedules DROP COLUMN confirmed_in;
      UPDATE sluice_queue.sluice_queue_version SET version = 2;
      UPDATE sluice_queue.sluice_runs SET status = 'running'; UPDATE sluice_queue.sluice_run_slots SET state = 'queued'`)
    await using looking = await openQueue(server.url('queue'), 'read')
    expect(await looking.state()).toMatchObject({ refusedSchedules: 0 })
    expect(await looking.slots('7')).toMatchObject([{ rows: 100n, onCall: false }])
    expect(await looking.drain('here')).toBe(0)
    expect(await looking.tables('7')).toBeNull()
    expect(await looking.steer('7', { stop: true })).toBe(true)
    expect(await looking.runs(1, '7')).toMatchObject([{ status: 'stopped', rows: 100n }])
    const version = async (): Promise<unknown> =>
      (await client.query('SELECT version FROM sluice_queue.sluice_queue_version')).rows
    expect(await version()).toEqual([{ version: 2 }])
    await (await openQueue(server.url('queue'), 'work'))[Symbol.asyncDispose]()
    expect(await version()).toEqual([{ version: 8 }])
    expect(await looking.tables('7')).toEqual({ names: [], isWhole: false })
    expect(await looking.runs(1, '7')).toMatchObject([{ status: 'stopped', rows: 100n }])

    // Runs of version 7 were submitted here, unless a schedule shows that the queue is a copy.
    const madeNewer = async (): Promise<unknown> => {
      await client.query(`ALTER TABLE sluice_queue.sluice_runs DROP COLUMN confirmed_in; ALTER TABLE sluice_queue.sluice_run_slots DROP COLUMN unreported; ALTER TABLE sluice_queue.sluice_workers DROP COLUMN reached_at, DROP COLUMN beats; UPDATE sluice_queue.sluice_queue_version SET version = 7;
        UPDATE sluice_queue.sluice_runs SET status = 'running'`)
      await (await openQueue(server.url('queue'), 'work'))[Symbol.asyncDispose]()
      return (await looking.state()).unconfirmedRuns
    }
    expect(await madeNewer()).toBe(0)
    const schedule = async (name: string, state: string, place: string): Promise<unknown> =>
      await client.query(
        `INSERT INTO sluice_queue.sluice_schedules (name, words, command_line, rule, catch_up, stores, slots, actor, host, since_ms, state, confirmed_in)
         VALUES ($1, '[]', '', '', 'last', '[]', 1, 'me', 'here', 0, $2, $3)`,
        [name, state, place],
      )
    // These schedules stayed unconfirmed when the queue was moved.
    await schedule('hourly', 'paused', '{"name": "elsewhere"}')
    await schedule('weekly', 'void', '{"name": "elsewhere"}')
    expect(await madeNewer()).toBe(0)
    await schedule('daily', 'on', '{"name": "elsewhere"}')
    expect(await madeNewer()).toBeGreaterThan(0)
    await schedule('monthly', 'paused', '{"name": "queue"}')
    expect(await madeNewer()).toBe(0)
    await client.end()
  })
})
