/**
 * A table becomes the first partition of a new one with its name: no session waits for long, nothing is lost, and the
 * change can be reverted.
 */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inPlaceRequest } from '../../src/partition/in-place-plan.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { InPlaceStore } from '../../src/model/partition/in-place-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import type { Event } from '../../src/model/run/event.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { SIGNAL, tableNamed } from './copy-postgresql-kit.ts'
import { inPlace, marksLeft, PAST, ROWS, shapeOf, SQL, stageTable, TABLE } from './in-place-kit.ts'

const why = await missing('postgresql')

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

async function staged(): Promise<Place> {
  const place = await makePlace('postgresql', folder.path)
  await stageTable(place)
  return place
}

const pauseOf = (events: readonly Event[]): number =>
  events.flatMap((event) => (event.type === 'partition.waits' ? [event.longestMs] : []))[0] ?? -1
const stepsOf = (events: readonly Event[]): readonly string[] =>
  events.flatMap((event) => (event.type === 'partition.step' ? [`${event.step} ${event.status}`] : []))

describe.skipIf(why !== '')(`a table that is partitioned in place${why}`, () => {
  test('keeps its dependencies, and can be reverted', { timeout: 60_000 }, async () => {
    const place = await staged()
    const before = await shapeOf(place)
    const plan = await perform(inPlace(place, { dryRun: true }))
    expect(plan.finished.error).toBeUndefined()
    expect(plan.events.filter(({ type }) => type === 'partition.sql').length).toBeGreaterThan(20)
    expect(await shapeOf(place)).toEqual(before)
    expect((await perform(inPlace(place, { confirm: 'other' }))).finished.error).toMatchObject({
      code: 'MISSING_CONFIRM',
    })

    const { finished } = await perform(inPlace(place))
    expect(finished).toMatchObject({ exitCode: 0, totals: { switched: '1', partitions: '3' } })
    expect(await marksLeft(place)).toEqual([])
    const oid = `'${SQL}'::regclass`
    expect(await place.rows(`SELECT relkind::text, obj_description(${oid}) FROM pg_class WHERE oid = ${oid}`)).toEqual([
      ['p', "it's"],
    ])
    expect(await place.rows(`SELECT tablename, attnames::text, rowfilter FROM pg_publication_tables`)).toEqual([
      [TABLE, '{id,price,At}', '(id > 0)'],
    ])
    expect(await place.rows(`SELECT policyname FROM pg_policies WHERE tablename = '${TABLE}'`)).toEqual([["po'licy"]])
    expect(await place.rows('SELECT counted()')).toEqual([[String(ROWS)]])
    // Objects that name the table refer to the new one: views, triggers, sequences, defaults.
    await place.sql(
      `INSERT INTO ${SQL} (price, "At") VALUES (1, now()), (2, now() + interval '1 year'), (3, '-infinity'), (4, 'infinity')`,
    )
    expect(await place.rows(`SELECT count(*), (SELECT count(*) FROM audit) FROM cheap WHERE id > ${ROWS}`)).toEqual([
      ['4', '4'],
    ])
    expect(await place.rows(`SELECT count(*), count(DISTINCT id), min("Room") FROM ${SQL}`)).toEqual([
      [String(ROWS + 4), String(ROWS + 4), '1'],
    ])
    expect(await place.rows(`SELECT count(*) FROM ${PAST}`)).toEqual([[String(ROWS + 2)]])
    await expect(place.sql(`INSERT INTO ${SQL} ("Room", "At") VALUES (99, now())`)).rejects.toThrow(/foreign key/)
    // In the partition of the past, the old key still keeps rows unique.
    await expect(place.sql(`INSERT INTO ${SQL} (id, "At") VALUES (1, now())`)).rejects.toThrow(/duplicate key/)

    const again = await perform(inPlace(place))
    expect(stepsOf(again.events)).toEqual(['switch found', 'after done'])
    expect((await perform(inPlace(place, { by: 'price' }))).finished.error).toMatchObject({ code: 'TABLE_REFUSED' })

    const filled = await perform(inPlace(place, { revert: true }))
    expect(filled.finished.error).toMatchObject({ code: 'PARTITION_REFUSED' })
    expect(filled.finished.error?.message).toContain('_default')
    await place.sql(`DELETE FROM ${SQL} WHERE id > ${ROWS}`, 'DELETE FROM audit')
    const back = await perform(inPlace(place, { revert: true }))
    expect(back.finished.error).toBeUndefined()
    expect(back.events).toContainEqual(
      expect.objectContaining({
        type: 'partition.finding',
        about: 'column',
        object: 'At',
        hint: expect.stringContaining(`ALTER TABLE "public".${SQL} ALTER COLUMN "At" DROP NOT NULL`),
      }),
    )
    expect(await shapeOf(place)).toEqual(before)
    await place.sql(`INSERT INTO ${SQL} (price, "At") VALUES (1, now())`)
    expect(await place.rows(`SELECT count(*), (SELECT count(*) FROM audit) FROM cheap WHERE id > ${ROWS}`)).toEqual([
      ['1', '1'],
    ])

    const forth = await perform(inPlace(place))
    expect(forth.finished.error).toBeUndefined()
    expect(await place.rows(`SELECT count(*), count(DISTINCT id) FROM ${SQL}`)).toEqual([
      [String(ROWS + 1), String(ROWS + 1)],
    ])
  })

  test(
    'makes writers wait for less than the limit, and their prepared statements continue to work',
    { timeout: 60_000 },
    async () => {
      const place = await staged()
      const [before] = await place.rows(`SELECT sum(price) FROM ${SQL}`)
      const [left] = await place.rows(`SELECT max(id) FROM ${SQL}`)
      const writers = Array.from({ length: 3 }, (_, seed) => writing(place.url, seed))
      const { finished, events } = await perform(inPlace(place, { budgetMs: 1500 }))
      expect(finished).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
      await perform(inPlace(place, { revert: true, budgetMs: 1500 }))
      const forth = await perform(inPlace(place, { budgetMs: 1500 }))
      expect(forth.finished.error).toBeUndefined()
      const done = await Promise.all(writers.map((writer) => writer.stop()))
      const written = done.reduce((sum, { count }) => sum + count, 0)
      expect(written).toBeGreaterThan(30)
      for (const { longestMs } of done) expect(longestMs).toBeLessThan(1500)
      expect(pauseOf(events)).toBeLessThan(1500)
      // Each write has added one row of price 1, and one to the price of another row.
      const sum = Number(before?.[0]) + written * 2
      expect(await place.rows(`SELECT count(*), count(DISTINCT id), sum(price) FROM ${SQL}`)).toEqual([
        [String(ROWS + written), String(ROWS + written), sum.toFixed(1)],
      ])
      expect(left).toEqual([String(ROWS)])
    },
  )

  test('reads no rows while other sessions wait', { timeout: 60_000 }, async () => {
    const place = await staged()
    const limits = { pauseLimitMs: 2000, triesForMs: 30_000, signal: SIGNAL }
    const scans = async (table: string): Promise<string> => {
      // A session publishes its read statistics when it ends.
      for (;;) {
        const others = await place.rows(
          `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'sluice%'`,
        )
        if (others[0]?.[0] === '0') break
      }
      const [row] = await place.rows(`SELECT pg_stat_get_numscans('${table}'::regclass)`)
      return row?.[0] ?? ''
    }
    const work = async <T>(body: (inPlace: InPlaceStore, store: CopyStore) => Promise<T>): Promise<T> => {
      await using store = await openPostgresCopy(place.url)
      const able = store.offers.inPlace
      if (able === undefined) throw new Error('this store partitions nothing in place')
      return await body(able, store)
    }
    const request = await work(async (able, store) => {
      const plan = store.offers.partitionPlan
      if (plan === undefined) throw new Error('this store plans nothing')
      const table = await tableNamed(store, `public.${TABLE}`)
      const options = { by: 'At', calendar: {} }
      const { request: wanted } = await inPlaceRequest({ store, plan, signal: SIGNAL }, table, options, new Date())
      await able.prepare(wanted, limits, () => undefined)
      return wanted
    })
    const before = await scans(SQL)
    expect(Number(before)).toBeGreaterThan(0)
    await work((able) => able.attach(request, limits, () => undefined))
    expect(await scans(PAST)).toBe(before)
  })

  test('refuses by name what it cannot do', { timeout: 60_000 }, async () => {
    const place = await staged()
    const before = await shapeOf(place)
    const refused = async (more: Parameters<typeof inPlace>[1] = {}): Promise<string> => {
      const { finished, events } = await perform(inPlace(place, more))
      expect(finished.totals['switched'] ?? '0').toBe('0')
      expect(finished.exitCode).not.toBe(0)
      const found = events.flatMap((event) =>
        event.type === 'partition.finding' && event.verdict === 'refused' ? [`${event.about}: ${event.detail}`] : [],
      )
      return [finished.error?.code, finished.error?.message, finished.error?.reason, ...found].join(' | ')
    }
    const tried = async (
      statement: string,
      undo: string,
      more: Parameters<typeof inPlace>[1] = {},
    ): Promise<string> => {
      await place.sql(statement)
      const said = await refused(more)
      await place.sql(undo)
      return said
    }
    const far = `DELETE FROM ${SQL} WHERE id > ${ROWS}`
    expect(await tried(`INSERT INTO ${SQL} ("At") VALUES ('infinity'), ('9999-12-31')`, far)).toMatch(
      /PARTITION_REFUSED.*rows outside: 2 at .* at 9999-12-31/s,
    )
    expect(await tried(`CREATE UNIQUE INDEX nat ON ${SQL} (guest)`, 'DROP INDEX nat')).toMatch(/unique: .*guest/)
    expect(
      await tried(
        `ALTER TABLE ${SQL} ADD CONSTRAINT odd CHECK (price < 1e9) NOT VALID`,
        `ALTER TABLE ${SQL} DROP CONSTRAINT odd`,
      ),
    ).toMatch(/check: .*never validated/)
    expect(await tried(`CREATE TABLE "Amenity ""Bookings""_past" ()`, `DROP TABLE ${PAST}`)).toMatch(
      /name: it belongs to another object/,
    )
    expect(await tried(`CREATE MATERIALIZED VIEW mv AS SELECT * FROM ${SQL}`, 'DROP MATERIALIZED VIEW mv')).toMatch(
      /materialized view/,
    )
    expect(await tried(`CREATE PUBLICATION sluice_x FOR TABLE ${SQL}`, 'DROP PUBLICATION sluice_x')).toMatch(/stream: /)
    for (const published of ['FOR ALL TABLES', ...(await ofSchema(place))]) {
      expect(await tried(`CREATE PUBLICATION every ${published}`, 'DROP PUBLICATION every')).toMatch(
        /PARTITION_REFUSED.*publication.*under the names of the partitions/,
      )
    }
    expect(await refused({ last: '2020-Q1' })).toMatch(/BAD_FLAG.*this period is over/)
    expect(await refused({ past: TABLE })).toMatch(/BAD_FLAG/)
    expect(await refused({ by: 'guest' })).toMatch(/BAD_FLAG.*not a time column/)
    expect(await shapeOf(place)).toEqual(before)
    // Without an index, the run counts rows before it creates anything.
    await place.sql(`DROP INDEX "by At"`)
    expect(await tried(`INSERT INTO ${SQL} ("At") VALUES ('infinity')`, far)).toMatch(
      /PARTITION_REFUSED.*1 at or after/,
    )
    expect(await marksLeft(place)).toEqual([])
    // If another session keeps the table locked, the run gives up, and nothing is lost.
    const holder = new pg.Client({ connectionString: place.url })
    await holder.connect()
    await holder.query(`BEGIN; SELECT count(*) FROM ${SQL}`)
    const late = await perform(inPlace(place, { triesForMs: 1000, budgetMs: 200 }))
    expect(late.finished).toMatchObject({
      exitCode: 75,
      error: { code: expect.stringMatching(/OUT_OF_TRIES|TARGET_BUSY/) as string },
    })
    await holder.end()
    expect((await perform(inPlace(place))).finished.error).toBeUndefined()
  })

  test('is found by list, ensure and archive', { timeout: 60_000 }, async () => {
    const place = await staged()
    await perform(inPlace(place))
    const words = { from: place.url, tables: [TABLE], calendar: {} }
    const list = await perform({ kind: 'partition-list', ...words, ahead: 2, count: false })
    expect(list.finished.error).toBeUndefined()
    expect(list.events.filter(({ type }) => type === 'partition')).toMatchObject([
      { partition: `public.${TABLE}_past`, state: 'current' },
      { state: 'future' },
      { state: 'future' },
      { state: 'default' },
    ])
    const ensure = await perform({
      kind: 'partition-ensure',
      ...words,
      ahead: 4,
      patienceMs: 100,
      budgetMs: 10_000,
      dryRun: false,
    })
    expect(ensure.finished.error).toBeUndefined()
    expect(ensure.events.filter(({ type }) => type === 'partition.made')).toHaveLength(2)
    const archive = await perform({
      kind: 'archive',
      from: place.url,
      tables: [TABLE],
      to: `${folder.path}/archive`,
      olderThan: '1q',
      partitions: [],
      asText: [],
      detach: false,
      drop: false,
      dryRun: true,
    })
    expect(archive.finished.error).toBeUndefined()
    expect(archive.events.filter((event) => event.type === 'archive.planned' && event.status === 'due')).toEqual([])
  })

  test('moves the last period out of the past, and estimates the duration before', { timeout: 60_000 }, async () => {
    const place = await staged()
    expect((await perform(inPlace(place, { slice: periodOf(0) }))).finished.error).toMatchObject({ code: 'BAD_FLAG' })
    await perform(inPlace(place))
    await place.sql(
      `ALTER TABLE ${PAST} REPLICA IDENTITY FULL`,
      `ALTER TABLE ${PAST} SET (fillfactor = 71, toast.autovacuum_enabled = false)`,
      `ALTER TABLE ${PAST} ALTER guest SET STATISTICS 123`,
      `GRANT SELECT ON ${PAST} TO PUBLIC`,
      `ALTER TABLE ${PAST} ENABLE ROW LEVEL SECURITY`,
      `ALTER TABLE ${PAST} DISABLE TRIGGER "Audit"`,
      `CREATE POLICY "of past" ON ${PAST} USING (price < 1e9)`,
    )
    const all = () => place.rows(`SELECT count(*), count(DISTINCT id), sum(price) FROM ${SQL}`)
    const before = await all()
    const shape = await shapeOf(place)
    const plan = await perform(inPlace(place, { slice: periodOf(0), dryRun: true }))
    expect(plan.events).toContainEqual(
      expect.objectContaining({ type: 'partition.finding', verdict: 'changes', about: 'pause' }),
    )
    expect((await perform(inPlace(place, { slice: periodOf(0), budgetMs: 0 }))).finished.error).toMatchObject({
      code: 'PARTITION_REFUSED',
    })
    expect((await perform(inPlace(place, { slice: periodOf(1) }))).finished.error).toMatchObject({
      code: 'PARTITION_REFUSED',
    })
    // Subscribers would not see that rows move.
    for (const published of [`FOR TABLE ${SQL}`, `FOR TABLE ${PAST}`, 'FOR ALL TABLES', ...(await ofSchema(place))]) {
      await place.sql(`CREATE PUBLICATION theirs ${published}`)
      for (const dryRun of [true, false]) {
        const { finished } = await perform(inPlace(place, { slice: periodOf(0), dryRun }))
        expect(finished.error).toMatchObject({ code: 'PARTITION_REFUSED' })
        expect(finished.error?.reason).toContain('the publication "theirs" ')
      }
      await place.sql('DROP PUBLICATION theirs')
    }
    expect(await shapeOf(place)).toEqual(shape)

    const writer = writing(place.url, 1)
    for (const ago of [0, 1]) {
      if (ago === 1) {
        await place.sql(
          `DO $$BEGIN EXECUTE format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', '${PAST}', (SELECT conname FROM pg_constraint WHERE conrelid = '${PAST}'::regclass AND contype = 'p')); END$$`,
        )
      }
      const { finished, events } = await perform(inPlace(place, { slice: periodOf(ago) }))
      expect(finished).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
      const [made] = events.flatMap((event) => (event.type === 'partition.made' ? [event] : []))
      const moved = Number(finished.totals['rows'])
      expect(moved).toBeGreaterThan(0)
      const leaf = `"${made?.partition.replaceAll('"', '""')}"`
      expect(await ownOf(place, leaf)).toEqual(await ownOf(place, PAST))
      expect((await ownOf(place, PAST))[0]?.at(-1)).toBe('Audit D')
      // The rows that were there when the period was moved, and those that the writer has added since.
      const [rest] = await place.rows(
        `SELECT (SELECT count(*) FROM ${PAST} WHERE "At" >= '${made?.from}'), count(*) - ${moved} FROM ${leaf}`,
      )
      expect(rest?.[0]).toBe('0')
      expect(Number(rest?.[1])).toBeGreaterThanOrEqual(0)
    }
    const again = await perform(inPlace(place, { slice: periodOf(0) }))
    expect(stepsOf(again.events)).toEqual(['slice found', 'after done'])
    const { count } = await writer.stop()
    const [[rows, ids, sum] = []] = await all()
    expect(rows).toBe(ids)
    expect(Number(rows)).toBe(Number(before[0]?.[0]) + count)
    expect(Number(sum)).toBe(Number(before[0]?.[2]) + 2 * count)
    expect(await marksLeft(place)).toEqual([])
    expect(await place.rows(`SELECT count(*) FROM pg_proc WHERE proname LIKE 'sluice%'`)).toEqual([['0']])
    // The sequences, triggers and keys of the table apply to the new partition, too.
    await expect(place.sql(`INSERT INTO ${SQL} ("Room", "At") VALUES (99, now())`)).rejects.toThrow(/foreign key/)
    const filled = await perform(inPlace(place, { revert: true }))
    expect(filled.finished.error).toMatchObject({ code: 'PARTITION_REFUSED' })
  })

  test('a revert removes the check of a slice whose rows could not be moved', { timeout: 60_000 }, async () => {
    const place = await staged()
    const left = async (): Promise<number> =>
      (await marksLeft(place)).length +
      (await place.rows(`SELECT proname FROM pg_proc WHERE proname LIKE 'sluice%'`)).length
    const reader = new pg.Client({ connectionString: place.url })
    await reader.connect()
    const prepared = async (): Promise<void> => {
      await perform(inPlace(place))
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM rooms')
      const late = await perform(inPlace(place, { slice: periodOf(0), triesForMs: 500 }))
      expect(late.finished.error?.code).toBe('OUT_OF_TRIES')
      await reader.query('ROLLBACK')
      expect(await left()).toBe(2)
    }
    await prepared()
    expect((await perform(inPlace(place, { revert: true }))).finished).toMatchObject({ totals: { switched: '1' } })
    expect(await left()).toBe(0)
    // As an earlier version reverted.
    await prepared()
    const [[constraint, oid] = []] = await place.rows(
      `SELECT conname, conrelid FROM pg_constraint WHERE conname LIKE 'sluice%slice'`,
    )
    const [[check] = []] = await place.rows(
      `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '${constraint}'`,
    )
    await place.sql(`ALTER TABLE ${PAST} DROP CONSTRAINT "${constraint}"`)
    await perform(inPlace(place, { revert: true }))
    expect(await place.rows(`SELECT '${SQL}'::regclass::oid`)).toEqual([[oid]])
    await place.sql(`ALTER TABLE ${SQL} ADD CONSTRAINT "${constraint}" ${check}`)
    expect((await perform(inPlace(place, { revert: true }))).finished).toMatchObject({ totals: { switched: '0' } })
    expect(await left()).toBe(0)
    await reader.end()
  })

  test('keeps rights on its sequence, and gives a DEFERRABLE key back', { timeout: 60_000 }, async () => {
    const place = await staged()
    await place.sql(
      'CREATE TABLE p (id int GENERATED BY DEFAULT AS IDENTITY, at timestamptz NOT NULL, CONSTRAINT k PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED)',
      `COMMENT ON CONSTRAINT k ON p IS 'it''s'`,
      'GRANT USAGE ON SEQUENCE p_id_seq TO PUBLIC',
      `INSERT INTO p (at) SELECT now() - i * interval '1 day' FROM generate_series(1, 300) i`,
    )
    const kept = `SELECT pg_get_constraintdef(oid), obj_description(oid), (SELECT relacl::text FROM pg_class WHERE oid = pg_get_serial_sequence('p', 'id')::regclass) FROM pg_constraint WHERE conname = 'k'`
    const before = await place.rows(kept)
    expect(before).toEqual([['PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED', "it's", expect.stringMatching(/=U/)]])
    const run = { table: 'p', by: 'at', confirm: 'p' }
    const { finished, events } = await perform(inPlace(place, run))
    expect(finished.exitCode).toBe(0)
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'partition.finding', about: 'primary key', object: 'k', verdict: 'changes' }),
    )
    const rights = `SELECT has_sequence_privilege('pg_monitor', pg_get_serial_sequence('p', 'id'), 'USAGE')::text`
    expect(await place.rows(rights)).toEqual([['true']])
    expect((await perform(inPlace(place, { ...run, revert: true }))).finished.exitCode).toBe(0)
    expect(await place.rows(kept)).toEqual(before)
    await place.sql('UPDATE p SET id = 301 - id')
  })

  test('refuses partitions that would refuse changes: published, and without an index that identifies rows', async () => {
    const place = await staged()
    const published = (verbs: string): string =>
      `CREATE PUBLICATION theirs FOR TABLE p WITH (publish = '${verbs}', publish_via_partition_root = true)`
    const ran = async (more: Parameters<typeof inPlace>[1] = {}): Promise<readonly string[]> => {
      const ended: string[] = []
      for (const dryRun of [true, false]) {
        const { finished, events } = await perform(
          inPlace(place, { table: 'p', by: 'at', confirm: 'p', ...more, dryRun }),
        )
        const found = events.flatMap((event) =>
          event.type === 'partition.finding' && event.verdict === 'refused' ? [event.object ?? ''] : [],
        )
        ended.push(`${finished.error?.code ?? 'done'} ${found.join()} ${finished.error?.reason ?? ''}`)
      }
      return ended
    }
    const REFUSED = expect.stringMatching(
      /^PARTITION_REFUSED .*"?theirs"?.*(?:replica identity|published partitions)/s,
    ) as string
    await place.sql(
      'CREATE TABLE p (id int NOT NULL, at timestamptz NOT NULL, CONSTRAINT k UNIQUE (id, at))',
      'CREATE INDEX ON p (at)',
      'ALTER TABLE p REPLICA IDENTITY USING INDEX k',
      `INSERT INTO p SELECT i, now() - i * interval '1 day' FROM generate_series(1, 300) i`,
      published('insert, update'),
    )
    expect(await ran()).toEqual([REFUSED, REFUSED])
    await place.sql('DROP PUBLICATION theirs', published('insert, truncate'))
    expect(await ran()).toEqual([expect.stringMatching(/^done /), expect.stringMatching(/^done /)])
    // The past has an index that the table does not have.
    await place.sql(
      'DROP PUBLICATION theirs',
      'CREATE UNIQUE INDEX own ON p_past (id)',
      'ALTER TABLE p_past REPLICA IDENTITY USING INDEX own',
      published('delete'),
    )
    const slice = { slice: periodOf(0) }
    const shape = await shapeOf(place)
    expect(await ran(slice)).toEqual([REFUSED, REFUSED])
    expect(await shapeOf(place)).toEqual(shape)
    await place.sql('ALTER TABLE p ADD PRIMARY KEY (id, at)')
    expect(await ran(slice)).toEqual([expect.stringMatching(/^done /), expect.stringMatching(/^done /)])
    await place.sql('DELETE FROM p')
  })

  test('goes behind rows of later periods, and is refused by every other system', async () => {
    const place = await staged()
    await place.sql(
      `INSERT INTO ${SQL} ("At") SELECT now() + interval '200 days' + i * interval '1 min' FROM generate_series(1, 300) i`,
    )
    await place.sql('CREATE PUBLICATION every FOR ALL TABLES WITH (publish_via_partition_root = true)')
    const { finished, events } = await perform(inPlace(place))
    expect(finished.error).toBeUndefined()
    const made = events.flatMap((event) => (event.type === 'partition.made' ? [event.from] : []))
    expect(made.length).toBe(2)
    expect(Date.parse(made[0] ?? '')).toBeGreaterThan(Date.now() + 200 * 86_400_000)
    const other = await makePlace('sqlite', folder.path)
    await other.sql('CREATE TABLE t (id int PRIMARY KEY, at timestamp)')
    expect((await perform(inPlace(other, { table: 't' }))).finished.error).toMatchObject({ code: 'UNSUPPORTED_URL' })
  })
})

/** Properties that a period taken out of the past keeps from it. */
function ownOf({ rows }: Place, table: string): Promise<readonly (readonly (string | null)[])[]> {
  return rows(
    `SELECT c.relreplident::text, c.relpersistence::text, c.relrowsecurity::text, c.reloptions::text, (SELECT l.reloptions::text FROM pg_class l WHERE l.oid = c.reltoastrelid),
       (SELECT string_agg(e::text, ' ' ORDER BY e::text) FROM unnest(c.relacl) e), (SELECT string_agg(polname, ' ' ORDER BY polname) FROM pg_policy WHERE polrelid = c.oid),
       (SELECT attstattarget::text FROM pg_attribute WHERE attrelid = c.oid AND attname = 'guest'),
       (SELECT h.inhparent::regclass::text FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident),
       (SELECT string_agg(tgname || ' ' || tgenabled::text, ', ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)
     FROM pg_class c WHERE c.oid = '${table}'::regclass`,
  )
}

/** A publication of the schema, if the server version has those. */
async function ofSchema({ rows }: Place): Promise<readonly string[]> {
  const [row] = await rows(`SELECT current_setting('server_version_num')::int >= 150000`)
  return row?.[0] === 't' || row?.[0] === 'true' ? ['FOR TABLES IN SCHEMA public'] : []
}

/** The quarter of today, or so many before it. */
function periodOf(ago: number): string {
  const now = new Date()
  const quarter = now.getUTCFullYear() * 4 + Math.floor(now.getUTCMonth() / 3) - ago
  return `${Math.floor(quarter / 4)}-Q${(quarter % 4) + 1}`
}

type Writer = { stop(): Promise<{ readonly count: number; readonly longestMs: number }> }

/** Writes with statements that are prepared once, until it is stopped. */
function writing(url: string, seed: number): Writer {
  let [stopped, count, longestMs] = [false, 0, 0]
  const done = (async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const insert = {
      name: 'insert',
      text: `INSERT INTO ${SQL} (price, "At") VALUES ($1, now() - interval '1 day') RETURNING *`,
    }
    const update = { name: 'update', text: `UPDATE ${SQL} SET price = price + 1 WHERE id = $1` }
    const select = { name: 'select', text: `SELECT * FROM ${SQL} WHERE id = $1` }
    while (!stopped) {
      const since = performance.now()
      const { rows } = await client.query<{ id: string }>({ ...insert, values: [1] })
      const { rowCount } = await client.query({ ...update, values: [1 + seed * 100 + (count % 100)] })
      const seen = await client.query({ ...select, values: [rows[0]?.id] })
      if (rowCount !== 1 || seen.rowCount !== 1) throw new Error('a row is not there')
      longestMs = Math.max(longestMs, performance.now() - since)
      count++
      await new Promise((resume) => setTimeout(resume, 2))
    }
    await client.end()
  })()
  done.catch(() => undefined)
  return {
    stop: async () => {
      stopped = true
      await done
      return { count, longestMs }
    },
  }
}
