/**
 * A worker that is drained from another host takes nothing new, gives back its tasks, and ends; others continue them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { compared, makeOrders, WorkerStage } from '../support/worker-stage.ts'

describe.skipIf(!POSTGRES_OWN)(`a worker that is drained ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open()
    await makeOrders(stage, 20_000)
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  test('ends well, and another one continues', async () => {
    const copy = [
      'copy',
      '--from',
      'shop',
      '--to',
      'cold',
      '--table',
      'orders',
      '--checkpoint-size',
      '100',
      '--workers',
      '1',
    ]
    const run = await stage.distribute(...copy, '--tasks', '2', '--rate', '500')
    const gone = stage.worker({ host: 'gone' })
    const stays = stage.worker({ host: 'stays' })
    await stage.until('both at work', () => [gone, stays].every(({ slots }) => slots.includes('begun')))
    const refused = await stage.sluice('workers', '--drain', 'nobody')
    expect(refused.code).not.toBe(0)
    expect(refused.err).toContain('no live worker of the queue has the host or the id nobody')
    const { code, events } = await stage.sluice('workers', '--drain', 'gone')
    expect(code).toBe(0)
    const states = events.flatMap((event) => (event.type === 'worker' ? [[event.host, event.state]] : []))
    expect(Object.fromEntries(states)).toEqual({ gone: 'draining', stays: 'lives' })
    expect(await gone.ended).toBe(0)
    expect(gone.slots.at(-1)).toBe('queued')
    expect(gone.said).toContain('this worker was asked to end')
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
    const { source, target } = await compared(stage)
    expect(target).toBe(source)
    // A worker that is started there again takes the next task.
    const again = stage.worker({ host: 'gone' })
    await stage.until('it lives', async () => {
      const listed = await stage.sluice('workers')
      return listed.events.some((event) => event.type === 'worker' && event.host === 'gone' && event.state === 'lives')
    })
    again.signal('SIGTERM')
    expect(await again.ended).toBe(0)
  })
})
