/** A followed table takes over the public name while everybody writes by it, goes back, and forward again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { perform } from '../support/copy-systems.ts'
import {
  cutoverStage,
  PARKED,
  PUBLIC,
  startBooker,
  switched,
  turnOf,
  TWIN,
  type Booker,
  type CutoverStage,
} from '../support/cutover-stage.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

async function more(booker: Booker, transactions: number): Promise<void> {
  const seen = booker.committed()
  while (booker.committed() < seen + transactions) await sleep(10)
}

async function kindOf({ place }: CutoverStage, name: string): Promise<string | null | undefined> {
  const rows = await place.rows(`SELECT relkind FROM pg_class WHERE relname = '${name.replaceAll("'", "''")}'`)
  return rows[0]?.[0]
}

async function rowsOf({ place }: CutoverStage, name: string): Promise<readonly (string | null)[]> {
  return (await place.rows(`SELECT t::text FROM "${name.replaceAll('"', '""')}" t ORDER BY 1`)).map(
    ([row]) => row ?? null,
  )
}

describe.skipIf(!POSTGRES_OWN)(`a switch ${POSTGRES_MISSING}`, () => {
  test('forward, back and forward again, while everybody writes by the public name', { timeout: 180_000 }, async () => {
    const stage = await cutoverStage(server, 2000)
    const booker = startBooker(stage.place.url, 3)
    const forward = await switched(stage)
    if (forward.finished.error !== undefined)
      console.log(
        JSON.stringify(
          forward.events.filter((e) => e.type.startsWith('cutover')),
          null,
          1,
        ),
      )
    expect(forward.finished.error, JSON.stringify(forward.finished)).toBeUndefined()
    expect(forward.finished).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
    expect([await kindOf(stage, PUBLIC), await kindOf(stage, PARKED), await kindOf(stage, TWIN)]).toEqual([
      'p',
      'r',
      undefined,
    ])
    await more(booker, 100)
    const back = await perform(turnOf(stage, true))
    expect(back.finished, JSON.stringify(back.finished)).toMatchObject({ exitCode: 0 })
    expect([await kindOf(stage, PUBLIC), await kindOf(stage, PARKED), await kindOf(stage, TWIN)]).toEqual([
      'r',
      undefined,
      'p',
    ])
    await more(booker, 100)
    const again = await perform(turnOf(stage, false))
    expect(again.finished, JSON.stringify(again.finished)).toMatchObject({ exitCode: 0 })
    expect([await kindOf(stage, PUBLIC), await kindOf(stage, PARKED), await kindOf(stage, TWIN)]).toEqual([
      'p',
      'r',
      undefined,
    ])
    await booker.stop()
    expect(booker.longestMs()).toBeLessThan(4000)
    const last = await perform({
      kind: 'follow',
      stream: stage.stream,
      to: stage.place.url,
      end: false,
      untilCaughtUp: true,
      untilEqual: false,
    }).catch(() => null)
    void last
  })
})
void rowsOf
