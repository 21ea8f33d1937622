/**
 * Workers that are lost: killed, frozen until their leases expire and thawed, disconnected, with a clock that is an
 * hour ahead, and with a queue whose database is down. Each has its own namespaces if the machine allows it, so that
 * they cannot check process ids instead of leases. Their results are counted from outside.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TAKEN_OVER_MS } from '../../src/model/share/distributed.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { compared, makeOrders, NAMESPACES, noteRows, WorkerStage } from '../support/worker-stage.ts'

const ROWS = 40_000
const COPY = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'orders'] as const
const SMALL = ['--checkpoint-size', '100', '--workers', '1'] as const
const named = NAMESPACES
  ? 'each in namespaces of its own'
  : 'in the namespaces of the test, because unshare is not allowed here'

describe.skipIf(!POSTGRES_OWN)(`lost workers, ${named} ${POSTGRES_MISSING}`, { timeout: 240_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open()
    await makeOrders(stage, ROWS)
  }, 120_000)
  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await stage.forgetRuns()
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    await noteRows(stage)
  })

  /** Both sides are equal, and each row was inserted once by a committed transaction. */
  async function expectOnce(): Promise<void> {
    const { source, target } = await compared(stage)
    expect(target).toBe(source)
    const sql = 'SELECT count(*)::int AS n, count(DISTINCT id)::int AS ids FROM brought'
    expect(await stage.ask(stage.data, 'target', sql)).toEqual([{ n: ROWS, ids: ROWS }])
    const open = `SELECT count(*)::int AS n FROM migration_checkpoints WHERE status <> 'completed'`
    expect(await stage.ask(stage.data, 'target', open)).toEqual([{ n: 0 }])
  }

  test('of four, one is killed, one frozen and thawed, one cut off, one an hour ahead, and the queue restarts: rows once', async () => {
    await using dataWire = await startProxy(stage.data.port)
    await using queueWire = await startProxy(stage.queue.port)
    const run = await stage.distribute(...COPY, ...SMALL, '--rate', '700', '--tasks', '4')
    const over = (url: string, port: number): string => url.replace(/@[^/]*\//, `@127.0.0.1:${port}/`)
    const killed = stage.worker({ host: 'killed' })
    const frozen = stage.worker({ host: 'frozen' })
    const cut = stage.worker({
      host: 'cut',
      overTcp: true,
      stores: {
        shop: over(stage.data.url('source'), dataWire.port),
        cold: over(stage.data.url('target'), dataWire.port),
        queue: over(stage.queue.url('queue'), queueWire.port),
      },
    })
    const ahead = stage.worker({ host: 'ahead', hourAhead: true })
    const all = [killed, frozen, cut, ahead]
    await stage.until('four workers at work', () => all.every(({ slots }) => slots.includes('begun')))
    await stage.until('some chunks', async () => (await stage.chunksDone()) > 20)
    killed.signal('SIGKILL')
    frozen.signal('SIGSTOP')
    dataWire.freeze()
    queueWire.freeze()
    await stage.queue.kill9()
    const before = await stage.chunksDone()
    // The remaining worker continues without the queue.
    await stage.until('chunks while the queue is away', async () => (await stage.chunksDone()) > before + 3)
    await stage.queue.restart()
    await stage.until('lost slots are queued again', () => ahead.said.includes('queued again'), 60_000)
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running', 150_000)
    frozen.signal('SIGCONT')
    dataWire.thaw()
    queueWire.thaw()
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
    await stage.until('the thawed one has heard that its slot is gone', () => frozen.slots.length > 1)
    expect(frozen.slots.at(-1)).toBe('lost')
    await expectOnce()
    for (const worker of [frozen, cut, ahead]) worker.signal('SIGTERM')
    expect(await ahead.ended).toBe(0)
    await expectOnce()
  })

  test('a worker that is frozen while it compares for copy --again releases the table of the target', async () => {
    await stage.sluice(...COPY)
    await stage.ask(stage.data, 'target', `UPDATE orders SET note = 'other'`)
    const run = await stage.distribute(...COPY, '--again', '--workers', '1', '--tasks', '1', '--rate', '500')
    const worker = stage.worker({ host: 'frozen' })
    const held = async (): Promise<readonly string[]> => {
      const sessions = await stage.ask<{ state: string }>(
        stage.data,
        'target',
        `SELECT a.pid, a.state FROM pg_stat_activity a JOIN pg_locks l USING (pid) JOIN pg_database d ON d.oid = l.database
         WHERE d.datname = current_database() AND a.pid <> pg_backend_pid() AND l.relation = 'orders'::regclass`,
      )
      return sessions.map(({ state }) => state)
    }
    await stage.until('it compares', async () => (await held()).includes('idle in transaction'))
    worker.signal('SIGSTOP')
    const from = performance.now()
    await stage.until('no lock is left', async () => (await held()).length === 0, 60_000)
    expect(performance.now() - from).toBeLessThan(45_000)
    worker.signal('SIGKILL')
    await stage.sluice('ctl', run, 'stop', '--distributed')
  })

  test('what a task did while the queue was down is reported once it is up', async () => {
    const worker = stage.worker()
    const run = await stage.distribute(...COPY, ...SMALL, '--tasks', '1', '--rate', '5000')
    await stage.until('some chunks', async () => (await stage.chunksDone()) > 3)
    await stage.queue.kill9()
    await stage.until('all chunks', async () => (await stage.chunksDone()) === ROWS / 100)
    const sessions = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = 'target' AND application_name LIKE 'sluice%'`
    await stage.until('the end of the slot', async () => {
      const [open] = await stage.ask<{ n: number }>(stage.data, 'target', sessions)
      return open?.n === 0
    })
    await stage.queue.restart()
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'ok', rows: BigInt(ROWS), chunks: ROWS / 100 })
    await expectOnce()
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  test('all are killed and one is started: work continues within 60 seconds', async () => {
    const run = await stage.distribute(...COPY, ...SMALL, '--rate', '700', '--tasks', '3')
    const workers = [stage.worker(), stage.worker(), stage.worker()]
    await stage.until('three workers at work', () => workers.every(({ slots }) => slots.includes('begun')))
    await stage.until('some chunks', async () => (await stage.chunksDone()) > 20)
    for (const worker of workers) worker.signal('SIGKILL')
    await Promise.all(workers.map(({ ended }) => ended))
    const before = await stage.chunksDone()
    const from = performance.now()
    const last = stage.worker({ args: ['--concurrency', '3'] })
    await stage.until('work goes on', async () => (await stage.chunksDone()) > before, 60_000)
    expect(performance.now() - from).toBeLessThan(60_000)
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running', 150_000)
    // Counted by the ledger of the target, because the last report of a killed program is not the total.
    expect(await stage.run(run)).toMatchObject({ status: 'ok', rows: BigInt(ROWS), chunks: ROWS / 100 })
    const { events } = await stage.sluice('runs', '--distributed', '--run', run)
    expect(events.at(-1)).toMatchObject({ totals: { rows: String(ROWS) } })
    await expectOnce()
    last.signal('SIGTERM')
    expect(await last.ended).toBe(0)
  })

  test('another worker raises alerts for a killed one: stuck chunk, lost worker; each is cleared once the chunk is done', async () => {
    const file = path.join(stage.folder, 'told')
    const line =
      '$SLUICE_ALERT_CAUSE $SLUICE_ALERT_STATE run=$SLUICE_ALERT_RUN host=$SLUICE_ALERT_HOST table=$SLUICE_ALERT_TABLE: $SLUICE_ALERT_VALUE'
    const alert = ['--alert', 'stuck>9s,failed', '--alert-command', `echo "$(date +%s%3N) ${line}" >> ${file}`]
    const run = await stage.distribute(
      ...COPY,
      '--checkpoint-size',
      '1000',
      '--workers',
      '1',
      '--rate',
      '400',
      '--tasks',
      '2',
      ...alert,
    )
    const dead = stage.worker({ host: 'dead' })
    const other = stage.worker({ host: 'other' })
    await stage.until('both at work', () => [dead, other].every(({ slots }) => slots.includes('begun')))
    const open = `SELECT count(*)::int AS n FROM sluice_queue.sluice_run_slots WHERE open_chunks <> '[]'`
    await stage.until(
      'open chunks',
      async () => (await stage.ask<{ n: number }>(stage.queue, 'queue', open))[0]?.n === 2,
    )
    const from = Date.now()
    dead.signal('SIGKILL')
    const reported = (): readonly string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])
    const one = (what: string): string | undefined => reported().find((text) => text.includes(what))
    const msOf = (text = ''): number => Number(text.split(' ')[0]) - from
    await stage.until('a chunk that stands', () => one('stuck raised') !== undefined)
    expect(one('stuck raised')).toMatch(
      new RegExp(`run=${run} host=dead table=public.orders: chunk \\d+ makes no progress for \\d+\\.\\d s`),
    )
    expect(msOf(one('stuck raised'))).toBeLessThan(24_000)
    const spare = stage.worker({ host: 'spare' })
    await stage.until('the slot is worked on again', () => spare.slots.includes('begun'))
    expect(Date.now() - from).toBeLessThan(TAKEN_OVER_MS)
    await stage.until('the loss is over', () => one('worker-lost cleared') !== undefined)
    expect(one('worker-lost raised')).toMatch(
      new RegExp(
        `run=${run} host=dead table=: dead sent no heartbeat for 3\\d\\.\\d s, and task \\d waits for another worker; it worked on chunk \\d+ of public\\.orders`,
      ),
    )
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running', 150_000)
    await stage.until('nothing stands', () => one('stuck cleared') !== undefined)
    expect(
      reported()
        .map((text) => text.split(' ').slice(1, 3).join(' '))
        .toSorted(),
    ).toEqual(['stuck cleared', 'stuck raised', 'worker-lost cleared', 'worker-lost raised'])
    expect(await stage.ask(stage.queue, 'queue', 'SELECT * FROM sluice_queue.sluice_alerts')).toEqual([])
  })
})
