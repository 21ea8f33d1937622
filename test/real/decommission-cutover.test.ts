/**
 * The old table of a cutover is kept while its reverse stream exists, and can be dropped after that has ended. A
 * partitioned table is never decommissioned.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import type { PartitionDecommissionOperation } from '../../src/partition/operations/partition-decommission/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { perform } from '../support/copy-systems.ts'
import { cutoverStage, PARKED, PUBLIC, switched, turnOf, type CutoverStage } from '../support/cutover-stage.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const retire = (
  { place }: Pick<CutoverStage, 'place'>,
  more: Partial<PartitionDecommissionOperation> = {},
): Operation => ({
  kind: 'partition-decommission',
  from: place.url,
  table: PUBLIC,
  graceMs: 0,
  inactive: false,
  undo: false,
  patienceMs: 100,
  budgetMs: 10_000,
  dryRun: false,
  ...more,
})

const steps = (events: readonly Event[]): readonly string[] =>
  events.filter((event) => event.type === 'decommission.step').map(({ step, status }) => `${step} ${status}`)

test.skipIf(!POSTGRES_OWN)(
  `the old table is kept while the reverse stream exists, and dropped after it has ended${POSTGRES_MISSING}`,
  { timeout: 120_000 },
  async () => {
    const stage = await cutoverStage(server, 200)
    const forward = await switched(stage)
    expect(forward.finished.error).toBeUndefined()
    const wanted = await perform(retire(stage))
    expect(wanted.finished.error?.code).toBe('TABLE_FOLLOWED')
    const [[reverse] = []] = await stage.place.rows(`SELECT stream_id FROM migration_streams WHERE status = 'active'`)
    expect(wanted.finished.error?.hint).toContain(`sluice follow ${reverse ?? ''} --end`)
    const ended = await perform({
      kind: 'follow',
      stream: reverse ?? '',
      to: stage.place.url,
      end: true,
      untilCaughtUp: false,
      untilEqual: false,
    })
    expect(ended.finished.error).toBeUndefined()
    const first = await perform(retire(stage, { table: PARKED }))
    expect(first.finished.error).toBeUndefined()
    expect(steps(first.events)).toEqual(['inactive done'])
    const dropped = await perform(retire(stage, { confirm: PARKED }))
    expect(dropped.finished.error).toBeUndefined()
    expect(steps(dropped.events)).toEqual(['inactive found', 'dropped done'])
    await stage.place.sql(`INSERT INTO "${PUBLIC}" (created_at) VALUES ('2025-02-02')`)
    expect(await stage.place.rows(`SELECT count(*), count(DISTINCT id) FROM "${PUBLIC}"`)).toEqual([['201', '201']])
    expect(await stage.place.rows(`SELECT proname FROM pg_proc WHERE proname ~ '^sluice'`)).toEqual([])
    expect(
      await stage.place.rows('SELECT slot_name FROM pg_replication_slots WHERE database = current_database()'),
    ).toEqual([])
    const back = await perform(turnOf(stage, true))
    expect(back.finished.exitCode).not.toBe(0)
    expect(await stage.place.rows(`SELECT count(*) FROM "${PUBLIC}"`)).toEqual([['201']])
  },
)

test.skipIf(!POSTGRES_OWN)(
  `a partitioned table that a reverse cutover has put aside is refused and stays${POSTGRES_MISSING}`,
  { timeout: 120_000 },
  async () => {
    const stage = await cutoverStage(server, 100)
    expect((await switched(stage)).finished.error).toBeUndefined()
    expect((await perform(turnOf(stage, true))).finished.error).toBeUndefined()
    const [[reverse] = []] = await stage.place.rows(`SELECT stream_id FROM migration_streams WHERE status = 'active'`)
    await perform({
      kind: 'follow',
      stream: reverse ?? '',
      to: stage.place.url,
      end: true,
      untilCaughtUp: false,
      untilEqual: false,
    })
    const { finished, events } = await perform(retire(stage))
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED' } })
    expect(steps(events)).toEqual([])
  },
)
