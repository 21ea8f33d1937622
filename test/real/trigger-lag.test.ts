/**
 * A paused run with triggers reports how long entries of its change log have waited, although it does not read them
 * then.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SteeringRequest } from '../../src/engine/run/operation.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { FollowProgressEvent } from '../../src/model/follow/events.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { perform } from '../support/copy-systems.ts'
import type { Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { triggerStage } from '../support/trigger-stage.ts'

let server: PostgresServer
let stage: Stage

beforeAll(async () => {
  if (!POSTGRES_OWN) return
  server = await startPostgres()
  stage = await triggerStage(
    server,
    ['CREATE TABLE t (id int PRIMARY KEY, v text)', "INSERT INTO t VALUES (0, 'x')"],
    ['t'],
  )
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

describe.skipIf(!POSTGRES_OWN)(`a paused run with triggers ${POSTGRES_MISSING}`, () => {
  test('reports a growing lag, and none after it is resumed', async () => {
    const interrupt = new Interrupter()
    const seen: FollowProgressEvent[] = []
    let options: (one: SteeringRequest) => void = () => undefined
    const running = perform(
      { ...stage.copy, follow: { cdc: 'trigger' } },
      {
        interrupt,
        onEvent: (event: Event) => {
          if (event.type === 'follow.progress') seen.push(event)
        },
        control: { paused: false, lanes: null, onRequest: (listener) => void (options = listener) },
      },
    )
    const until = async (fits: (event: FollowProgressEvent) => boolean): Promise<FollowProgressEvent> => {
      for (let from = seen.length; ; from = Math.max(from, seen.length - 1)) {
        const found = seen.slice(from).find(fits)
        if (found !== undefined) return found
        await sleep(20)
      }
    }
    await until(({ tables }) => tables.live === '1')
    options({ act: 'hold', held: true })
    await stage.source.sql("INSERT INTO t VALUES (1, 'held')")
    const first = await until(({ lagMs }) => lagMs > 0)
    const later = await until(({ lagMs }) => lagMs > first.lagMs + 1500)
    expect(later).toMatchObject({ lagIs: 'at most', position: first.position })
    expect(Number(later.lagBytes)).toBeGreaterThan(0)
    options({ act: 'hold', held: false })
    await until(({ lagMs, changes }) => lagMs === 0 && changes === '1')
    interrupt.requestStop()
    expect((await running).finished).toMatchObject({ exitCode: 75 })
  })
})
