/** Reasons against following a source: the preflight check names all of them at once, before it creates anything. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeSource, FollowedTable } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import {
  PASSWORD,
  POSTGRES_MISSING,
  POSTGRES_OWN,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { asked, changesOf, followed, LOGICAL } from './follow-source-kit.ts'

let server: PostgresServer
let store: CopyStore
let source: ChangeSource
let sql: Psql

const refusals = async (...names: readonly string[]): Promise<string[]> => refusalsOf(await asked(store, ...names))
const refusalsOf = async (tables: readonly FollowedTable[]): Promise<string[]> =>
  (await source.inspect(tables, SIGNAL)).refusals.map(({ message, hint }) => `${message} → ${hint}`)

describe.skipIf(!POSTGRES_OWN)(`preflight check of a source of PostgreSQL ${POSTGRES_MISSING}`, () => {
  beforeAll(async () => {
    server = await startPostgres({ extraSettings: LOGICAL })
    await server.createDatabase('examined')
    sql = await psql(server.url('examined'))
    await sql.run('CREATE TABLE good (id int PRIMARY KEY, v text)')
    store = await openPostgresCopy(server.url('examined'))
    source = changesOf(store)
  })

  afterAll(async () => {
    await store?.[Symbol.asyncDispose]()
    await sql?.close()
    await server?.[Symbol.asyncDispose]()
  })

  test('a table with a key passes, and what the stream does not report is named', async () => {
    const preflight = await source.inspect(await asked(store, 'good'), SIGNAL)
    expect(preflight.refusals).toEqual([])
    expect(preflight.identities).toEqual([['id']])
    expect(preflight.notes).toEqual([
      expect.stringMatching(/positions of sequences, large objects, or TRUNCATE.*DDL halts the stream/),
    ])
    expect(preflight.wal).toMatchObject({
      limitBytes: null,
      freeBytes: null,
      bytesPerSecond: expect.any(Number) as number,
    })
  })

  test('a table without a usable replica identity is refused', async () => {
    await sql.run(`
      CREATE TABLE none (id int);
      CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE);
      CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
      CREATE TABLE full_key (a int NOT NULL, b text NOT NULL, c int, UNIQUE (b, a)); ALTER TABLE full_key REPLICA IDENTITY FULL;
      CREATE TABLE full_none (a int, b int UNIQUE); ALTER TABLE full_none REPLICA IDENTITY FULL;
      CREATE TABLE full_late (a int NOT NULL UNIQUE DEFERRABLE); ALTER TABLE full_late REPLICA IDENTITY FULL;
      CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL, x int); CREATE UNIQUE INDEX by_code ON by_index (code) INCLUDE (x);
      ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_code;
      CREATE TABLE index_gone (id int PRIMARY KEY, code text NOT NULL); CREATE UNIQUE INDEX gone ON index_gone (code);
      ALTER TABLE index_gone REPLICA IDENTITY USING INDEX gone; DROP INDEX gone`)
    const preflight = await source.inspect(await asked(store, 'by_index', 'full_key'), SIGNAL)
    expect(preflight.refusals).toEqual([])
    expect(preflight.identities).toEqual([['code'], ['b', 'a']])
    const names = ['none', 'deferred', 'nothing', 'full_none', 'full_late', 'index_gone']
    expect(await refusals(...names)).toEqual([
      expect.stringContaining('public.none has no primary key that identifies its rows'),
      expect.stringContaining('public.deferred has no primary key that identifies its rows'),
      expect.stringContaining('public.nothing has REPLICA IDENTITY NOTHING'),
      expect.stringContaining('public.full_none has REPLICA IDENTITY FULL, and no unique key'),
      expect.stringContaining('public.full_late has REPLICA IDENTITY FULL, and no unique key'),
      expect.stringContaining('public.index_gone lacks the index'),
    ])
    const [table] = await asked(store, 'by_index')
    const narrow = { ...table!, columns: table!.columns.filter(({ name }) => name !== 'code') }
    expect(await refusalsOf([narrow])).toEqual([
      expect.stringContaining('identifies its rows by code, which is not copied'),
    ])
  })

  test('changes that no log reports are refused', async () => {
    const is18 = (await server.major()) >= 18
    await sql.run(`
      CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
      CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
      CREATE TABLE rich (id int PRIMARY KEY); CREATE TABLE richer (more int, PRIMARY KEY (id)) INHERITS (rich);
      CREATE TABLE made (id int PRIMARY KEY, s int GENERATED ALWAYS AS (id + 1) STORED, v int GENERATED ALWAYS AS (id + 2) ${is18 ? 'VIRTUAL' : 'STORED'});
      CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w;
      CREATE TABLE mixed (id int) PARTITION BY RANGE (id);
      CREATE FOREIGN TABLE mixed_far PARTITION OF mixed FOR VALUES FROM (0) TO (10) SERVER far;
      CREATE UNLOGGED TABLE mixed_light PARTITION OF mixed FOR VALUES FROM (10) TO (20);
      CREATE TABLE named (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE named_1 PARTITION OF named FOR VALUES FROM (0) TO (10);
      CREATE TABLE named_2 PARTITION OF named FOR VALUES FROM (10) TO (20); ALTER TABLE named_2 REPLICA IDENTITY FULL;
      CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE whole_1 PARTITION OF whole DEFAULT`)
    expect(await refusals('unlogged', 'parent', 'rich', 'named', 'whole', 'whole_1')).toEqual([
      expect.stringContaining('public.unlogged is unlogged: its rows are not in the log'),
      expect.stringContaining('public.parent has tables that inherit from it'),
      expect.stringContaining('public.rich has tables that inherit from it'),
      expect.stringContaining('public.named has the partition public.named_2 with another replica identity'),
      expect.stringContaining('public.whole_1 is a partition of public.whole, which is in the stream, too'),
    ])
    expect(await refusals('mixed')).toEqual([
      expect.stringContaining('public.mixed has no primary key'),
      expect.stringContaining('public.mixed has the foreign table public.mixed_far'),
      expect.stringContaining('public.mixed has the unlogged partition public.mixed_light'),
    ])
    const [table] = await asked(store, 'made')
    const columns = table!.table.columns.map((column) => ({ name: column.name, as: column.type, column }))
    const untold = is18
      ? ['v, which a stream does not report, because it is not stored']
      : ['s', 'v'].map((name) => `${name}, which servers before PostgreSQL 18 do not report`)
    expect(await refusalsOf([{ ...table!, columns }])).toEqual(
      untold.map((what): unknown => expect.stringContaining(`public.made has the generated column ${what}`)),
    )
    if (is18) {
      await sql.run(`CREATE TABLE virtual (id int PRIMARY KEY, v int GENERATED ALWAYS AS (id + 1) VIRTUAL)`)
      expect(await refusals('virtual')).toEqual([])
      await sql.run('ALTER TABLE virtual REPLICA IDENTITY FULL')
      expect(await refusals('virtual')).toEqual([
        expect.stringContaining(
          'public.virtual has REPLICA IDENTITY FULL, and the generated column v, which is not stored',
        ),
      ])
    }
    const gone = await asked(store, 'good')
    expect(
      await refusalsOf(
        gone.map((one) => ({ ...one, table: { ...one.table, table: { schema: 'public', name: 'go"ne' } } })),
      ),
    ).toEqual([expect.stringContaining('no longer exists')])
  })

  test('a prepared transaction is refused with its age; open ones are a note', async () => {
    const other = await psql(server.url())
    await other.run(`BEGIN; CREATE TABLE p (x int); PREPARE TRANSACTION 'it''s open'`)
    const writer = await psql(server.url('examined'))
    await writer.run("SET application_name TO 'nightly'; BEGIN; INSERT INTO good VALUES (1)")
    const preflight = await source.inspect(await asked(store, 'good'), SIGNAL)
    expect(preflight.refusals.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^prepared transaction 'it''s open' of sluice in database postgres is open for \d+ s/),
    ])
    expect(preflight.notes[0]).toMatch(/session \d+ of sluice in database examined \(nightly\), open for \d+ s/)
    await other.run("ROLLBACK PREPARED 'it''s open'")
    await other.close()
    await writer.close()
  })

  test('missing rights are refused; with exactly those of the guide, a stream is created and removed', async () => {
    await sql.run(`
      CREATE ROLE follower LOGIN PASSWORD '${PASSWORD}';
      CREATE SCHEMA app; CREATE TABLE app.mine (id int PRIMARY KEY); INSERT INTO app.mine VALUES (1)`)
    const url = server.url('examined', 'follower', PASSWORD)
    await sql.run('GRANT USAGE ON SCHEMA app TO follower; GRANT SELECT ON app.mine TO follower')
    await using poor = await openPostgresCopy(url)
    const tables = await asked(poor, 'app.mine')
    const found = (await changesOf(poor).inspect(tables, SIGNAL)).refusals.map(
      ({ message, hint }) => `${message} → ${hint}`,
    )
    expect(found).toEqual([
      'role follower may not use replication slots → ALTER ROLE follower REPLICATION (on Amazon RDS: GRANT rds_replication TO follower)',
      'role follower may not create a publication in database examined → GRANT CREATE ON DATABASE examined TO follower',
      'app.mine belongs to role sluice, and only its owner may publish it → connect as "sluice", or as a role that is a member of it',
    ])
    await sql.run(`
      ALTER ROLE follower REPLICATION; GRANT CREATE ON DATABASE examined TO follower;
      CREATE ROLE app_owner; GRANT app_owner TO follower; ALTER SCHEMA app OWNER TO app_owner; ALTER TABLE app.mine OWNER TO app_owner`)
    const mine = await followed(poor, 'app.mine')
    const startRecord = await changesOf(poor).begin('sluice_mine', mine, SIGNAL)
    expect(
      await changesOf(poor).verify(startRecord, mine, changesOf(poor).position(startRecord.start), SIGNAL),
    ).toEqual({
      faults: [],
      moved: {},
      unclear: [],
    })
    await changesOf(poor).lag(startRecord, SIGNAL)
    await changesOf(poor).end('sluice_mine', SIGNAL)
    expect(await changesOf(poor).slots(SIGNAL)).toEqual([])
  })

  test('a server whose slots and walsenders are all in use is refused', async () => {
    await sql.run(`SELECT pg_create_physical_replication_slot('taken_' || i) FROM generate_series(1, 12) i`)
    expect(await refusals('good')).toEqual([
      expect.stringContaining('all replication slots are in use: 12 of max_replication_slots = 12 are in use'),
    ])
    await sql.run('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots')
  })

  test('a server that is not configured for it is refused', async () => {
    await using plain = await startPostgres({ extraSettings: ['max_wal_senders=0'] })
    const setup = await psql(plain.url())
    await setup.run('CREATE TABLE good (id int PRIMARY KEY)')
    await setup.close()
    await using other = await openPostgresCopy(plain.url())
    const preflight = await changesOf(other).inspect(await asked(other, 'good'), SIGNAL)
    expect(preflight.refusals.map(({ message }) => message)).toEqual([
      'wal_level is replica, but a stream needs logical',
      'all walsenders are in use: 0 of max_wal_senders = 0 are in use',
    ])
    expect(preflight.identities).toEqual([['id']])
  })
})
