/**
 * A table is partitioned while it is written to: killed and run again, and stopped early by a window, it ends equal,
 * with each row once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PartitionRunOperation } from '../../src/partition/operations/partition-run/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { ALL } from '../support/backend.ts'
import { perform, placeOn, type Place } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

/** A name with special characters, a wide value in TOAST, and rows of the last ten quarters. */
const TABLE = 'Amenity "Bookings"'
const QUOTED = '"Amenity ""Bookings"""'
const TWIN = '"Amenity ""Bookings""_partitioned"'
const ROWS = 6000

async function stage(): Promise<Place> {
  const place = await placeOn('postgresql', server.url())
  await place.sql(
    `CREATE TABLE ${QUOTED} (id bigserial PRIMARY KEY, guest text, price numeric, at timestamptz NOT NULL, big text)`,
    `ALTER TABLE ${QUOTED} ALTER COLUMN big SET STORAGE EXTERNAL`,
    `INSERT INTO ${QUOTED} (guest, price, at, big) SELECT 'g' || i, i * 0.5, now() - i * interval '0.15 days',
       CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 100) END FROM generate_series(1, ${ROWS}) i`,
    `CREATE INDEX ON ${QUOTED} (at)`,
    `ANALYZE ${QUOTED}`,
  )
  return place
}

type Writer = { stop(): Promise<number> }

/** One update in five moves its row to another quarter, between copied and uncopied quarters. */
function writing(url: string, seed: number): Writer {
  let [stopped, committed] = [false, 0]
  const random = ((state) => (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  })(seed)
  const done = (async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    while (!stopped) {
      const id = 1 + random(ROWS + committed)
      const at = `now() - ${random(900)} * interval '1 day'`
      const statements = [
        `UPDATE ${QUOTED} SET price = price + 1 WHERE id = ${id}`,
        `UPDATE ${QUOTED} SET at = ${at} WHERE id = ${id}`,
        `DELETE FROM ${QUOTED} WHERE id = ${id}`,
        `INSERT INTO ${QUOTED} (guest, at) VALUES ('new', ${at})`,
        `BEGIN; UPDATE ${QUOTED} SET at = ${at} WHERE id = ${id}; UPDATE ${QUOTED} SET at = ${at}, big = 'b' WHERE id = ${id}; COMMIT`,
      ]
      await client.query(statements[random(statements.length)] ?? '')
      committed++
      await sleep(2)
    }
    await client.end()
  })()
  done.catch(() => undefined)
  return {
    stop: async () => {
      stopped = true
      await done
      return committed
    },
  }
}

const runOf = (place: Place, more: Partial<PartitionRunOperation> = {}): PartitionRunOperation => ({
  kind: 'partition-run',
  from: place.url,
  table: TABLE,
  by: 'at',
  calendar: {},
  workers: 2,
  chunkRows: 200,
  untilCaughtUp: false,
  untilEqual: true,
  quiesce: false,
  restart: false,
  ...more,
})

async function expectSame({ rows }: Place): Promise<void> {
  expect(await rows(`SELECT count(*) - count(DISTINCT id) FROM ${TWIN}`)).toEqual([['0']])
  for (const [one, other] of [
    [QUOTED, TWIN],
    [TWIN, QUOTED],
  ]) {
    expect(await rows(`SELECT count(*) FROM (SELECT * FROM ${one} EXCEPT ALL SELECT * FROM ${other}) AS x`)).toEqual([
      ['0'],
    ])
  }
  // The default partition is empty: each quarter of the last two and a half years has its own.
  expect(await rows(`SELECT count(*) FROM ${TWIN.replace(/"$/, '_default"')}`)).toEqual([['0']])
}

async function closedChunks({ rows }: Place): Promise<number> {
  const there = await rows("SELECT to_regclass('migration_checkpoints') IS NOT NULL")
  if (there[0]?.[0] !== 't' && there[0]?.[0] !== 'true') return 0
  const [[count] = []] = await rows("SELECT count(*) FROM migration_checkpoints WHERE status = 'completed'")
  return Number(count)
}

const landed = (events: readonly Event[]): readonly string[] =>
  events.flatMap((event) => (event.type === 'partition.landed' && event.slice === undefined ? [event.label ?? ''] : []))

describe.skipIf(!POSTGRES_OWN)(`partition run ${POSTGRES_MISSING}`, () => {
  test(
    'no table is created for one that cannot be followed, and the plan says so',
    { timeout: 120_000 },
    async (context) => {
      if ((await server.major()) < 18) return context.skip()
      const place = await stage()
      await place.sql(
        `ALTER TABLE ${QUOTED} ADD half numeric GENERATED ALWAYS AS (price / 2) VIRTUAL, REPLICA IDENTITY FULL`,
      )
      const asked = { from: place.url, table: TABLE, by: 'at', calendar: {}, lanes: 1, exact: false, measure: false }
      const plan = await perform({ ...asked, kind: 'partition-plan' })
      const said = plan.events.flatMap((event) =>
        event.type === 'partition.finding' && event.about === 'following' ? [event.detail] : [],
      )
      expect(said).toEqual([
        expect.stringMatching(/REPLICA IDENTITY FULL.* half, .*partition run is refused/) as string,
      ])
      const { finished } = await perform(runOf(place))
      expect(finished.error).toMatchObject({
        code: 'NOT_FOLLOWABLE',
        hint: expect.stringContaining('partition in-place') as string,
      })
      expect(await place.rows(`SELECT to_regclass('${TWIN}') IS NULL`)).toEqual([['t']])
    },
  )

  test.each(['DEFAULT', 'FULL'])(
    'has each row once after kills while rows move between quarters, REPLICA IDENTITY %s',
    { timeout: 180_000 },
    async (identity) => {
      const place = await stage()
      await place.sql(`ALTER TABLE ${QUOTED} REPLICA IDENTITY ${identity}`)
      const writer = writing(place.url, 5)
      let killed = 0
      for (const [i, step] of [2, 9, 16, 24, 33].entries()) {
        const when = (['before', 'during', 'after'] as const)[i % 3] ?? 'before'
        const child = startCopy(runOf(place), { step, when })
        if ((await child.ended).signal !== null) killed++
      }
      expect(killed).toBeGreaterThan(2)
      const running = perform(runOf(place))
      await sleep(500)
      expect(await writer.stop()).toBeGreaterThan(50)
      const { finished } = await running
      expect(finished).toMatchObject({ exitCode: 0, totals: { live: '1' } })
      expect((await perform(runOf(place))).finished.exitCode).toBe(0)
      await expectSame(place)
    },
  )

  test(
    'begins with the current quarter, and ends a window once running chunks are done',
    { timeout: 120_000 },
    async () => {
      const place = await stage()
      const writer = writing(place.url, 9)
      // Slow enough that a window ends in the middle, and a longer window on a slow machine.
      const early: string[] = []
      for (let windowMs = 3000; (await closedChunks(place)) === 0; windowMs *= 2) {
        const { finished, events } = await perform(runOf(place, { windowMs, rate: 250, workers: 1, chunkRows: 300 }))
        expect(finished).toMatchObject({ status: 'stopped', exitCode: 75, error: { code: 'DEADLINE' } })
        expect(finished.error?.message).toBe('the time of --window has ended')
        expect(finished).toMatchObject({ exitCode: 75, status: 'stopped' })
        early.push(...landed(events))
      }
      expect(await place.rows("SELECT count(*) FROM migration_checkpoints WHERE status = 'in_progress'")).toEqual([
        ['0'],
      ])
      // One chunk at a time: of two concurrent quarters either may be proved first.
      const second = await perform(runOf(place, { workers: 1 }))
      await writer.stop()
      expect(second.finished.exitCode).toBe(0)
      const all = landed(second.events)
      expect(all.slice(0, early.length)).toEqual(early)
      // The current quarter first, then back in time.
      expect(await place.rows(`SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-"Q"Q')`)).toEqual([[all[0]]])
      expect(all).toEqual(all.toSorted().toReversed())
      expect((await perform(runOf(place))).finished.exitCode).toBe(0)
      await expectSame(place)
    },
  )

  test(
    'applies changes of copied rows while the copy pauses, after kills, and advances the slot',
    { timeout: 180_000 },
    async () => {
      const place = await stage()
      const other = await placeOn('postgresql', server.url())
      const writer = writing(place.url, 21)
      const to = other.url
      const closed = async (): Promise<number> => closedChunks(other)
      for (let windowMs = 2000; (await closed()) === 0; windowMs *= 2) {
        const { finished } = await perform(runOf(place, { to, windowMs, rate: 250, workers: 2, chunkRows: 150 }))
        expect(finished).toMatchObject({ exitCode: 75, status: 'stopped' })
      }
      const before = await closed()
      const confirmed = async (): Promise<string> => (await place.rows('SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()'))[0]?.[0] ?? '' // prettier-ignore
      const stream = String((await other.rows('SELECT stream_id FROM migration_streams'))[0]?.[0])
      const changes = { kind: 'follow', stream, to, from: place.url, end: false, changesOnly: true, untilCaughtUp: true, untilEqual: false } as const // prettier-ignore
      const positions = [await confirmed()]
      let killed = 0
      for (const [i, step] of (ALL ? [1, 3, 5, 8] : [1, 5]).entries()) {
        const when = (['before', 'during', 'after'] as const)[i % 3] ?? 'before'
        if ((await startCopy(changes, { step, when }).ended).signal !== null) killed++
        expect((await perform(changes)).finished).toMatchObject({ exitCode: 75, status: 'stopped' })
        positions.push(await confirmed())
        // Another window in between, which copies a few more chunks.
        if (i === 0) expect((await perform(runOf(place, { to, windowMs: 1500, rate: 250, chunkRows: 150 }))).finished.exitCode).toBe(75) // prettier-ignore
      }
      expect(killed).toBeGreaterThan(0)
      expect(new Set(positions).size).toBe(positions.length)
      expect(await other.rows('SELECT state FROM migration_stream_tables')).toEqual([['copying']])
      // Chunks of periods that are not copied yet stay absent.
      expect(await closed()).toBeGreaterThanOrEqual(before)
      const running = perform(runOf(place, { to }))
      await writer.stop()
      expect((await running).finished).toMatchObject({ exitCode: 0, totals: { live: '1' } })
      expect((await perform(runOf(place, { to }))).finished.exitCode).toBe(0)
      const all = `SELECT md5(string_agg(t::text, '|' ORDER BY id)), count(*), count(DISTINCT id) FROM`
      expect(await other.rows(`${all} ${QUOTED} AS t`)).toEqual(await place.rows(`${all} ${QUOTED} AS t`))
    },
  )

  test.each(['DEFAULT', 'FULL'])(
    'keeps copied periods equal, also for rows that moved in from uncopied periods: REPLICA IDENTITY %s',
    { timeout: 120_000 },
    async (identity) => {
      const place = await stage()
      await place.sql(`ALTER TABLE ${QUOTED} REPLICA IDENTITY ${identity}`)
      const other = await placeOn('postgresql', server.url())
      const to = other.url
      const sliced = await perform(runOf(place, { to, slices: 'month', numbers: { from: 1, through: 1 } }))
      expect(sliced.finished).toMatchObject({ exitCode: 75, error: { code: 'STOPPED' } })
      const rows = await other.rows(`SELECT id, at::text FROM ${QUOTED} WHERE big IS NOT NULL ORDER BY id`)
      const [[back, backAt] = [], [renewed, renewedAt] = [], [gone] = []] = rows
      const [[come] = []] = await place.rows(
        `SELECT id FROM ${QUOTED} WHERE big IS NOT NULL AND at < now() - interval '200 days' LIMIT 1`,
      )
      const away = `now() - interval '300 days'`
      await place.sql(
        `UPDATE ${QUOTED} SET at = ${away}, price = price + 7 WHERE id = ${back}`,
        `UPDATE ${QUOTED} SET at = ${away}, big = repeat('n', 3000) WHERE id = ${renewed}`,
        `UPDATE ${QUOTED} SET at = '${backAt}' WHERE id = ${back}`,
        `UPDATE ${QUOTED} SET at = '${renewedAt}' WHERE id = ${renewed}`,
        `UPDATE ${QUOTED} SET at = ${away} WHERE id = ${gone}`,
        `UPDATE ${QUOTED} SET at = timestamptz '${backAt}' + interval '1 second' WHERE id = ${come}`,
      )
      const stream = String((await other.rows('SELECT stream_id FROM migration_streams'))[0]?.[0])
      const changes = { kind: 'follow', stream, to, from: place.url, end: false, changesOnly: true, untilCaughtUp: true, untilEqual: false } as const // prettier-ignore
      const { finished } = await perform(changes)
      expect(finished).toMatchObject({ exitCode: 75, status: 'stopped', error: { code: 'STOPPED' } })
      expect(finished.error?.hint).toContain(`sluice follow ${stream} to copy the rest`)
      const [[low, high] = []] = await other.rows(`SELECT min(at)::text, max(at)::text FROM ${QUOTED}`)
      const some = `SELECT md5(string_agg(t::text, '|' ORDER BY id)), count(*) FROM`
      expect(await other.rows(`${some} ${QUOTED} AS t`)).toEqual(
        await place.rows(`${some} ${QUOTED} AS t WHERE at BETWEEN '${low}' AND '${high}'`),
      )
      const found = await other.rows(
        `SELECT id FROM ${QUOTED} WHERE id IN (${back}, ${renewed}, ${gone}, ${come}) ORDER BY id`,
      )
      expect(found.flat()).toEqual([back, renewed, come].map(String).toSorted((a, b) => Number(a) - Number(b)))
      expect((await perform({ ...changes, untilEqual: true, untilCaughtUp: false })).finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } }) // prettier-ignore
      expect((await perform(runOf(place, { to }))).finished.exitCode).toBe(0)
      const all = `${some} ${QUOTED} AS t`
      expect(await other.rows(all)).toEqual(await place.rows(`${some} ${QUOTED} AS t`))
    },
  )

  test('into another database reports slices as they are proved', { timeout: 120_000 }, async () => {
    const place = await stage()
    const other = await placeOn('postgresql', server.url())
    const { finished, events } = await perform(runOf(place, { to: other.url, slices: 'month', quiesce: true }))
    expect(finished.exitCode).toBe(0)
    const notes = events.flatMap((event) => (event.type === 'log' ? event.message : []))
    expect(notes.filter((note) => /waited for at most \d+ ms while the slot was created/.test(note))).toHaveLength(1)
    const slices = events.filter((event) => event.type === 'partition.landed' && event.slice !== undefined)
    expect(slices.length).toBeGreaterThan(25)
    expect(await other.rows(`SELECT count(*), sum(id) FROM ${QUOTED}`)).toEqual(
      await place.rows(`SELECT count(*), sum(id) FROM ${QUOTED}`),
    )
    await other.sql(`ALTER TABLE ${QUOTED} DROP COLUMN price`)
    const [[stream = ''] = []] = await other.rows('SELECT stream_id FROM migration_streams')
    const followed = { kind: 'follow', stream: stream ?? '', to: other.url, from: place.url, end: false, untilCaughtUp: true, untilEqual: false } as const // prettier-ignore
    expect((await perform(followed)).finished.error?.hint).toMatch(
      /--rename are options of copy: .* sluice partition run, which began the stream of public\./,
    )
  })

  test('reports the rows that were lost with a filled partition that was dropped', { timeout: 120_000 }, async () => {
    const place = await stage()
    expect((await perform(runOf(place, { untilEqual: false, untilCaughtUp: true }))).finished.exitCode).toBe(0)
    const [[name = '', rows = ''] = []] = await place.rows(
      `SELECT tableoid::regclass::text, count(*) FROM ${TWIN} GROUP BY 1 ORDER BY 2 DESC LIMIT 1`,
    )
    await place.sql(`DROP TABLE ${name}`)
    const again = await perform(runOf(place))
    expect(again.finished.error).toMatchObject({ code: 'PARTITION_CHANGED' })
    expect(again.finished.error?.message).toContain(`(${rows} rows)`)
    const stream = again.finished.error?.hint?.match(/follow (\d+) /)?.[1] ?? ''
    const followed = { kind: 'follow', stream, to: place.url, from: place.url, end: false, untilCaughtUp: true, untilEqual: false } as const // prettier-ignore
    expect((await perform(followed)).finished.error).toMatchObject({ code: 'PARTITION_CHANGED' })
  })

  test('copies a table with a second unique key and a foreign key, as planned', { timeout: 180_000 }, async () => {
    const place = await placeOn('postgresql', server.url())
    await place.sql(
      'CREATE TABLE g (id int PRIMARY KEY); INSERT INTO g SELECT generate_series(1, 10)',
      `CREATE TABLE o (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ref uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE, n int, g int,
         at timestamptz NOT NULL, UNIQUE (n, at), CONSTRAINT its_g FOREIGN KEY (g) REFERENCES g)`,
      'CREATE INDEX ON o (at)',
      `INSERT INTO o (at, n, g) SELECT now() - i * interval '3 hours', i, 1 + i % 10 FROM generate_series(1, 1000) i`,
      'ANALYZE o',
    )
    const plan = { kind: 'partition-plan', from: place.url, table: 'o', by: 'at', calendar: {}, lanes: 1, exact: false, measure: false } as const // prettier-ignore
    const planned = await perform(plan)
    expect([planned.finished.exitCode, planned.finished.error]).toEqual([0, undefined])
    const run = await perform(runOf(place, { table: 'o', untilEqual: true }))
    expect([run.finished.exitCode, run.finished.error]).toEqual([0, undefined])
    // Between the last period and the end of the table, the output shows what the server does.
    const after = run.events.slice(run.events.findLastIndex(({ type }) => type === 'partition.landed') + 1)
    const ends = after.slice(
      0,
      after.findIndex(({ type }) => type === 'table.finished'),
    )
    expect.soft(JSON.stringify(ends)).toContain('the server gathers statistics')
    const reported = run.events.findLast((event) => event.type === 'log' && event.message.includes('copied late'))
    const statements = (reported?.type === 'log' ? (reported.hint ?? '') : '')
      .replace('once the table is live: ', '')
      .split('; ')
    expect(statements).toHaveLength(3)
    // A later run names those that are still missing.
    const hintOf = ({ events }: { readonly events: readonly Event[] }): readonly string[] =>
      events.flatMap((event) =>
        event.type === 'log' && event.message.includes('copied late') ? [event.hint ?? ''] : [],
      )
    const resumed = await perform(runOf(place, { table: 'o', untilEqual: true }))
    expect(hintOf(resumed)).toEqual(hintOf(run))
    const stream = run.events.find((event) => event.type === 'follow.started')?.stream ?? ''
    const cutover = { kind: 'cutover', stream, to: place.url, triesForMs: 1000, unsigned: true, revert: false, keepSessions: false, stay: false, dryRun: true } as const // prettier-ignore
    const found = async (): Promise<readonly string[]> => {
      const { events } = await perform(cutover)
      return events.flatMap((event) => ('verdict' in event && event.verdict === 'refused' && 'about' in event ? [`${event.about} ${event.object ?? ''}`] : [])) // prettier-ignore
    }
    const before = await found()
    expect(before).toContain('foreign key from it its_g')
    expect(before.filter((one) => one.startsWith('unique index'))).toHaveLength(2)
    await place.sql(...statements)
    expect(await found()).toEqual(before.filter((one) => !/^(?:foreign key from it|unique index) /.test(one)))
    // After these statements the stream continues.
    await place.sql('INSERT INTO o (at, n, g) VALUES (now(), 0, 3)', 'DELETE FROM o WHERE id % 7 = 0')
    const again = await perform(runOf(place, { table: 'o', untilEqual: true }))
    expect([again.finished.exitCode, again.finished.error]).toEqual([0, undefined])
    expect(hintOf(again)).toEqual([])
    expect(JSON.stringify(again.finished.leftBehind)).toContain('in the target with at in it')
    expect(await place.rows('SELECT count(*), count(DISTINCT ref) FROM o_partitioned')).toEqual(
      await place.rows('SELECT count(*), count(DISTINCT ref) FROM o'),
    )
    const signed = await perform({ kind: 'sign-off', stream, from: place.url, to: place.url, tables: [] })
    const made = (table: string): unknown =>
      signed.events.flatMap((event) =>
        event.type === 'check' && event.check === 'made by --with' && event.area.endsWith(table)
          ? [[event.status, event.found]]
          : [],
      )
    expect(made('o_partitioned')).toEqual([
      ['ok', expect.stringMatching(/^all \d+ of the source exist in the target, unique o_ref_key with at in it$/)],
    ])
  })

  test('refuses tables by name that it cannot partition correctly', { timeout: 60_000 }, async () => {
    const place = await placeOn('postgresql', server.url())
    await place.sql(
      'CREATE TABLE plain (id bigserial PRIMARY KEY, at date NOT NULL)',
      "INSERT INTO plain (at) VALUES ('2026-01-01')",
      'CREATE TABLE child (id int REFERENCES plain (id))',
    )
    const run = (more: Partial<PartitionRunOperation> = {}) => perform(runOf(place, { table: 'plain', ...more }))
    expect((await run()).finished.error).toMatchObject({ code: 'PARTITION_REFUSED', reason: 'foreign key to it' })
    await place.sql('DROP TABLE child')
    const unindexed = await run()
    expect(unindexed.finished.error).toMatchObject({ code: 'PARTITION_REFUSED' })
    expect(unindexed.finished.error?.hint).toContain('CREATE INDEX CONCURRENTLY ON "public"."plain" ("at")')
    await place.sql('CREATE INDEX ON plain (at)', 'CREATE TABLE plain_partitioned (id int)')
    expect((await run()).finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
    await place.sql('DROP TABLE plain_partitioned')
    const unknown = await run({ first: 'Q9-1999' })
    expect(unknown.finished.error).toMatchObject({ code: 'BAD_FLAG' })
    expect(unknown.finished.error?.hint).toContain('2026-Q1')
    expect(await place.rows("SELECT to_regclass('plain_partitioned')")).toEqual([[null]])
    await place.sql(
      'CREATE TABLE bare (id int, at date NOT NULL)',
      'CREATE TABLE late (id serial PRIMARY KEY, at date)',
    )
    const bare = await run({ table: 'bare' })
    expect(bare.finished.error).toMatchObject({ code: 'PARTITION_REFUSED', reason: 'replica identity' })
    const late = await run({ table: 'late' })
    expect(late.finished.error).toMatchObject({ code: 'PARTITION_REFUSED', reason: 'column' })
    expect(late.events).toContainEqual(
      expect.objectContaining({ type: 'log', hint: 'ALTER TABLE "public"."late" ALTER COLUMN "at" SET NOT NULL' }),
    )
    expect(await place.rows("SELECT to_regclass('bare_partitioned'), to_regclass('late_partitioned')")).toEqual([
      [null, null],
    ])
    // No stream was begun, and nothing is left at the source.
    expect(await place.rows('SELECT count(*) FROM pg_replication_slots WHERE database = current_database()')).toEqual([
      ['0'],
    ])
  })
})
