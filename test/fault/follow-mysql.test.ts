/** A copy that follows its source into MySQL: killed at any step, cut off and run again while the source is written to, it ends equal. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { expectSameRows } from '../support/follow-projection.ts'
import { leftAtSource, startFollowServer, writerStage, type Stage } from '../support/follow-stage.ts'
import { startWriter } from '../support/follow-writer.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

const WHEN = ['before', 'during', 'after'] as const
const absent = POSTGRES_OWN ? await missing('mysql') : 'needs a PostgreSQL server of its own'

let server: PostgresServer

beforeAll(async () => {
  if (absent === '') server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const writing = { keys: 600, pauseMs: 2, numbersOnly: true }
const stage = async (): Promise<Stage> => writerStage(server, 600, await makePlace('mysql', ''))

describe.skipIf(absent !== '')(`a copy followed into MySQL ${absent}`, () => {
  test('is killed again and again while its source is written to', { timeout: 300_000 }, async () => {
    const one = await stage()
    const writer = startWriter(one.source.url, { ...writing, seed: 3, truncates: true })
    const steps = ALL ? Array.from({ length: 40 }, (_, i) => 1 + ((i * 7) % 90)) : [70, 40]
    let killed = 0
    for (const [i, step] of steps.entries()) {
      const child = startCopy({ ...one.copy, follow: { until: 'equal' } }, { step, when: WHEN[i % 3] ?? 'before' })
      if ((await child.ended).signal !== null) killed++
    }
    expect(killed).toBeGreaterThan(0)
    await writer.stop()
    const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    expect(finished.notChecked).toMatch(/every row was found equal/)
    await expectSameRows(one)
    expect(await leftAtSource(one)).toHaveLength(2)
  })
})
