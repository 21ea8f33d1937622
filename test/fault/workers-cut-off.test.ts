/**
 * Workers whose servers are down: a queue that cannot be reached is reported once, whatever error each query has; the
 * worker waits for a target that is read-only for a while.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runOperation } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { compared, makeOrders, noteRows, WorkerStage } from '../support/worker-stage.ts'

/** Accepts connections and ends each at once, like a machine whose server is down. */
async function deadEnd(): Promise<AsyncDisposable & { readonly port: number; readonly taken: () => number }> {
  let taken = 0
  const server = net.createServer((socket) => {
    taken += 1
    socket.on('error', () => undefined)
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    taken: () => taken,
    [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))),
  }
}

describe.skipIf(!POSTGRES_OWN)(
  `a worker that is disconnected from its queue ${POSTGRES_MISSING}`,
  { timeout: 240_000 },
  () => {
    let stage: WorkerStage
    beforeAll(async () => {
      stage = await WorkerStage.open()
    }, 120_000)
    afterAll(async () => {
      await stage[Symbol.asyncDispose]()
    })

    test('reports this once, through timeouts and broken connections, and that the queue is back', async () => {
      await using proxy = await startProxy(stage.queue.port)
      await using dead = await deadEnd()
      const url = new URL(stage.queue.url('queue'))
      url.host = `127.0.0.1:${proxy.port}`
      const worker = stage.worker({ overTcp: true, stores: { queue: url.href } })
      await stage.until('a beat', () => worker.events.some(({ type }) => type === 'worker.beat'))
      const said = (): readonly string[] =>
        worker.events.flatMap((event) =>
          event.type === 'log' && event.message.includes('the queue c') ? [event.message] : [],
        )
      proxy.freeze()
      await stage.until('that it is not reached', () => said().length > 0)
      proxy.redirect(dead.port)
      proxy.thaw()
      proxy.cut()
      await stage.until('further tries', () => dead.taken() > 10)
      proxy.redirect(stage.queue.port)
      await stage.until('that it is reached', () => said().some((text) => text.includes('reached again')))
      const [first, ...more] = said()
      expect(first).toContain('the queue cannot be reached, and running tasks continue: CONNECT')
      expect(first).not.toContain('INTERNAL')
      expect(more).toEqual(['the queue can be reached again'])
      worker.signal('SIGTERM')
      expect(await worker.ended).toBe(0)
    })

    test('a target that is a standby for a while: the tasks of a run rest, and the run completes', async () => {
      await makeOrders(stage, 3000)
      await noteRows(stage)
      const cold = `${stage.urlOf(stage.data, 'target')}&retry_seconds=0.5`
      const one = stage.worker({ stores: { cold }, args: ['--concurrency', '2'] })
      const words = ['--from', 'shop', '--to', 'cold', '--table', 'orders', '--checkpoint-size', '100']
      const run = await stage.distribute('copy', ...words, '--rate', '500', '--tasks', '2')
      await stage.until('two chunks', async () => (await stage.chunksDone()) >= 2)
      await stage.data.demote()
      const rests = (): boolean =>
        one.events.some((event) => {
          if (event.type !== 'worker.slot' || event.state !== 'resting') return false
          return event.error?.reason?.includes('read-only') === true
        })
      await stage.until('a slot that rests', rests)
      await stage.data.promote()
      await stage.until('the end', async () => (await stage.run(run)).status !== 'running', 150_000)
      expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
      const { source, target } = await compared(stage)
      expect(target).toBe(source)
      one.signal('SIGTERM')
      expect(await one.ended).toBe(0)
    })

    test('a changed password is read again, and a worker without the new one ends soon on SIGTERM', async () => {
      const file = path.join(stage.folder, 'pgpass')
      const keep = (password: string): void => writeFileSync(file, `*:*:*:keeper:${password}\n`, { mode: 0o600 })
      const change = async (password: string): Promise<void> => {
        await stage.ask(stage.queue, 'queue', `ALTER ROLE keeper PASSWORD '${password}'`)
        const ours = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper'`
        await stage.ask(stage.queue, 'queue', ours)
      }
      const made = `CREATE ROLE keeper SUPERUSER LOGIN; EXCEPTION WHEN duplicate_object THEN NULL`
      await stage.ask(stage.queue, 'queue', `DO $$ BEGIN ${made}; END $$; ALTER ROLE keeper PASSWORD 'one'`)
      keep('one')
      await stage.forgetRuns()
      await makeOrders(stage, 3000)
      await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
      await noteRows(stage)
      const queue = stage.urlOf(stage.queue, 'queue').replace(/\/\/[^@]*@/, '//keeper@')
      const worker = stage.worker({ stores: { queue }, env: { PGPASSFILE: file } })
      const words = ['--from', 'shop', '--to', 'cold', '--table', 'orders', '--checkpoint-size', '100']
      const run = await stage.distribute('copy', ...words, '--rate', '200', '--tasks', '1')
      await stage.until('a chunk', async () => (await stage.chunksDone()) >= 1)
      const said = (text: string): number =>
        worker.events.filter((event) => event.type === 'log' && event.message.includes(text)).length
      await change('two')
      await stage.until('that it is refused', () => said('refuses the password of keeper') === 1)
      keep('two')
      await stage.until('that it is reached', () => said('reached again') === 1)
      await change('three')
      await stage.until('that it is refused again', () => said('refuses the password of keeper') === 2)
      const asked = performance.now()
      worker.signal('SIGTERM')
      expect(await worker.ended, worker.said.slice(-3000)).toBe(0)
      expect(performance.now() - asked).toBeLessThan(15_000)
      // Its task is taken over by another worker once it is lost.
      const other = stage.worker()
      await stage.until('the end', async () => (await stage.run(run)).status !== 'running', 120_000)
      expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
      const { source, target } = await compared(stage)
      expect(target).toBe(source)
      other.signal('SIGTERM')
      expect(await other.ended).toBe(0)
    })

    test('if a target refuses the login in the middle of two tables, their tasks rest until the password file has it', async () => {
      const file = path.join(stage.folder, 'pgpass-target')
      const keep = (password: string): void => writeFileSync(file, `*:*:*:taker:${password}\n`, { mode: 0o600 })
      const change = `ALTER ROLE taker PASSWORD 'two'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'taker'`
      await stage.ask(stage.data, 'target', `CREATE ROLE taker SUPERUSER LOGIN PASSWORD 'one'`)
      await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
      keep('one')
      await stage.forgetRuns()
      await makeOrders(stage, 3000)
      await stage.ask(
        stage.data,
        'source',
        'CREATE TABLE items AS TABLE orders; ALTER TABLE items ADD PRIMARY KEY (id)',
      )
      const cold = stage.urlOf(stage.data, 'target').replace(/\/\/[^/]*@/, '//taker@')
      const worker = stage.worker({ stores: { cold }, env: { PGPASSFILE: file }, args: ['--concurrency', '2'] })
      const words = ['--from', 'shop', '--to', 'cold', '--table', 'orders', '--table', 'items']
      const alarm = ['--alert', 'failed', '--alert-command', 'true']
      const copy = ['copy', ...words, '--checkpoint-size', '100', '--rate', '500', '--tasks', '2', ...alarm]
      const run = await stage.distribute(...copy)
      await stage.until('two chunks', async () => (await stage.chunksDone()) >= 2)
      await stage.ask(stage.data, 'target', change)
      await stage.until('slots that rest', () => worker.slots.filter((state) => state === 'resting').length >= 2)
      keep('two')
      await stage.until('the end', async () => (await stage.run(run)).status !== 'running', 120_000)
      expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
      const { source, target } = await compared(stage)
      expect(target).toBe(source)
      expect(worker.events.filter(({ type }) => type === 'alert')).toEqual([])
      worker.signal('SIGTERM')
      expect(await worker.ended).toBe(0)
    })

    test('a refused login while a database is identified refuses no run: the task rests until the password file has it', async () => {
      const file = path.join(stage.folder, 'pgpass-asked')
      const keep = (password: string): void => writeFileSync(file, `*:*:*:asked:${password}\n`, { mode: 0o600 })
      await stage.ask(stage.data, 'target', `CREATE ROLE asked SUPERUSER LOGIN PASSWORD 'two'`)
      await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
      keep('one')
      await stage.forgetRuns()
      await makeOrders(stage, 300)
      const run = await stage.distribute('copy', '--from', 'shop', '--to', 'cold', '--table', 'orders', '--tasks', '1')
      const cold = stage.urlOf(stage.data, 'target').replace(/\/\/[^/]*@/, '//asked@')
      const worker = stage.worker({ stores: { cold }, env: { PGPASSFILE: file } })
      await stage.until('a slot that rests or is refused', () => worker.slots.length >= 2)
      expect(worker.slots).toEqual(['resting', 'resting'])
      expect((await stage.run(run)).refusals).toEqual([])
      keep('two')
      await stage.until('the end', async () => (await stage.run(run)).status !== 'running', 120_000)
      expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
      worker.signal('SIGTERM')
      expect(await worker.ended).toBe(0)
    })

    test('only its worker refuses a login that fails for two minutes; if all refuse, the run fails with an alert', async () => {
      const file = path.join(stage.folder, 'told-asked')
      await stage.forgetRuns()
      await makeOrders(stage, 300)
      const copy = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'orders', '--tasks', '1']
      const alarm = [
        '--alert',
        'failed',
        '--alert-command',
        `echo "$SLUICE_ALERT_STATE $SLUICE_ALERT_VALUE" >> ${file}`,
      ]
      const run = await stage.distribute(...copy, ...alarm)
      const cause = `{"code": "CONNECT_FAILED", "message": "refused", "retryable": false}`
      const rested = `UPDATE sluice_queue.sluice_run_slots SET rests = 6, error = '${cause}' WHERE run_id = '${run}'`
      await stage.ask(stage.queue, 'queue', rested)
      const cold = stage.urlOf(stage.data, 'target').replace(/\/\/[^/]*@/, '//stranger@')
      const worker = stage.worker({ stores: { cold } })
      await stage.until('a refusal', async () => (await stage.run(run)).refusals.length > 0)
      // Simulates that the minute is over in which another worker may come.
      const ago = `interval '2 minutes'`
      await stage.ask(
        stage.queue,
        'queue',
        `UPDATE sluice_queue.sluice_run_refusals SET refused_at = refused_at - ${ago}`,
      )
      await stage.ask(
        stage.queue,
        'queue',
        `UPDATE sluice_queue.sluice_workers SET beat_at = beat_at - ${ago} WHERE ended_at IS NOT NULL`,
      )
      await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
      const refusals = [{ error: { code: 'CONNECT_FAILED' } }]
      expect(await stage.run(run)).toMatchObject({ status: 'failed', error: { code: 'WORKERS_REFUSED' }, refusals })
      worker.signal('SIGTERM')
      expect(await worker.ended).toBe(0)
      expect(readFileSync(file, 'utf8')).toMatch(/^raised WORKERS_REFUSED [^\n]*\n$/)
    })

    test('a login that stays refused for two minutes ends a worker with the code of the cause', async () => {
      const login = `DROP ROLE IF EXISTS leaver; CREATE ROLE leaver SUPERUSER LOGIN PASSWORD 'one'`
      await stage.ask(stage.queue, 'queue', login)
      const connect = stage.queue.url('queue', 'leaver', 'one')
      let ahead = 0
      const clock = { ...systemClock, ticks: () => performance.now() + ahead }
      const events: Event[] = []
      const done = runOperation(
        { kind: 'worker', connect, concurrency: 1, queues: [], names: [], stores: [] },
        {
          interrupt: NEVER,
          clock,
          tool: 'test',
          actor: 'tester',
          host: 'here',
          commandLine: 'sluice worker',
          onEvent: (event) => events.push(event),
        },
      )
      await stage.until('a beat', () => events.some(({ type }) => type === 'worker.beat'))
      const said = (text: string): number =>
        events.filter((event) => event.type === 'log' && event.message.includes(text)).length
      // A longer downtime of the server does not end the worker.
      await stage.queue.stop()
      await stage.until('that it is not reached', () => said('cannot be reached') === 1)
      ahead += 600_000
      await stage.queue.restart()
      await stage.until('that it is reached', () => said('reached again') === 1)
      const refuse = `ALTER ROLE leaver PASSWORD 'two'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'leaver'`
      await stage.ask(stage.queue, 'queue', refuse)
      await stage.until('that it is refused', () => said('refuses the password of leaver') === 1)
      ahead += 120_000
      const { exitCode, error } = await done
      expect([exitCode, error?.code]).toEqual([4, 'CONNECT_FAILED'])
      expect(error?.reason).toContain('refuses the password of leaver')
      expect(JSON.stringify(events)).not.toContain(':one@')
    })
  },
)
