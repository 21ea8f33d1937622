/** Alerts of shared runs: a run that comes again on another host tells each of them once, because the queue knows which stand. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openQueue } from '../../src/engine/distributed/queues.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { makeOrders, WorkerStage } from '../support/worker-stage.ts'

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

  /** A comparison on a host that has done none before; it remembers nothing by itself. */
  async function comparedOn(host: string): Promise<{ status: string; told: readonly string[] }> {
    const file = path.join(stage.folder, 'told')
    const command = `echo "$SLUICE_ALERT_CAUSE $SLUICE_ALERT_STATE" >> ${file}`
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
    const worker = stage.worker({ host })
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    const { status } = await stage.run(run)
    worker.signal('SIGTERM')
    await worker.ended
    return { status, told: existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [] }
  }

  test('one that stands is told by the first host alone, and its end by whichever finds it', async () => {
    expect(await comparedOn('first')).toEqual({ status: 'failed', told: ['failed raised'] })
    expect(await comparedOn('second')).toEqual({ status: 'failed', told: ['failed raised'] })
    await stage.ask(
      stage.data,
      'target',
      `INSERT INTO orders SELECT g, md5(g::text), g * 1.5 FROM generate_series(1, 100) g`,
    )
    expect(await comparedOn('third')).toEqual({ status: 'ok', told: ['failed raised', 'failed cleared'] })
    expect(await stage.ask(stage.queue, 'queue', 'SELECT * FROM sluice_queue.sluice_alerts')).toEqual([])
  })

  test('of two that find the same at once one is told that it is new, and one that it is over', async () => {
    await using queue = await openQueue(stage.urlOf(stage.queue, 'queue'), 'work')
    const key = { scope: 'x'.repeat(10_000), cause: 'drift', table: 'a' } as const
    const begun = await Promise.all(Array.from({ length: 8 }, () => queue.alerts.begin(key)))
    expect(begun.map(({ is }) => is).toSorted()).toEqual(['new', ...Array.from({ length: 7 }, () => 'stands')])
    expect(new Set(begun.map(({ since }) => since)).size).toBe(1)
    const ended = await Promise.all(Array.from({ length: 8 }, () => queue.alerts.end(key)))
    expect(ended.filter(({ is }) => is === 'cleared')).toHaveLength(1)
    expect(await queue.alerts.end(key)).toEqual({ is: 'none' })
  })
})
