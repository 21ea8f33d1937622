/**
 * Frozen servers whose connections stay open: progress reports of a stream do not wait for them, and neither does its
 * end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { perform, placeOn } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, startFollowServer, writerStage, type Stage } from '../support/follow-stage.ts'
import { startWriter, type Writer } from '../support/follow-writer.ts'
import { PASSWORD, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { of } from './copy-kit.ts'

let source: PostgresServer
let target: PostgresServer
let stage: Stage
let writer: Writer | null = null

beforeAll(async () => {
  if (!POSTGRES_OWN) return
  source = await startFollowServer([], undefined, 'frozen')
  target = await startPostgres()
})

/** A new stream for each test: a stream that was dropped while its ledger was frozen keeps its lease. */
beforeEach(async () => {
  if (!POSTGRES_OWN) return
  stage = await writerStage(source, 300, await placeOn('postgresql', target.url()))
  await caughtUp(stage)
})

afterEach(async () => {
  source?.thaw()
  target?.thaw()
  await writer?.stop()
  writer = null
})

afterAll(async () => {
  await source?.[Symbol.asyncDispose]()
  await target?.[Symbol.asyncDispose]()
})

const ALERT = {
  conditions: [
    { cause: 'lag', limit: 3000 },
    { cause: 'stalled', limit: 3000 },
  ],
} as const

function following() {
  const events: Event[] = []
  const interrupt = new Interrupter()
  const running = perform(
    { ...stage.copy, follow: { alert: ALERT } },
    { interrupt, onEvent: (event) => void events.push(event) },
  )
  const alerts = (): readonly string[] => of(events, 'alert').map(({ cause, state }) => `${cause} ${state}`)
  const notes = (words: RegExp): readonly string[] =>
    of(events, 'log').flatMap(({ message }) => (words.test(message) ? message : []))
  return { events, interrupt, running, alerts, notes, lags: () => of(events, 'follow.progress') }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(20)
}

const SIDES = ['target', 'source'] as const

test.skipIf(!POSTGRES_OWN)(
  'while changes wait for a lock of the target, the alerts lag and stalled are raised',
  { timeout: 60_000 },
  async () => {
    const { interrupt, running, alerts, lags } = following()
    await until(() => lags().some(({ lagMs }) => lagMs < 2000))
    const holder = new pg.Client({ connectionString: stage.target.url })
    await holder.connect()
    await holder.query(`BEGIN; LOCK TABLE ${stage.names.join(', ')} IN ACCESS EXCLUSIVE MODE`)
    const locked = performance.now()
    await stage.source.sql(
      stage.names.map((name) => `DELETE FROM ${name} WHERE ctid IN (SELECT ctid FROM ${name} LIMIT 1)`).join('; '),
    )
    await until(
      () =>
        (alerts().includes('lag raised') && alerts().includes('stalled raised')) || performance.now() - locked > 20_000,
    )
    expect(alerts()).toEqual(expect.arrayContaining(['lag raised', 'stalled raised']))
    await holder.query('ROLLBACK')
    await holder.end()
    await until(() => alerts().includes('lag cleared') && alerts().includes('stalled cleared'))
    interrupt.requestStop()
    expect((await running).finished).toMatchObject({ status: 'stopped' })
    await caughtUp(stage)
    await expectEqual(stage)
  },
)

describe.skipIf(!POSTGRES_OWN)('a frozen server', { timeout: 90_000 }, () => {
  test.each(SIDES)('is reported while it is frozen: the %s', async (side) => {
    const server = side === 'target' ? target : source
    writer = startWriter(stage.source.url, { seed: 5, keys: 300, pauseMs: 2 })
    const { interrupt, running, alerts, notes, lags } = following()
    await until(() => lags().some(({ lagMs }) => lagMs < 2000))
    server.freeze()
    const before = lags().length
    await until(() => alerts().includes('lag raised') && alerts().includes('stalled raised'))
    const silent = new RegExp(`^the ${side} has not answered for`)
    await until(() => notes(silent).length > 0)
    await until(() => lags().length >= before + 8)
    const reported = lags().slice(-3)
    expect(reported.map(({ lagMs }) => lagMs)).toEqual(reported.map(({ lagMs }) => lagMs).toSorted((a, b) => a - b))
    expect(reported.at(-1)?.lagMs).toBeGreaterThan(3000)
    expect(notes(silent)).toHaveLength(1)
    expect(notes(silent)[0]).toContain(`127.0.0.1:${server.port}`)
    expect(notes(silent)[0]).not.toContain(PASSWORD)
    server.thaw()
    await until(() => alerts().includes('lag cleared') && alerts().includes('stalled cleared'))
    expect(notes(new RegExp(`^the ${side} answers again`))).toHaveLength(1)
    interrupt.requestStop()
    expect((await running).finished).toMatchObject({ status: 'stopped' })
    await writer.stop()
    await caughtUp(stage)
    await expectEqual(stage)
  })

  test.each(SIDES)('does not prevent a run from ending: the %s', async (side) => {
    const server = side === 'target' ? target : source
    writer = startWriter(stage.source.url, { seed: 6, keys: 300, pauseMs: 2 })
    const { interrupt, running, notes, lags } = following()
    await until(() => lags().some(({ lagMs }) => lagMs < 2000))
    server.freeze()
    const before = lags().length
    await until(() => lags().length >= before + 3)
    interrupt.requestStop()
    await until(() => notes(new RegExp(`^the stop waits for the ${side}`)).length > 0)
    const from = performance.now()
    interrupt.requestAbort()
    expect((await running).finished).toMatchObject({ status: 'stopped' })
    // After ten seconds the program would be killed without its last log lines.
    expect(performance.now() - from).toBeLessThan(8000)
  })
})
