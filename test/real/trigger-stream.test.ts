/**
 * PostgreSQL as a source with change logs written by triggers: what a batch reports, what halts a stream, and rights of
 * the triggers.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PacedStream } from '../../src/engine/follow/stream/paced-stream.ts'
import type { Change } from '../../src/model/copy/change.ts'
import { systemClock } from '../../src/shared/clock.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeSource, ChangeStream, FollowedTable, StreamStart } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { asked, keyed } from './follow-source-kit.ts'
import { look as partitions, make } from './partition-kit.ts'

const NAME = 'sluice_77'

let server: PostgresServer
let store: CopyStore
let source: ChangeSource
let sql: Psql
let tables: readonly FollowedTable[]
let startRecord: StreamStart

const TABLES = `
  CREATE TABLE plain (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v text, w text);
  INSERT INTO plain SELECT i, 'v' || i FROM generate_series(1, 20) i;
  CREATE TABLE parts (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
  CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
  INSERT INTO parts SELECT i, i, 'x' FROM generate_series(0, 19) i;
  CREATE TABLE other (id int PRIMARY KEY)`

const LOG = `${NAME}.keys_`

function triggersOf(one: CopyStore): ChangeSource {
  const found = one.offers.triggerChanges?.()
  if (found === undefined) throw new Error(`${one.label} tells no changes`)
  return found
}

/** The change log of a table, or the object whose name ends with that of the log. */
async function logOf(table: string, what = LOG): Promise<string> {
  const [[oid] = []] = await sql.rows(`SELECT '${table}'::regclass::oid`)
  return `${what}${String(oid)}`
}

const open = async (): Promise<ChangeStream> =>
  source.open(startRecord, tables, source.position(startRecord.start), SIGNAL)

/** The changes up to a commit in short form, or an empty list after some polls without any. */
async function reported(stream: ChangeStream, confirms = true): Promise<string[]> {
  const words: string[] = []
  for (let i = 0; i < 200; i++) {
    const changes = await stream.next(50)
    for (const change of changes) words.push(...wordsOf(change))
    const end = changes.find((change) => change.type === 'commit')
    if (end?.type === 'commit') {
      if (confirms) stream.confirm(end.end)
      return words
    }
    if (changes.length === 0 && words.length === 0 && i > 3) return words
  }
  return words
}

function wordsOf(change: Change): string[] {
  const name = (at: number): string => tables[at]?.table.table.name ?? ''
  switch (change.type) {
    case 'delete':
      return [`- ${name(change.table)} ${change.key.join(' ')}`]
    case 'insert':
    case 'update':
      return [`+ ${name(change.table)} ${change.row.join(' ')}`]
    case 'truncate':
      return [`0 ${change.tables.map(name).join(' ')}`]
    case 'reshaped':
      return [`! ${name(change.table)}`]
    default:
      return []
  }
}

/** Faults that later changes do not explain. */
const halted = async (): Promise<string[]> => {
  await source.verify(startRecord, tables, await source.fence(SIGNAL), SIGNAL)
  const { faults } = await source.verify(startRecord, tables, await source.fence(SIGNAL), SIGNAL)
  return faults.map(({ code, message }) => `${code} ${message}`)
}

describe.skipIf(!POSTGRES_OWN)(`a stream by triggers ${POSTGRES_MISSING}`, () => {
  beforeAll(async () => {
    server = await startPostgres({ extraSettings: ['wal_level=replica', 'fsync=off'] })
    await server.createDatabase('noted')
    sql = await psql(server.url('noted'))
    store = await openPostgresCopy(server.url('noted'))
    source = triggersOf(store)
  })

  afterAll(async () => {
    await store?.[Symbol.asyncDispose]()
    await sql?.close()
    await server?.[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    await sql.run(`DROP SCHEMA IF EXISTS s, evil, ${NAME}, public CASCADE; CREATE SCHEMA public; ${TABLES}`)
    tables = await keyed(store, 'plain', 'parts', 'other')
    startRecord = await source.begin(NAME, tables, SIGNAL)
  })

  afterEach(() => source.end(NAME, SIGNAL))

  test('reports rows with current values, both keys of a moved row, rows that changed partition, and no row twice', async () => {
    await using stream = await open()
    await sql.run(`
      BEGIN; UPDATE plain SET v = 'a' WHERE id = 1; SAVEPOINT a; UPDATE plain SET v = 'no' WHERE id = 2; ROLLBACK TO a;
      UPDATE plain SET id = 101 WHERE id = 3; UPDATE plain SET v = 'b' WHERE id = 1; DELETE FROM plain WHERE id = 4; COMMIT`)
    await sql.run(
      `UPDATE parts SET day = 15 WHERE id = 2; INSERT INTO other VALUES (7); DELETE FROM other WHERE id = 7`,
    )
    expect((await reported(stream)).toSorted()).toEqual([
      '+ parts 2 15 x',
      '+ plain 1 b ',
      '+ plain 101 v3 ',
      '- other 7',
      '- parts 2 2',
      '- plain 3',
      '- plain 4',
    ])
    expect(await reported(stream)).toEqual([])
    for (const table of ['plain', 'parts', 'other'])
      expect(await sql.rows(`SELECT FROM ${await logOf(table)}`)).toEqual([])
    // Keys that two rows had temporarily.
    await sql.run('BEGIN; UPDATE plain SET id = 6 WHERE id = 5; UPDATE plain SET id = 5 WHERE v = $$v6$$; COMMIT')
    expect((await reported(stream)).toSorted()).toEqual(['+ plain 5 v6 ', '+ plain 6 v5 '])
  })

  test('reports both spellings of a key that is equal to the one before', async () => {
    await source.end(NAME, SIGNAL)
    await sql.run(`
      CREATE COLLATION cased (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE spelled (k text COLLATE cased, i interval, v int, PRIMARY KEY (k, i));
      INSERT INTO spelled VALUES ('a', '1 day', 1), ('b', '30 days', 2), ('c', '2 days', 3)`)
    tables = await keyed(store, 'spelled')
    startRecord = await source.begin(NAME, tables, SIGNAL)
    await using stream = await open()
    await sql.run(`UPDATE spelled SET k = 'A' WHERE v = 1; UPDATE spelled SET i = '1 mon' WHERE v = 2;
      UPDATE spelled SET k = 'C' WHERE v = 3; UPDATE spelled SET k = 'c' WHERE v = 3`)
    expect((await reported(stream)).toSorted()).toEqual([
      '+ spelled A P1D 1',
      '+ spelled b P1M 2',
      '+ spelled c P2D 3',
      '- spelled C P2D',
      '- spelled a P1D',
      '- spelled b P30D',
    ])
  })

  test('reports a number once whose digits changed and whose value did not', async () => {
    await source.end(NAME, SIGNAL)
    await sql.run('CREATE TABLE digits (n numeric PRIMARY KEY, v int); INSERT INTO digits VALUES (1.0, 1), (2, 2)')
    tables = await keyed(store, 'digits')
    startRecord = await source.begin(NAME, tables, SIGNAL)
    await using stream = await open()
    await sql.run(
      'UPDATE digits SET n = 1.00 WHERE v = 1; UPDATE digits SET n = 2.0 WHERE v = 2; DELETE FROM digits WHERE v = 2',
    )
    expect((await reported(stream)).toSorted()).toEqual(['+ digits 1 1', '- digits 2'])
  })

  test('continues while partition ensure creates partitions, also with rows of the default one, and records their changes', async () => {
    await source.end(NAME, SIGNAL)
    await sql.run(`
      SET TimeZone TO 'UTC'; CREATE TABLE bookings (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT;
      INSERT INTO bookings SELECT i, '2024-06-01'::timestamptz + i * interval '1 day' FROM generate_series(1, 150) i`)
    tables = await keyed(store, 'plain', 'bookings')
    startRecord = await source.begin(NAME, tables, SIGNAL)
    const partition = (name: string, low: string, high: string): Promise<unknown> =>
      partitions(store, 'bookings').then((found) =>
        make(store, found, [[name, `${low} 00:00:00+00`, `${high} 00:00:00+00`]]),
      )
    await partition('bookings_q1', '2024-01-01', '2024-04-01')
    await partition('bookings_q3', '2024-07-01', '2024-10-01')
    await partition('bookings_q4', '2024-10-01', '2025-01-01')
    expect(await halted()).toEqual([])
    await using stream = await open()
    expect(await reported(stream)).toEqual([])
    await sql.run(
      "INSERT INTO bookings VALUES (1000, '2024-02-01'), (1001, '2024-08-01'); DELETE FROM bookings WHERE id = 40",
    )
    expect((await reported(stream)).map((line) => line.slice(0, 15)).toSorted()).toEqual([
      '+ bookings 1000',
      '+ bookings 1001',
      '- bookings 40 2',
    ])
    await sql.run('ALTER TABLE bookings DETACH PARTITION bookings_q4')
    expect(await halted()).toEqual([
      expect.stringContaining('a partition that was attached later was detached or dropped'),
    ])
  })

  test('a lower number that commits later is not lost', async () => {
    await using stream = await open()
    const slow = await psql(server.url('noted'))
    await slow.run('BEGIN; UPDATE plain SET v = $$slow$$ WHERE id = 1')
    await sql.run('UPDATE plain SET v = $$quick$$ WHERE id = 2')
    expect(await reported(stream)).toEqual(['+ plain 2 quick '])
    await sql.run('UPDATE plain SET w = $$quicker$$ WHERE id = 2')
    await slow.run('COMMIT')
    await slow.close()
    expect((await reported(stream)).toSorted()).toEqual(['+ plain 1 slow ', '+ plain 2 quick quicker'])
  })

  test('an unconfirmed batch is sent again, with the current rows', async () => {
    {
      await using stream = await open()
      await sql.run('UPDATE plain SET v = $$a$$ WHERE id = 1; DELETE FROM plain WHERE id = 2')
      expect(await reported(stream, false)).toEqual(['- plain 2', '+ plain 1 a '])
      // Nothing else is reported before.
      await sql.run('UPDATE plain SET v = $$b$$ WHERE id = 1; INSERT INTO plain VALUES (2, $$back$$)')
      expect(await stream.next(0)).toEqual([])
    }
    await using stream = await open()
    expect((await reported(stream)).toSorted()).toEqual(['+ plain 1 b ', '+ plain 2 back '])
  })

  test('reports the keys of a large batch as deleted before its rows, if other values must be unique', async () => {
    await sql.run(`
      ALTER TABLE plain ADD UNIQUE (v); INSERT INTO plain SELECT i, 'v' || i FROM generate_series(21, 11000) i;
      INSERT INTO parts SELECT i, 5, 'x' FROM generate_series(100, 11100) i`)
    await using stream = await open()
    const words = await reported(stream)
    const at = (start: string): number => words.findIndex((word) => word.startsWith(start))
    expect(words.filter((word) => word.startsWith('- plain '))).toHaveLength(10_980)
    expect(words.filter((word) => word.startsWith('+ plain '))).toHaveLength(10_980)
    expect(words.findLastIndex((word) => word.startsWith('- plain '))).toBeLessThan(at('+ plain '))
    expect(words.filter((word) => word.startsWith('- parts '))).toEqual([])
  })

  test('a batch of few rows with long texts is large, too', async () => {
    await sql.run('ALTER TABLE plain ADD UNIQUE (v)')
    await using stream = await open()
    const rotate = (length: number): string => `
      DELETE FROM plain WHERE id = 20; UPDATE plain SET v = '-' || id;
      UPDATE plain SET v = 'v' || id % 19 + 1, w = repeat('x', ${length})`
    await sql.run(rotate(1_000_000))
    const small = await reported(stream)
    expect(small.slice(0, 1)).toEqual(['- plain 20'])
    expect(small.slice(1).every((word) => word.startsWith('+ plain '))).toBe(true)
    await sql.run(rotate(2_000_000))
    const large = await reported(stream)
    expect(large.slice(0, 19).every((word) => word.startsWith('- plain '))).toBe(true)
    expect(large.slice(19).every((word) => word.startsWith('+ plain '))).toBe(true)
    expect(large).toHaveLength(38)
    await sql.run(`UPDATE parts SET v = repeat('x', 2000000)`)
    expect((await reported(stream)).every((word) => word.startsWith('+ parts '))).toBe(true)
  })

  test('a TRUNCATE is reported with the rows that came after it', async () => {
    await using stream = await open()
    await sql.run(
      'TRUNCATE plain, parts; INSERT INTO plain VALUES (1, $$new$$); INSERT INTO parts VALUES (1, 1, $$p$$)',
    )
    const words = await reported(stream)
    expect(words[0]).toBe('0 plain parts')
    expect(words.slice(1).toSorted()).toEqual(['+ parts 1 1 p', '+ plain 1 new '])
    const { faults, moved } = await source.verify(startRecord, tables, await source.fence(SIGNAL), SIGNAL)
    expect(faults).toEqual([])
    expect(Object.keys(moved).toSorted()).toEqual(['public.parts', 'public.plain'])
  })

  test('holds no lock at the source while it is slowed', async () => {
    await using stream = await open()
    let isPaused = true
    const paced = new PacedStream(stream, { rate: () => null, isPaused: () => isPaused, clock: systemClock })
    await sql.run('UPDATE plain SET v = $$p$$ WHERE id = 1')
    expect(await paced.next(20)).toEqual([])
    await sql.run(`SET lock_timeout = '1s'; LOCK TABLE plain IN ACCESS EXCLUSIVE MODE; RESET lock_timeout`)
    isPaused = false
    expect((await paced.next(500))[0]).toMatchObject({ type: 'begin' })
    isPaused = true
    // A batch that has begun is completed.
    expect(await reported(paced)).toEqual(['+ plain 1 p '])
  })

  test('a batch that reaches a position has all changes of earlier snapshots, even without writers', async () => {
    await using stream = await open()
    for (let i = 0; i < 3; i++) {
      const fence = await source.fence(SIGNAL)
      let reached = false
      for (let tries = 0; tries < 100 && !reached; tries++)
        reached = (await stream.next(20)).some((change) => change.type === 'idle' && change.position >= fence)
      expect(reached).toBe(true)
    }
  })

  test.each([
    [
      'DROP TRIGGER " sluice_77_rows" ON plain; ALTER TABLE parts_2 DISABLE TRIGGER ALL',
      /^TRIGGERS_CHANGED public.plain: .* rows of it was dropped/,
      /^TRIGGERS_CHANGED public.parts: .* partition public.parts_2 was dropped or disabled/,
    ],
    [
      'DROP TRIGGER " sluice_77_emptied" ON plain; ALTER TABLE parts_2 DISABLE TRIGGER ALL; ALTER TABLE parts_2 ENABLE ALWAYS TRIGGER " sluice_77_rows"',
      /^TRIGGERS_CHANGED public.plain: .* TRUNCATE of it was dropped/,
      /^TRIGGERS_CHANGED public.parts: a trigger on partition public.parts_2 was recreated or altered/,
    ],
    [
      'ALTER TABLE plain DISABLE TRIGGER ALL; TRUNCATE parts_1; ALTER TABLE other ADD COLUMN more int',
      /^TRIGGERS_CHANGED public.plain: .* dropped or disabled/,
      /^TABLE_CHANGED public.parts: TRUNCATE/,
      /^TABLE_CHANGED public.other: column more/,
    ],
    [
      `ALTER TABLE plain RENAME TO simple; ALTER TABLE other ALTER id TYPE bigint; CREATE TABLE parts_3 AS SELECT 30 AS id, 25 AS day, NULL::text AS v;
       ALTER TABLE parts_3 ALTER id SET NOT NULL, ALTER day SET NOT NULL; ALTER TABLE parts ATTACH PARTITION parts_3 FOR VALUES FROM (20) TO (30)`,
      /^TABLE_CHANGED public.plain: it was renamed to public.simple/,
      /^TABLE_CHANGED public.parts: partition public.parts_3 was attached with rows/,
      /^TABLE_CHANGED public.other: column id/,
    ],
    [
      'ALTER TABLE plain DROP CONSTRAINT plain_pkey; DROP TABLE other',
      /^TRIGGERS_CHANGED public.plain: the columns of its key/,
      /^TABLE_CHANGED public.other: it is gone/,
    ],
    [`DROP SCHEMA ${NAME} CASCADE`, /^SLOT_LOST the logs of the stream are gone/],
    [
      `UPDATE ${NAME}.progress SET forgotten = 'FFFFFFFF/0'`,
      /^SLOT_LOST notes up to FFFFFFFF.0 were removed from the logs/,
    ],
  ])('halts after %s', async (statements, ...faults) => {
    await sql.run(statements)
    expect(await halted()).toEqual(faults.map((fault) => expect.stringMatching(fault)))
  })

  test('halts after a change of its log or its trigger function, and a log cannot be emptied by mistake', async () => {
    const [plain, parts, other, note] = [
      await logOf('plain'),
      await logOf('parts'),
      await logOf('other'),
      await logOf('plain', `${NAME}.note_`),
    ]
    await sql.run('UPDATE plain SET v = $$x$$; UPDATE parts SET v = $$x$$')
    for (const statement of [`DELETE FROM ${plain}`, `TRUNCATE ${plain}`])
      await expect(sql.run(statement)).rejects.toThrow(/is the log of stream sluice_77/)
    expect(await halted()).toEqual([])
    await sql.run(`CREATE OR REPLACE FUNCTION ${note}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
    await sql.run(
      `ALTER TABLE ${parts} DISABLE TRIGGER ALL; TRUNCATE ${parts}; ALTER TABLE ${parts} ENABLE ALWAYS TRIGGER guard`,
    )
    await sql.run(`ALTER TABLE ${other} RENAME TO gone`)
    expect(await halted()).toEqual([
      expect.stringMatching(/^TRIGGERS_CHANGED public.plain: the function that records its changes in .* was replaced/),
      expect.stringMatching(/^TRIGGERS_CHANGED public.parts: the triggers of its log .* were changed/),
      expect.stringMatching(/^TRIGGERS_CHANGED public.other: its log .* is gone/),
    ])
  })

  test('continues when partitions are created, indexes rebuilt, tables vacuumed', async () => {
    await sql.run('CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (20) TO (30)')
    await sql.run('REINDEX TABLE CONCURRENTLY plain')
    await sql.run('VACUUM FULL plain')
    const state = await source.verify(startRecord, tables, await source.fence(SIGNAL), SIGNAL)
    expect(state.faults).toEqual([])
    startRecord = { ...startRecord, shapes: { ...startRecord.shapes, ...state.moved } }
    await using stream = await open()
    await sql.run('INSERT INTO parts VALUES (1, 25, $$n$$); UPDATE plain SET v = $$r$$ WHERE id = 9')
    expect((await reported(stream)).toSorted()).toEqual(['+ parts 1 25 n', '+ plain 9 r '])
    expect(await halted()).toEqual([])
  })

  test('halts if a partition comes and goes, and reports it before its rows', async () => {
    await sql.run('CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (20) TO (30)')
    await sql.run('INSERT INTO parts VALUES (1, 25, $$n$$); UPDATE plain SET v = $$r$$ WHERE id = 9')
    await using stream = await open()
    const changes = await stream.next(1000)
    expect(changes.map(({ type }) => type)).toEqual(['begin'])
    expect(await stream.next(1000)).toMatchObject([{ type: 'partition', name: 'public.parts_3' }])
    expect((await reported(stream)).toSorted()).toEqual(['+ parts 1 25 n', '+ plain 9 r '])
    // It is reported once.
    await sql.run('INSERT INTO parts VALUES (2, 25, $$n$$)')
    expect(await reported(stream)).toEqual(['+ parts 2 25 n'])
    expect(await halted()).toEqual([])
    await sql.run('DROP TABLE parts_3')
    expect(await halted()).toEqual([expect.stringMatching(/partition public.parts_3 was detached or dropped/)])
  })

  test('records the writes of every role, whatever its search path, and gives none of them more rights', async () => {
    await sql.run(`
      DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA public TO clerk; GRANT SELECT, INSERT, UPDATE, DELETE ON plain, parts TO clerk;
      GRANT CREATE ON DATABASE noted TO clerk`)
    await using stream = await open()
    const clerk = await psql(server.url('noted', 'clerk', 'x'))
    await clerk.run(`
      CREATE SCHEMA evil; CREATE FUNCTION evil.txid_current() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
      CREATE FUNCTION evil.never(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.never);
      SET search_path TO evil, pg_catalog, public`)
    await clerk.run(
      'UPDATE public.plain SET v = $$c$$ WHERE id OPERATOR(pg_catalog.=) 1; INSERT INTO public.parts VALUES (5, 5, $$c$$) ON CONFLICT DO NOTHING',
    )
    await clerk.run('DELETE FROM public.plain WHERE id OPERATOR(pg_catalog.=) 2')
    await sql.run(
      'SET session_replication_role = replica; UPDATE plain SET v = $$r$$ WHERE id = 3; RESET session_replication_role',
    )
    expect((await reported(stream)).toSorted()).toEqual(['+ plain 1 c ', '+ plain 3 r ', '- plain 2'])
    const [log, note] = [await logOf('plain'), await logOf('plain', `${NAME}.note_`)]
    for (const statement of [
      `SELECT FROM ${log}`,
      `INSERT INTO ${log} (emptied) VALUES (true)`,
      `SELECT FROM ${NAME}.progress`,
      `SELECT ${note}()`,
      `CREATE TABLE evil.t (id int); CREATE TRIGGER t AFTER INSERT ON evil.t FOR EACH ROW EXECUTE FUNCTION ${note}()`,
    ])
      await expect(clerk.run(statement)).rejects.toThrow(/permission denied/)
    await clerk.close()
    await sql.run('DROP OWNED BY clerk; DROP ROLE clerk')
  })

  test('needs only the rights of the guide, and copies tables again within the stream', async () => {
    await source.end(NAME, SIGNAL)
    await sql.run(`
      CREATE ROLE keeper LOGIN PASSWORD 'x'; GRANT CREATE ON DATABASE noted TO keeper; ALTER TABLE plain OWNER TO keeper; ALTER TABLE parts OWNER TO keeper; ALTER TABLE parts_1 OWNER TO keeper;
      ALTER TABLE parts_2 OWNER TO keeper; GRANT USAGE ON SCHEMA public TO keeper`)
    await using own = await openPostgresCopy(server.url('noted', 'keeper', 'x'))
    const noting = triggersOf(own)
    const two = await asked(own, 'plain', 'parts', 'other')
    const { refusals } = await noting.inspect(two, SIGNAL)
    expect(refusals.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^public.other belongs to role .*, and only its owner may create triggers on it that always fire/,
      ),
    ])
    tables = await keyed(own, 'plain', 'parts')
    startRecord = await noting.begin(NAME, tables, SIGNAL)
    expect(await noting.cost?.(tables, SIGNAL)).toHaveLength(2)
    {
      await using stream = await noting.open(startRecord, tables, noting.position(startRecord.start), SIGNAL)
      await sql.run('UPDATE plain SET v = $$k$$ WHERE id = 1')
      expect(await reported(stream)).toEqual(['+ plain 1 k '])
    }
    await sql.run(
      `ALTER TABLE plain DISABLE TRIGGER ALL; UPDATE plain SET v = 'unseen' WHERE id = 2; ALTER TABLE plain ADD COLUMN more int; UPDATE parts SET v = 'seen' WHERE id = 2`,
    )
    const applied = await noting.fence(SIGNAL)
    const { faults } = await noting.verify(startRecord, tables, applied, SIGNAL)
    expect(faults.map((one) => one.tables)).toEqual([['public.plain']])
    tables = await keyed(own, 'plain', 'parts')
    for (let twice = 0; twice < 2; twice++)
      startRecord = (await noting.renew?.(startRecord, tables.slice(0, 1), applied, SIGNAL)) ?? startRecord
    expect((await noting.verify(startRecord, tables, await noting.fence(SIGNAL), SIGNAL)).faults).toEqual([])
    {
      await using stream = await noting.open(startRecord, tables, noting.position(startRecord.start), SIGNAL)
      await sql.run('UPDATE plain SET more = 5 WHERE id = 3')
      expect((await reported(stream)).toSorted()).toEqual(['+ parts 2 2 seen', '+ plain 3 v3  5'])
    }
    await noting.end(NAME, SIGNAL)
    expect(await sql.rows(`SELECT tgname FROM pg_trigger WHERE tgname ~ 'sluice'`)).toEqual([])
    await sql.run('REASSIGN OWNED BY keeper TO CURRENT_USER; DROP OWNED BY keeper; DROP ROLE keeper')
  })

  test('grants nothing by default privileges', async () => {
    await source.end(NAME, SIGNAL)
    await sql.run(`
      DROP ROLE IF EXISTS anybody; CREATE ROLE anybody; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC;
      ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC`)
    startRecord = await source.begin(NAME, tables, SIGNAL)
    await sql.run(`
      ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM PUBLIC`)
    const [row] = await sql.rows(`
      SELECT has_schema_privilege('anybody', '${NAME}', 'USAGE'), (SELECT bool_or(has_table_privilege('anybody', oid, 'SELECT, INSERT, DELETE')) FROM pg_class
        WHERE relnamespace = '${NAME}'::regnamespace AND relkind = 'r'), (SELECT bool_or(has_sequence_privilege('anybody', oid, 'USAGE, UPDATE')) FROM pg_class
        WHERE relnamespace = '${NAME}'::regnamespace AND relkind = 'S'), (SELECT bool_or(has_function_privilege('anybody', oid, 'EXECUTE')) FROM pg_proc
        WHERE pronamespace = '${NAME}'::regnamespace)`)
    expect(row).toEqual(['f', 'f', 'f', 'f'])
    await sql.run('DROP ROLE anybody')
  })

  test('a second start removes the objects of the first one, and the end removes all', async () => {
    await sql.run('UPDATE plain SET v = $$x$$')
    startRecord = await source.begin(NAME, tables, SIGNAL)
    expect(await sql.rows(`SELECT count(*) FROM ${await logOf('plain')}`)).toEqual([['0']])
    expect(await halted()).toEqual([])
    await source.end(NAME, SIGNAL)
    await source.end(NAME, SIGNAL)
    expect(await sql.rows(`SELECT tgname FROM pg_trigger WHERE tgname ~ 'sluice'`)).toEqual([])
    expect(await sql.rows(`SELECT nspname FROM pg_namespace WHERE nspname ~ 'sluice'`)).toEqual([])
  })

  test('two streams record one table independently', async () => {
    const second = await source.begin('sluice_78', tables, SIGNAL)
    await using stream = await open()
    await using reference = await source.open(second, tables, source.position(second.start), SIGNAL)
    await sql.run('UPDATE plain SET v = $$x$$ WHERE id = 1')
    expect(await reported(stream)).toEqual(['+ plain 1 x '])
    expect(await reported(reference)).toEqual(['+ plain 1 x '])
    for (const name of ['plain', 'parts', 'parts_1'])
      expect(await source.streamsOf?.({ schema: 'public', name }, SIGNAL)).toEqual([NAME, 'sluice_78'])
    expect(await source.streamsOf?.({ schema: 'public', name: 'nowhere' }, SIGNAL)).toEqual([])
    await source.end('sluice_78', SIGNAL)
    expect(await halted()).toEqual([])
  })

  test('measures the cost for writers, and refuses by name', async () => {
    expect(await source.cost?.(tables, SIGNAL)).toEqual([
      expect.stringMatching(
        /^public\.p.*: a write of one row takes [\d.]+ ms, (?:with the trigger [\d.]+ ms|and the trigger adds less than the variation of the measured times \([\d.]+ ms with the trigger\)); measured with 100 writes/,
      ),
      expect.stringMatching(/^public\.p.* measured with 100 writes of each kind to a copy of 20 rows/),
      expect.stringMatching(/^public.other has no rows/),
    ])
    await sql.run(`
      CREATE TABLE bare (v int); CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY); CREATE TABLE above (id int PRIMARY KEY); CREATE TABLE below () INHERITS (above);
      CREATE TABLE whole (id int PRIMARY KEY, v int, w int GENERATED ALWAYS AS (v * 2) STORED); ALTER TABLE whole REPLICA IDENTITY NOTHING`)
    const { refusals, identities, wal } = await source.inspect(
      await asked(store, 'bare', 'fleeting', 'above', 'whole', 'parts_1', 'parts'),
      SIGNAL,
    )
    expect(refusals.map(({ message }) => message)).toEqual([
      'public.bare has no primary key, which triggers need to record its rows',
      'public.fleeting is unlogged: it is empty after a crash, which is not reported as a change',
      'public.above has tables that inherit from it, and triggers on it do not record their rows',
      'public.parts_1 is a partition of public.parts, which is in the stream, too',
    ])
    expect(identities.map((one) => one.join(' '))).toEqual(['', '', '', 'id', '', 'id day'])
    expect(wal).toBeNull()
  })
})
