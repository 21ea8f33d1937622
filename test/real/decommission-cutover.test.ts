/**
 * The old table of a cutover is kept while its reverse stream exists, and can be dropped after that has ended. A
 * partitioned table is never decommissioned.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import type { PartitionDecommissionOperation } from '../../src/partition/operations/partition-decommission/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
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
  `the old table is kept while the public one is not that of the cutover, or has no rows${POSTGRES_MISSING}`,
  { timeout: 120_000 },
  async () => {
    const stage = await cutoverStage(server, 100)
    const { place } = stage
    expect((await switched(stage)).finished.error).toBeUndefined()
    await place.sql(`UPDATE migration_streams SET status = 'ended' WHERE status = 'active'`)
    const old = `"${PARKED.replaceAll('"', '""')}"`
    const ran = async (
      more: Partial<PartitionDecommissionOperation> = {},
    ): Promise<readonly (string | undefined)[]> => {
      const { finished, events } = await perform(retire(stage, more))
      const refused = events.filter((event) => event.type === 'decommission.finding' && event.verdict === 'refused')
      const details = refused.flatMap((event) => (event.type === 'decommission.finding' ? [event.detail] : []))
      return [finished.error?.code, ...details.map((detail) => detail.replace(/:.*/, '')), ...steps(events)]
    }
    const onlyCopies: readonly (readonly [readonly string[], string, readonly string[]])[] = [
      [[`ALTER TABLE "${PUBLIC}" RENAME TO away`], 'it does not exist', []],
      [
        [`CREATE TABLE "${PUBLIC}" AS TABLE away`],
        'it is not the table that got this name in the cutover',
        [`DROP TABLE "${PUBLIC}"`, `ALTER TABLE away RENAME TO "${PUBLIC}"`, `CREATE TABLE kept AS TABLE "${PUBLIC}"`],
      ],
      [[`TRUNCATE "${PUBLIC}"`], 'it has no rows', [`INSERT INTO "${PUBLIC}" TABLE kept`, 'DROP TABLE kept']],
    ]
    const other = [`ALTER TABLE ${old} RENAME TO kept_old`, `CREATE TABLE ${old} AS SELECT 1 AS invoice`]
    const back = [`DROP TABLE ${old}`, `ALTER TABLE kept_old RENAME TO ${old}`]
    for (const first of [true, false]) {
      const drop = { graceMs: 0, confirm: PARKED }
      for (const [sql, reason, undo] of onlyCopies) {
        await place.sql(...sql)
        expect(await ran(drop)).toEqual(['PARTITION_REFUSED', reason])
        await place.sql(...undo)
      }
      await place.sql(...other)
      expect(await ran(drop)).toEqual(['PLAN_CHANGED'])
      await place.sql(...back)
      if (first) expect(await ran()).toEqual([undefined, 'inactive done'])
    }
    // The drop checks once more, under its lock.
    const [[oid] = []] = await place.rows(`SELECT '${old}'::regclass::oid`)
    await using store = await openPostgresCopy(place.url)
    const [found] = await store.tables(`public.${PUBLIC}`, NEVER.stop)
    const identity = found?.identity ?? ''
    const drop = async (one: string): Promise<unknown> =>
      await store.offers.decommission?.drop(
        {
          table: { schema: 'public', name: PARKED },
          identity: oid ?? '',
          guard: { sql: 'SELECT 1', parameters: [] },
          lockTimeoutMs: 500,
          retryLimitMs: 5000,
          signal: NEVER.stop,
        },
        { name: { schema: 'public', name: PUBLIC }, identity: one },
        null,
        [],
      )
    await expect(drop(`${store.identity}/1`)).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
    await place.sql(`TRUNCATE "${PUBLIC}"`)
    await expect(drop(identity)).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
    expect(await place.rows(`SELECT count(*) FROM ${old}`)).toEqual([['100']])
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
