/** A copy that is begun anew by workers: one of them is lost in the middle, and another one brings it to its end; rows of before are written over, and nothing is there twice. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { makeOrders, WorkerStage } from '../support/worker-stage.ts'

const COPY = ['copy', '--from', 'shop', '--to', 'cold', '--checkpoint-size', '100', '--workers', '1'] as const

describe.skipIf(!POSTGRES_OWN)(`a copy that workers begin anew ${POSTGRES_MISSING}`, { timeout: 180_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open()
    await makeOrders(stage, 20_000)
    await stage.ask(
      stage.data,
      'source',
      'CREATE TABLE lines AS SELECT * FROM orders; ALTER TABLE lines ADD PRIMARY KEY (id)',
    )
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  test('ends equal where the one that has begun it is killed', async () => {
    const words = [...COPY, '--tables', 'orders,lines']
    expect((await stage.sluice(...words)).code).toBe(0)
    await stage.ask(stage.data, 'target', `UPDATE orders SET note = 'stale'; DELETE FROM lines WHERE id % 3 = 0`)
    const run = await stage.distribute(...words, '--restart', '--on-existing', 'upsert', '--rate', '1000')
    const workers = [stage.worker(), stage.worker()]
    await stage.until('both at work', () => workers.every(({ slots }) => slots.includes('begun')))
    await stage.until('some chunks of it', async () => {
      const done = await stage.chunksDone()
      return done > 10 && done < 300
    })
    workers[0]?.signal('SIGKILL')
    await stage.sluice('ctl', run, 'rate', 'off', '--distributed')
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.run(run)).toMatchObject({ status: 'ok', exitCode: 0 })
    // A number without a scale of its own is written by its value here: 3.0 comes as 3.
    const sumOf = (table: string, columns: string): string =>
      `SELECT count(*) || ' ' || md5(string_agg(${columns}, ',' ORDER BY id)) AS sum FROM ${table}`
    for (const sql of [sumOf('orders', 'id || note || amount::float8'), sumOf('lines', 'id || note || amount::float8')])
      expect(await stage.ask(stage.data, 'target', sql)).toEqual(await stage.ask(stage.data, 'source', sql))
  })
})
