/**
 * A database whose users `sluice cutover` has moved away. `partition decommission` keeps it while a reverse stream
 * could bring them back. Once that stream has ended, it drops the database that the users have left.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { perform, type Place } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { SQL, TABLE, twoCutover, twoStage, type TwoStage } from '../support/two-stage.ts'
import { findings, retire, steps } from './decommission-database-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

/** Performs so many cutovers, the first one forward; while a reverse stream exists, the old database must stay. */
async function turned(stage: TwoStage, turns: number): Promise<void> {
  const { source: old, target: to } = stage
  for (let turn = 1; turn <= turns; turn += 1) {
    const revert = turn % 2 === 0
    const { finished } = await perform(twoCutover(stage, { revert }))
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
    const kept = await perform(retire({ old, to }))
    expect(kept.finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
    if (turn === 1)
      expect(findings(kept.events, 'stream').map(({ hint }) => hint)).toEqual([
        expect.stringMatching(/^sluice follow \d+ --end --from (\S+) --to (\S+) ends it: cutover --revert/),
      ])
    const back = findings(kept.events, 'switch').filter(({ detail }) => detail.includes('moved its users'))
    expect(back).toHaveLength(revert ? 1 : 0)
  }
}

async function endWayBack(open: Place, closed: Place): Promise<void> {
  const [[reverse] = []] = await closed.rows(`SELECT stream_id FROM migration_streams WHERE status = 'active'`)
  const { finished } = await perform({
    kind: 'follow',
    stream: reverse ?? '',
    from: open.url,
    to: closed.url,
    end: true,
    untilCaughtUp: false,
    untilEqual: false,
  })
  expect(finished.error).toBeUndefined()
}

test.skipIf(!POSTGRES_OWN)(
  `the old database stays while the reverse stream exists, and can be dropped after it has ended${POSTGRES_MISSING}`,
  { timeout: 120_000 },
  async () => {
    const stage = await twoStage(server, 100)
    const { source: old, target: to } = stage
    const name = new URL(old.url).pathname.slice(1)
    await turned(stage, 1)
    await endWayBack(to, old)
    await to.sql(`TRUNCATE ${SQL}`)
    const emptied = await perform(retire({ old, to }))
    expect(findings(emptied.events, 'table')).toMatchObject([
      { verdict: 'refused', detail: expect.stringContaining('holds 0 now, and this database 100') as string },
    ])
    await to.sql(
      `INSERT INTO ${SQL} (created_at) SELECT timestamptz '2025-01-01 00:00+00' + i * interval '3 hours' FROM generate_series(1, 100) i`,
    )
    const first = await perform(retire({ old, to }))
    expect(findings(first.events, 'table')).toMatchObject([
      { verdict: 'fine', detail: expect.stringMatching(/cutover 1.*100 rows were equal/) as string },
    ])
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

test.skipIf(!POSTGRES_OWN)(
  `the new database can be dropped when its users have gone back for good${POSTGRES_MISSING}`,
  { timeout: 120_000 },
  async () => {
    const stage = await twoStage(server, 100)
    const { source: open, target: closed } = stage
    const name = new URL(closed.url).pathname.slice(1)
    await turned(stage, 2)
    await endWayBack(open, closed)
    const wrong = await perform(retire({ old: open, to: closed }))
    expect(findings(wrong.events, 'switch')).toMatchObject([
      { verdict: 'refused', hint: expect.stringContaining('no stream reads from this database any more') as string },
    ])
    // Rows that users have deleted since do not block the drop, but they are reported.
    await open.sql(`DELETE FROM ${SQL} WHERE id <= 3`)
    const first = await perform(retire({ old: closed, to: open }))
    expect(findings(first.events, 'table'), JSON.stringify(first.finished)).toMatchObject([
      {
        verdict: 'look',
        object: `public.${TABLE}`,
        detail: expect.stringMatching(/cutover 2.*100 rows were equal.*holds 97 now, and this database 100/) as string,
      },
    ])
    expect(steps(first.events)).toEqual(['inactive done'])
    const dropped = await perform(retire({ old: closed, to: open }, { graceMs: 0, confirm: name }))
    expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
    expect(await open.rows(`SELECT count(*) FROM ${SQL}`)).toEqual([['97']])
  },
)
