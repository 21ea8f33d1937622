/** What halts a stream of PostgreSQL, and what does not: slots, publications, and DDL that no stream reports. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeSource, FollowedTable, StreamStart, StreamState } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { look as partitions, make } from './partition-kit.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { changesOf, keyed, LOGICAL } from './follow-source-kit.ts'

const NAME = 'sluice_watched'

let server: PostgresServer
let store: CopyStore
let source: ChangeSource
let sql: Psql
let tables: readonly FollowedTable[]
let startRecord: StreamStart

const TABLES = `
  CREATE TYPE mood AS ENUM ('sad', 'happy');
  CREATE TABLE plain (id int PRIMARY KEY, v text, m mood, n int);
  INSERT INTO plain SELECT i, 'v' || i, 'sad', i FROM generate_series(1, 20) i;
  CREATE TABLE parts (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
  CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
  INSERT INTO parts SELECT i, i, 'x' FROM generate_series(0, 19) i;
  CREATE TYPE spot AS (x int, y int);
  CREATE TYPE pair AS (a int, b int);
  CREATE TABLE other (id int PRIMARY KEY, at spot, pairs pair[])`

/** @param applied position that was applied; by default that of the slot */
const look = async (applied = source.position(startRecord.start)): Promise<StreamState> =>
  source.verify(startRecord, tables, applied, SIGNAL)
/** Position of a stream that has applied all changes. Checks once before: only later positions are clear about files. */
const end = async (): Promise<bigint> => {
  await look()
  return await source.fence(SIGNAL)
}
const halted = async (applied?: bigint): Promise<string[]> =>
  (await look(applied)).faults.map(({ code, tables: names, message }) => `${code} ${names.join()}: ${message}`)

describe.skipIf(!POSTGRES_OWN)(`verification of a stream of PostgreSQL ${POSTGRES_MISSING}`, () => {
  beforeAll(async () => {
    server = await startPostgres({ extraSettings: LOGICAL })
    await server.createDatabase('watched')
    sql = await psql(server.url('watched'))
    store = await openPostgresCopy(server.url('watched'))
    source = changesOf(store)
  })

  afterAll(async () => {
    await store?.[Symbol.asyncDispose]()
    await sql?.close()
    await server?.[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    await sql.run(`DROP SCHEMA IF EXISTS s, public CASCADE; CREATE SCHEMA public; ${TABLES}`)
    tables = await keyed(store, 'plain', 'parts', 'other')
    startRecord = await source.begin(NAME, tables, SIGNAL)
  })

  afterEach(() => source.end(NAME, SIGNAL))

  test('finds nothing while only rows, indexes, statistics and rights change', async () => {
    expect(await look()).toEqual({ faults: [], moved: {}, unclear: [] })
    await sql.run(`
      INSERT INTO plain VALUES (100, 'x'); UPDATE parts SET v = 'y'; DELETE FROM parts WHERE id = 3;
      CREATE INDEX ON plain (v); CREATE INDEX ON parts (v); GRANT SELECT ON plain TO PUBLIC; COMMENT ON TABLE plain IS 'x'`)
    await sql.run('ANALYZE')
    await sql.run('VACUUM plain, parts')
    expect(await look(await end())).toEqual({ faults: [], moved: {}, unclear: [] })
  })

  test('finds a slot that is gone, was created again or advanced, or has another plugin', async () => {
    const applied = source.position(startRecord.start)
    const drop = `SELECT pg_drop_replication_slot('${NAME}')`
    await sql.run(drop)
    expect(await halted()).toEqual([
      `SLOT_LOST public.plain,public.parts,public.other: replication slot ${NAME} no longer exists`,
    ])
    // Nothing but what slots write themselves was written meanwhile.
    await sql.run(`SELECT pg_create_logical_replication_slot('${NAME}', 'pgoutput')`)
    expect(await halted(applied)).toEqual([expect.stringContaining('was recreated or advanced')])
    // The last position that could have been applied before it was dropped: its own records come after it.
    await sql.run(drop)
    const before = await source.fence(SIGNAL)
    await sql.run(`SELECT pg_create_logical_replication_slot('${NAME}', 'pgoutput')`)
    expect(await halted(before)).toEqual([expect.stringContaining('was recreated or advanced')])
    await sql.run(drop)
    await sql.run(`SELECT pg_create_logical_replication_slot('${NAME}', 'test_decoding')`).catch(() => undefined)
    const [slot] = await sql.rows('SELECT plugin FROM pg_replication_slots')
    if (slot !== undefined) expect(await halted(await end())).toEqual([expect.stringContaining('plugin test_decoding')])
  })

  test('finds a slot that was advanced, and one that has lost its log', async () => {
    await sql.run('INSERT INTO other VALUES (1)')
    await sql.run(`SELECT pg_replication_slot_advance('${NAME}', pg_current_wal_lsn())`)
    expect(await halted()).toEqual([expect.stringContaining('was recreated or advanced')])
    await sql.run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    await sql.run('SELECT pg_reload_conf()')
    try {
      for (let i = 0; i < 4; i++) {
        await sql.run('CREATE TABLE churn AS SELECT 1 AS x')
        await sql.run('DROP TABLE churn')
        await sql.run('SELECT pg_switch_wal()')
      }
      await sql.run('CHECKPOINT')
      expect(await halted(await end())).toEqual([
        expect.stringMatching(/SLOT_LOST .* was invalidated by the server \(wal_removed\)/),
      ])
      expect((await source.lag(startRecord, SIGNAL)).status).toBe('lost')
    } finally {
      await sql.run('ALTER SYSTEM RESET max_slot_wal_keep_size')
      await sql.run('SELECT pg_reload_conf()')
    }
  })

  test('finds every change of the publication, even one that was undone', async () => {
    const narrower: readonly (readonly [string, string, RegExp])[] = [
      [
        `ALTER PUBLICATION ${NAME} DROP TABLE plain`,
        `ALTER PUBLICATION ${NAME} ADD TABLE plain`,
        /^PUBLICATION_CHANGED public.plain: .* does not send the table/,
      ],
      ['SELECT 1', 'SELECT 1', /^PUBLICATION_CHANGED public.plain: .* has another entry for the table: it was removed/],
      [
        `ALTER PUBLICATION ${NAME} SET TABLE plain WHERE (n > 3), parts, other`,
        'SELECT 1',
        /public.plain: .* or its row filter or column list changed/,
      ],
      [
        `ALTER PUBLICATION ${NAME} SET TABLE plain (id, v), parts, other`,
        'SELECT 1',
        /public.plain: .* or its row filter or column list changed/,
      ],
    ]
    for (const [change, back, message] of narrower) {
      await sql.run(change)
      expect(await halted(), change).toEqual([expect.stringMatching(message)])
      await sql.run(back)
    }
    await sql.run(`ALTER PUBLICATION ${NAME} SET (publish = 'insert')`)
    expect(await halted()).toEqual([
      expect.stringMatching(/sends insert; via root; n?, not insert, update, delete, truncate; via root; n?$/),
    ])
    await sql.run(`ALTER PUBLICATION ${NAME} SET (publish = 'insert, update, delete, truncate')`)
    expect(await halted()).toEqual([expect.stringMatching(/publication .* was changed$/)])
    await sql.run(
      `DROP PUBLICATION ${NAME}; CREATE PUBLICATION ${NAME} FOR TABLE plain, parts, other WITH (publish_via_partition_root = true)`,
    )
    expect(await halted()).toEqual([expect.stringContaining('was dropped and recreated')])
    await sql.run(`DROP PUBLICATION ${NAME}`)
    expect(await halted()).toEqual([
      expect.stringMatching(/^PUBLICATION_CHANGED public.plain,public.parts,public.other: .* is gone/),
    ])
  })

  const DDL: readonly (readonly [string, string])[] = [
    ['ALTER TABLE plain ADD COLUMN w int DEFAULT 7', 'public.plain: column w (integer) was added'],
    ['ALTER TABLE plain DROP COLUMN v', 'public.plain: column v was dropped'],
    ['ALTER TABLE plain RENAME COLUMN v TO w', 'public.plain: column v was renamed to w'],
    ['ALTER TABLE plain ALTER n TYPE bigint', 'public.plain: column n was integer and is bigint'],
    [
      'ALTER TABLE plain ALTER v TYPE text USING upper(v)',
      'public.plain: ALTER TABLE has rewritten its rows, perhaps column v',
    ],
    ["ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", 'public.plain: a type of its columns was changed (sad)'],
    ['ALTER TYPE spot DROP ATTRIBUTE y', 'public.other: the type spot of column at has other fields'],
    ['ALTER TYPE pair DROP ATTRIBUTE b', 'public.other: a composite type within its columns has other fields'],
    ['ALTER TABLE plain RENAME TO elsewhere', 'public.plain: it was renamed to public.elsewhere'],
    ['CREATE SCHEMA s; ALTER TABLE plain SET SCHEMA s', 'public.plain: it was renamed to s.plain'],
    ['ALTER TABLE plain REPLICA IDENTITY FULL', 'public.plain: its replica identity has changed'],
    ['ALTER TABLE parts DETACH PARTITION parts_1', 'public.parts: partition public.parts_1 was detached or dropped'],
    [
      'ALTER TABLE parts DETACH PARTITION parts_1; INSERT INTO parts_1 VALUES (100, 1); ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (0) TO (10)',
      'public.parts: partition public.parts_1 was detached and attached again',
    ],
    ['DROP TABLE parts_1', 'public.parts: partition public.parts_1 was detached or dropped'],
    [
      'CREATE TABLE more (LIKE parts INCLUDING ALL); INSERT INTO more VALUES (1, 25); ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30)',
      'public.parts: partition public.more was attached with rows',
    ],
    [
      `BEGIN; CREATE TABLE more AS SELECT 1 AS id, 25 AS day, ''::text AS v; ALTER TABLE more ADD PRIMARY KEY (id, day);
       ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30); COMMIT`,
      'public.parts: partition public.more was attached with rows',
    ],
    [
      `CREATE TABLE apart (LIKE parts INCLUDING ALL) PARTITION BY RANGE (day); CREATE TABLE more PARTITION OF apart FOR VALUES FROM (20) TO (30);
       INSERT INTO apart VALUES (1, 25); ALTER TABLE apart DETACH PARTITION more; ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30)`,
      'public.parts: partition public.more was attached with rows',
    ],
    [
      `BEGIN; CREATE TABLE more (LIKE parts INCLUDING ALL); SAVEPOINT a; INSERT INTO more VALUES (1, 25); RELEASE a;
       ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30); COMMIT`,
      'public.parts: partition public.more was attached with rows',
    ],
    [
      `CREATE TABLE more (LIKE parts INCLUDING ALL) PARTITION BY RANGE (day); CREATE TABLE below PARTITION OF more FOR VALUES FROM (20) TO (25);
       INSERT INTO more VALUES (1, 20); ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30)`,
      'public.parts: partition public.below was attached with rows',
    ],
    ['TRUNCATE parts_1', 'public.parts: TRUNCATE, VACUUM FULL or CLUSTER of partition public.parts_1'],
    ['VACUUM FULL parts_1', 'public.parts: TRUNCATE, VACUUM FULL or CLUSTER of partition public.parts_1'],
    // A new partition has its first file under its own OID. (Without COMMIT this would be one transaction.)
    [
      'CREATE TABLE more PARTITION OF parts FOR VALUES FROM (20) TO (30); INSERT INTO parts VALUES (1, 21); COMMIT; TRUNCATE more; INSERT INTO parts VALUES (2, 22)',
      'public.parts: TRUNCATE, VACUUM FULL or CLUSTER of partition public.more',
    ],
    [
      `CREATE TABLE more PARTITION OF parts FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (day); CREATE TABLE below PARTITION OF more DEFAULT;
       INSERT INTO parts VALUES (1, 21); COMMIT; TRUNCATE more`,
      'public.parts: TRUNCATE, VACUUM FULL or CLUSTER of partition public.below',
    ],
    [
      'CREATE TABLE more (LIKE parts INCLUDING ALL); ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30); INSERT INTO parts VALUES (1, 21); COMMIT; TRUNCATE more',
      'public.parts: TRUNCATE, VACUUM FULL or CLUSTER of partition public.more',
    ],
    [
      'ALTER TABLE parts ALTER v TYPE text USING upper(v)',
      'public.parts: TRUNCATE, VACUUM FULL or CLUSTER of partition public.parts_1 and 1 more',
    ],
    [
      'DROP TABLE other; CREATE TABLE other (id int PRIMARY KEY)',
      'public.other: publication sluice_watched does not send the table',
    ],
  ]
  test.each(DDL)('halts one table after %s', async (statement, message) => {
    await sql.run(statement)
    const found = await halted(await end())
    expect(found).toHaveLength(1)
    // Before PostgreSQL 17 the catalog stores the bound's position in its statement.
    const asBefore17 = message.replace('was detached and attached again', 'has other bounds')
    expect(found[0]).toContain((await server.major()) < 17 ? asBefore17 : message)
    // The other tables have no faults.
    const name = message.slice(0, message.indexOf(':'))
    tables = tables.filter(({ table }) => `public.${table.table.name}` !== name)
    expect((await look(await end())).faults).toEqual([])
  })

  const HARMLESS: readonly string[] = [
    'CREATE TABLE more PARTITION OF parts FOR VALUES FROM (20) TO (30)',
    // The stream sends its rows.
    'CREATE TABLE more PARTITION OF parts FOR VALUES FROM (20) TO (30); INSERT INTO parts VALUES (1, 21)',
    'BEGIN; SAVEPOINT a; CREATE TABLE more PARTITION OF parts FOR VALUES FROM (20) TO (30); INSERT INTO more VALUES (1, 21); COMMIT',
    'CREATE TABLE more (LIKE parts INCLUDING ALL); ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30)',
    'CREATE TABLE more PARTITION OF parts DEFAULT PARTITION BY RANGE (day); CREATE TABLE below PARTITION OF more FOR VALUES FROM (20) TO (25)',
    'CREATE TABLE more PARTITION OF parts FOR VALUES FROM (20) TO (30); COMMIT; GRANT SELECT ON more TO PUBLIC; CREATE INDEX ON more (v); ALTER TABLE more RENAME TO most; ALTER TABLE most SET (fillfactor = 50)',
    // What happens to its rows before it is a partition does not matter.
    'CREATE TABLE more (LIKE parts INCLUDING ALL); INSERT INTO more VALUES (1, 25); COMMIT; TRUNCATE more; COMMIT; ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30)',
    'ALTER TABLE parts_1 RENAME TO parts_first',
    "ALTER TYPE mood ADD VALUE 'calm'",
    'VACUUM FULL plain',
    'TRUNCATE plain',
  ]
  test.each(HARMLESS)('continues after %s, and records it once', async (statement) => {
    await sql.run(statement)
    const { faults, moved } = await look(await end())
    expect(faults).toEqual([])
    expect(Object.keys(moved)).toHaveLength(1)
    startRecord = { ...startRecord, shapes: { ...startRecord.shapes, ...moved } }
    expect(await look(await end())).toEqual({ faults: [], moved: {}, unclear: [] })
  })

  test('reports a replaced partition only after the stream has reached it', async () => {
    await sql.run('TRUNCATE parts_1')
    expect(await look()).toEqual({ faults: [], moved: {}, unclear: ['public.parts'] })
    expect(await halted(await source.fence(SIGNAL))).toHaveLength(1)
  })

  test('reports nothing about a partition that another session has locked', async () => {
    await sql.run(
      `CREATE TABLE more (LIKE parts INCLUDING ALL); INSERT INTO more VALUES (1, 25); ALTER TABLE parts ATTACH PARTITION more FOR VALUES FROM (20) TO (30)`,
    )
    await sql.run('BEGIN; LOCK TABLE more')
    expect(await look(await end())).toEqual({ faults: [], moved: {}, unclear: ['public.parts'] })
    await sql.run('ROLLBACK')
    expect(await halted(await end())).toHaveLength(1)
  })

  test('continues after a TRUNCATE of the whole table once the stream has sent it, and halts for one of a single partition', async () => {
    await sql.run('TRUNCATE parts')
    // Before the stream has sent it, the cause is unclear.
    expect(await look()).toEqual({ faults: [], moved: {}, unclear: ['public.parts'] })
    const stream = await source.open(startRecord, tables, source.position(startRecord.start), SIGNAL)
    try {
      const reported = async (): Promise<void> => {
        for (
          let types = '';
          !types.includes('truncate');
          types += (await stream.next(1000)).map(({ type }) => type).join()
        );
      }
      await reported()
      const { faults, moved } = await look(await end())
      expect(faults).toEqual([])
      expect(Object.keys(moved)).toEqual(['public.parts'])
      startRecord = { ...startRecord, shapes: { ...startRecord.shapes, ...moved } }
      expect(await look(await end())).toEqual({ faults: [], moved: {}, unclear: [] })
      await sql.run('TRUNCATE parts')
      await reported()
      await sql.run('INSERT INTO parts VALUES (1, 1); TRUNCATE parts_2')
      expect(await halted(await end())).toEqual([expect.stringContaining('of partition public.parts_2, or ALTER')])
      // Within a savepoint the transaction id is another one than the stream sends: it cannot be matched with TRUNCATEs
      // of all partitions.
      await sql.run('BEGIN; SAVEPOINT a; TRUNCATE parts; COMMIT')
      await reported()
      expect(await halted(await end())).toEqual([expect.stringContaining('and 1 more')])
    } finally {
      await stream[Symbol.asyncDispose]()
    }
  })

  test('continues after a TRUNCATE of the whole table that emptied a new partition too', async () => {
    await sql.run('CREATE TABLE more PARTITION OF parts FOR VALUES FROM (20) TO (30); INSERT INTO parts VALUES (1, 21)')
    await sql.run('TRUNCATE parts; INSERT INTO parts VALUES (2, 22)')
    expect(await look()).toEqual({ faults: [], moved: {}, unclear: ['public.parts'] })
    await using stream = await source.open(startRecord, tables, source.position(startRecord.start), SIGNAL)
    while (!(await stream.next(1000)).some(({ type }) => type === 'truncate'));
    const { faults, moved } = await look(await end())
    expect(faults).toEqual([])
    startRecord = { ...startRecord, shapes: { ...startRecord.shapes, ...moved } }
    expect(await look(await end())).toEqual({ faults: [], moved: {}, unclear: [] })
  })

  test('continues while partition ensure creates partitions, also with rows of the default partition and with writers', async () => {
    await source.end(NAME, SIGNAL)
    await sql.run(`
      SET TimeZone TO 'UTC'; CREATE TABLE bookings (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE bookings_q2 PARTITION OF bookings FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
      CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT;
      INSERT INTO bookings SELECT i, '2024-06-01'::timestamptz + i * interval '1 day' FROM generate_series(1, 150) i`)
    tables = await keyed(store, 'plain', 'bookings')
    startRecord = await source.begin(NAME, tables, SIGNAL)
    await sql.run("COMMENT ON PUBLICATION sluice_watched IS 'of somebody'")
    // First an empty one, then those for rows of the default partition, twice before the next check.
    await make(store, await partitions(store, 'bookings'), [
      ['bookings_q1', '2024-01-01 00:00:00+00', '2024-04-01 00:00:00+00'],
    ])
    await make(store, await partitions(store, 'bookings'), [
      ['bookings_q3', '2024-07-01 00:00:00+00', '2024-10-01 00:00:00+00'],
    ])
    await make(store, await partitions(store, 'bookings'), [
      ['bookings_q4', '2024-10-01 00:00:00+00', '2025-01-01 00:00:00+00'],
    ])
    await sql.run("INSERT INTO bookings VALUES (1000, '2024-02-01'), (1001, '2024-08-01'), (1002, '2024-11-01')")
    const { faults, moved } = await look(await end())
    expect(faults).toEqual([])
    expect(Object.keys(moved)).toEqual(['public.bookings'])
    const before = startRecord
    startRecord = { ...startRecord, shapes: { ...startRecord.shapes, ...moved } }
    expect(await look(await end())).toEqual({ faults: [], moved: {}, unclear: [] })
    await sql.run('ALTER TABLE bookings DETACH PARTITION bookings_q4')
    expect(await halted(await end())).toEqual([
      expect.stringContaining('partition public.bookings_q4 was detached or dropped'),
    ])
    startRecord = before
    expect(await halted(await end())).toEqual([
      expect.stringContaining('a partition that was attached later was detached or dropped'),
    ])
  })

  test('allows one reader: a restart by another program is refused, and ending the stream ends the reader', async () => {
    const stream = await source.open(startRecord, tables, source.position(startRecord.start), SIGNAL)
    try {
      const error = await source.begin(NAME, tables, SIGNAL).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        code: 'SLOT_ACTIVE',
        reason: expect.stringMatching(/^session \d+ of the server/) as string,
      })
      expect(await look(await end())).toEqual({ faults: [], moved: {}, unclear: [] })
      await source.end(NAME, SIGNAL)
      expect(await source.slots(SIGNAL)).toEqual([])
    } finally {
      await stream[Symbol.asyncDispose]()
    }
  })

  test('finds another server, database and timeline', async () => {
    for (const [fact, message] of [
      ['system', 'another server'],
      ['database', 'another database'],
      ['timeline', 'another timeline'],
    ] as const) {
      const other = { ...startRecord, facts: { ...startRecord.facts, [fact]: '99' } }
      const { faults } = await source.verify(other, tables, source.position(startRecord.start), SIGNAL)
      expect(faults).toMatchObject([{ code: 'OTHER_SERVER', message: expect.stringContaining(message) as string }])
    }
  })

  test('finds an earlier state of the server: its log ends before the applied position', async () => {
    await sql.run('INSERT INTO other VALUES (1)')
    const applied = (await source.fence(SIGNAL)) + 2n ** 30n
    const message = expect.stringMatching(/the server's log ends at .* restored to an earlier time/) as string
    expect((await look(applied)).faults).toMatchObject([{ code: 'OTHER_SERVER', message }])
    await expect(source.renew?.(startRecord, tables, applied, SIGNAL)).rejects.toMatchObject({
      code: 'STREAM_HALTED',
      message,
    })
    await expect(source.open(startRecord, tables, applied, SIGNAL)).rejects.toMatchObject({
      code: 'SLOT_LOST',
      message,
    })
    expect(await source.slots(SIGNAL)).toMatchObject([{ name: NAME, confirmed: startRecord.start }])
  })

  test('reports lag and slots', async () => {
    const before = await source.lag(startRecord, SIGNAL)
    await sql.run("INSERT INTO plain SELECT i, repeat('x', 1000) FROM generate_series(1000, 2000) i")
    const after = await source.lag(startRecord, SIGNAL)
    expect(after.heldBytes - before.heldBytes).toBeGreaterThan(1_000_000n)
    expect(after).toMatchObject({ status: 'reserved', safeBytes: null })
    expect(await source.slots(SIGNAL)).toMatchObject([
      { name: NAME, plugin: 'pgoutput', database: 'watched', active: false, ours: true, confirmed: startRecord.start },
    ])
    await source.end(NAME, SIGNAL)
    await source.end(NAME, SIGNAL)
    expect(await source.slots(SIGNAL)).toEqual([])
    expect(await sql.rows('SELECT pubname FROM pg_publication')).toEqual([])
    await expect(source.lag(startRecord, SIGNAL)).rejects.toMatchObject({ code: 'SLOT_LOST' })
  })
})
