/** The rights that docs/WORKERS.md gives in a queue's database, given to real roles: who works can, and who looks can do no more than that. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { makeOrders, WorkerStage } from '../support/worker-stage.ts'

const ROLES = ['queue_owner', 'queue_worker', 'queue_reader'] as const
const SECRET = 'login'

/** The statements of the page, as it prints them. */
function grantsOfPage(): string {
  const page = readFileSync(path.join(import.meta.dirname, '../../docs/WORKERS.md'), 'utf8')
  const [, block = ''] = /## Rights in the queue's database[^]*?```sql\n([^]*?)```/.exec(page) ?? []
  return block
}

describe.skipIf(!POSTGRES_OWN)(`rights in the database of a queue ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let stage: WorkerStage
  const as = (role: (typeof ROLES)[number]): string =>
    stage.urlOf(stage.queue, 'queue').replace(/\/\/[^@]*@/, `//${role}:${SECRET}@`)
  beforeAll(async () => {
    stage = await WorkerStage.open()
    await makeOrders(stage, 2000)
    for (const role of ROLES) await stage.ask(stage.queue, 'queue', `CREATE ROLE ${role} LOGIN PASSWORD '${SECRET}'`)
    await stage.ask(stage.queue, 'queue', 'GRANT CREATE ON DATABASE queue TO queue_owner')
  }, 120_000)
  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
  })

  test('who works needs to be one with who made it, and who looks changes nothing', async () => {
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'orders', '--slots', '1'] as const
    const run = await stage.distribute(...copy, '--connect', as('queue_owner'))
    const early = await stage.sluice('runs', '--distributed', '--connect', as('queue_reader'))
    expect(early.code).toBe(4)
    await stage.ask(stage.queue, 'queue', grantsOfPage())
    const looks = [
      ['runs', '--distributed'],
      ['runs', '--distributed', '--run', run],
      ['workers'],
      ['schedule', 'list'],
    ] as const
    for (const words of looks) {
      const { code, err } = await stage.sluice(...words, '--connect', as('queue_reader'))
      expect([words, code], err).toEqual([words, 0])
    }
    const changes = [
      ['ctl', run, 'stop', '--distributed'],
      [...copy, '--distributed'],
    ] as const
    for (const words of changes) {
      const { code, err } = await stage.sluice(...words, '--connect', as('queue_reader'))
      expect([words, code], err).toEqual([words, 4])
    }
    expect(await stage.run(run)).toMatchObject({ status: 'running', wishes: {} })
    const worker = stage.worker({ args: ['--idle', '3s'], stores: { queue: as('queue_worker') } })
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    expect(await worker.ended).toBe(0)
    const resumed = await stage.sluice('ctl', run, 'resume', '--distributed', '--connect', as('queue_worker'))
    expect([resumed.code, resumed.err]).toEqual([2, expect.stringContaining('has ended: ok')])
    const next = await stage.distribute(...copy, '--connect', as('queue_worker'))
    expect((await stage.sluice('ctl', next, 'stop', '--distributed', '--connect', as('queue_worker'))).code).toBe(0)
    expect(await stage.run(next)).toMatchObject({ status: 'stopped' })
  })
})
