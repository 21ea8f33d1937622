/** A database that `sluice cutover` has moved the writers of: it stays while they may come back, and when they have; it goes once the way back is given up. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { perform } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { SQL, twoCutover, twoStage } from '../support/two-stage.ts'
import { findings, retire, steps } from './decommission-database-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

test.skipIf(!POSTGRES_OWN)(
  `stays for the way back, and while users are back, and goes when that is given up${POSTGRES_MISSING}`,
  { timeout: 120_000 },
  async () => {
    const stage = await twoStage(server, 100)
    const { source: old, target: to } = stage
    const name = new URL(old.url).pathname.slice(1)
    for (const revert of [false, true, false]) {
      const { finished } = await perform(twoCutover(stage, { revert }))
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
      const kept = await perform(retire({ old, to }))
      expect(kept.finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
      const back = findings(kept.events, 'switch').filter(({ detail }) => detail.includes('brought its users'))
      expect(back).toHaveLength(revert ? 1 : 0)
    }
    const [[reverse] = []] = await old.rows(`SELECT stream_id FROM migration_streams WHERE status = 'active'`)
    const ended = await perform({
      kind: 'follow',
      stream: reverse ?? '',
      from: to.url,
      to: old.url,
      end: true,
      untilCaughtUp: false,
      untilEqual: false,
    })
    expect(ended.finished.error).toBeUndefined()
    const first = await perform(retire({ old, to }))
    expect(
      first.finished,
      JSON.stringify(findings(first.events).filter(({ verdict }) => verdict === 'refused')),
    ).toMatchObject({ exitCode: 0 })
    expect(steps(first.events)).toEqual(['inactive done'])
    const dropped = await perform(retire({ old, to }, { graceMs: 0, confirm: name }))
    expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
    expect(await to.rows(`SELECT count(*) FROM ${SQL}`)).toEqual([['100']])
    await to.sql(`INSERT INTO ${SQL} (created_at) VALUES ('2025-02-02')`)
  },
)
