/**
 * A run that follows is slowed by a rate, paused and resumed: transactions stay whole, and the reported lag is true.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SteeringRequest } from '../../src/engine/run/operation.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { perform } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

let server: PostgresServer
let stage: Stage

beforeAll(async () => {
  if (!POSTGRES_OWN) return
  server = await startFollowServer()
  const tables = ['CREATE TABLE t (id int PRIMARY KEY, v text)', "INSERT INTO t VALUES (0, 'x')"]
  stage = await stageOf(server, [...tables, 'CREATE TABLE other (id int PRIMARY KEY)'], ['t', 'other'])
  await caughtUp(stage)
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const RATE = 40

describe.skipIf(!POSTGRES_OWN)(`a run that follows ${POSTGRES_MISSING}`, () => {
  test('is slowed, paused and resumed', async () => {
    const interrupt = new Interrupter()
    const events: Event[] = []
    let options: (one: SteeringRequest) => void = () => undefined
    const running = perform(
      { ...stage.copy, follow: { alert: { conditions: [{ cause: 'stalled', limit: 1500 }] } } },
      {
        interrupt,
        onEvent: (event) => void events.push(event),
        control: { paused: false, lanes: null, onRequest: (listener) => void (options = listener) },
      },
    )
    const until = async (fits: (event: Event) => boolean): Promise<Event> => {
      const from = events.length
      for (;;) {
        const found = events.slice(from).find(fits)
        if (found !== undefined) return found
        await sleep(20)
      }
    }
    const rows = async (): Promise<number> => Number((await stage.target.rows('SELECT count(*) FROM t'))[0]?.[0])
    await until(({ type }) => type === 'follow.progress')

    options({ act: 'rate', rate: RATE })
    const begun = performance.now()
    const singles = Array.from({ length: 120 }, (_, i) => `INSERT INTO t VALUES (${i + 1}, 'single')`)
    await stage.source.sql(...singles)
    const behind = await until((event) => event.type === 'follow.progress' && event.lagMs > 0)
    expect(behind).toMatchObject({ lagMs: expect.any(Number) as number })
    expect(await rows()).toBeLessThan(121)
    while ((await rows()) < 121) await sleep(20)
    // The amount that one second allows is applied at once.
    expect(performance.now() - begun).toBeGreaterThan(((120 - RATE) / RATE) * 1000 - 200)

    await stage.source.sql(
      "INSERT INTO t SELECT i, 'whole' FROM generate_series(1001, 1000 + 100) i",
      'DELETE FROM t WHERE id = 1',
    )
    const seen = new Set<number>()
    for (let now = 0; now !== 220; await sleep(20)) seen.add((now = await rows()))
    expect([...seen].every((one) => [121, 220, 221].includes(one))).toBe(true)

    options({ act: 'rate', rate: null })
    options({ act: 'hold', held: true })
    await stage.source.sql("INSERT INTO t VALUES (5000, 'held')")
    const held = await until((event) => event.type === 'follow.progress' && event.lagMs > 1500)
    expect(held).toMatchObject({ type: 'follow.progress' })
    expect(await rows()).toBe(220)
    options({ act: 'hold', held: false })
    while ((await rows()) < 221) await sleep(20)

    options({ act: 'workers', workers: 4 })
    expect(events.at(-1)).toMatchObject({
      type: 'log',
      level: 'warn',
      message: 'a run that replicates changes has no copy workers',
    })
    options({ act: 'lanes', lanes: 17 })
    expect(events.at(-1)).toMatchObject({ type: 'log', level: 'warn', message: 'lanes must be 1 to 16, not 17' })
    options({ act: 'lanes', lanes: 2 })
    expect(events.at(-1)).toMatchObject({ type: 'run.steered', lanes: 2 })
    await stage.source.sql("BEGIN; INSERT INTO t VALUES (6000, 'lanes'); INSERT INTO other VALUES (1); COMMIT")
    while ((await rows()) < 222) await sleep(20)
    while (Number((await stage.target.rows('SELECT count(*) FROM migration_stream_lanes'))[0]?.[0]) < 2) await sleep(20)
    await stage.source.sql("BEGIN; INSERT INTO t VALUES (6001, 'lanes'); INSERT INTO other VALUES (2); COMMIT")
    while ((await rows()) < 223) await sleep(20)
    interrupt.requestStop()
    expect((await running).finished).toMatchObject({ exitCode: 75 })
    expect(events.filter(({ type }) => type === 'alert')).toEqual([])
    await expectEqual(stage)
  })

  test('raises its alerts while it still copies, and clears them', async () => {
    const seeded = ['CREATE TABLE t (id int PRIMARY KEY, v text)']
    const big = await stageOf(
      server,
      [...seeded, "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 6000) i"],
      ['t'],
      200,
    )
    await using proxy = await startProxy(server.port)
    const [interrupt, events]: [Interrupter, Event[]] = [new Interrupter(), []]
    let options: (one: SteeringRequest) => void = () => undefined
    const conditions = [{ cause: 'wal', limit: 20 * 1024 * 1024 }, { cause: 'error' }] as const
    const running = perform(
      {
        ...big.copy,
        to: big.copy.to.replace(`:${server.port}`, `:${proxy.port}`),
        rate: 300,
        follow: { alert: { conditions: [...conditions] } },
      },
      {
        interrupt,
        onEvent: (event) => void events.push(event),
        control: { paused: false, lanes: null, onRequest: (listener) => void (options = listener) },
      },
    )
    const alerts = (): readonly string[] =>
      events.flatMap((event) => (event.type === 'alert' ? `${event.cause} ${event.state}` : []))
    const until = async (fits: () => boolean): Promise<void> => {
      while (!fits() && events.at(-1)?.type !== 'run.finished') await sleep(20)
    }
    const isCopying = (): boolean => !events.some(({ type }) => type === 'follow.progress')

    await until(() => events.some(({ type }) => type === 'chunk.progress'))
    await big.source.sql(
      'CREATE TABLE noise (v text)',
      'INSERT INTO noise SELECT repeat(md5(i::text), 30) FROM generate_series(1, 26000) i',
    )
    await until(() => alerts().includes('wal raised'))
    expect([alerts(), isCopying()]).toEqual([['wal raised'], true])
    proxy.redirect(1)
    proxy.cut()
    await until(() => alerts().includes('error raised'))
    expect(isCopying()).toBe(true)
    proxy.redirect(server.port)
    await until(() => alerts().includes('error cleared'))
    expect(isCopying()).toBe(true)
    options({ act: 'rate', rate: null })
    await until(() => alerts().includes('wal cleared'))
    // Each worker may find its own connection lost, one after the other.
    expect([...new Set(alerts())]).toEqual(['wal raised', 'error raised', 'error cleared', 'wal cleared'])
    expect(alerts().findLast((one) => one.startsWith('error'))).toBe('error cleared')
    interrupt.requestStop()
    expect((await running).finished).toMatchObject({ exitCode: 75 })
    await expectEqual(big)
  }, 60_000)

  test('is ended by an alert while it still copies, and a later run resumes it', async () => {
    const seeded = ['CREATE TABLE t (id int PRIMARY KEY)', 'INSERT INTO t SELECT generate_series(1, 4000)']
    const one = await stageOf(server, seeded, ['t'], 200)
    const folder = mkdtempSync(join(tmpdir(), 'sluice-alert-'))
    const command = `printf '%s' "$SLUICE_ALERT_CAUSE of $SLUICE_ALERT_TABLE" > ${join(folder, 'heard')}`
    const alert = { conditions: [{ cause: 'wal', limit: 1024 }], exit: true, command } as const
    const { finished, events } = await perform({ ...one.copy, rate: 200, follow: { alert } })
    expect(readFileSync(join(folder, 'heard'), 'utf8')).toBe(`wal of ${one.copy.tables.join(',')}`)
    rmSync(folder, { recursive: true })
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'ALERTED' } })
    expect(events.filter(({ type }) => type === 'follow.progress')).toEqual([])
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
    await expectEqual(one)
  }, 60_000)
})
