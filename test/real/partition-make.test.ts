/** Partitions of PostgreSQL that are created while other sessions write, each like its neighbour. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { perform } from '../support/copy-systems.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { leftOvers, look, maintenanceOf, make, writing } from './partition-kit.ts'

const QUARTERS = `CREATE TABLE bookings (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE bookings_q1 PARTITION OF bookings FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
  CREATE TABLE bookings_q2 PARTITION OF bookings FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');`
const Q3 = ['bookings_q3', '2024-07-01 00:00:00+00', '2024-10-01 00:00:00+00'] as const
const Q4 = ['bookings_q4', '2024-10-01 00:00:00+00', '2025-01-01 00:00:00+00'] as const

describe.skipIf(!POSTGRES_OWN)('new partitions (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let other: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('coming')
    direct = await psql(server.url('coming'))
    await direct.run("SET TimeZone TO 'UTC'; CREATE ROLE keeper; CREATE ROLE reader; CREATE ROLE clerk")
    other = await psql(server.url('coming'))
    await other.run("SET TimeZone TO 'UTC'")
    store = await openPostgresCopy(server.url('coming'))
  })

  beforeEach(async () => {
    await direct.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${QUARTERS}`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    for (const side of [direct, other]) await side.close()
    await server[Symbol.asyncDispose]()
  })

  async function partitions(name = 'bookings'): Promise<readonly unknown[]> {
    const rows = await direct.rows(
      `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '${name}'::regclass ORDER BY 1`,
    )
    return rows.flat()
  }

  test('no table is created for a run whose changes the server cannot report', async () => {
    await direct.run(`CREATE TABLE plain (id bigserial PRIMARY KEY, at timestamptz NOT NULL); CREATE INDEX ON plain (at);
      INSERT INTO plain (at) SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 day' FROM generate_series(1, 100) i; ANALYZE plain`)
    const { finished } = await perform({
      kind: 'partition-run',
      from: server.url('coming'),
      table: 'plain',
      by: 'at',
      calendar: {},
      workers: 1,
      untilCaughtUp: false,
      untilEqual: true,
      quiesce: false,
      restart: false,
    })
    expect(finished).toMatchObject({ exitCode: 6, error: { code: 'NOT_FOLLOWABLE' } })
    expect(finished.error?.hint).toContain('partition in-place')
    expect(finished.error?.hint).not.toContain('--cdc')
    expect(
      await direct.rows(`SELECT relname FROM pg_class WHERE relname LIKE 'plain\\_%' AND relkind IN ('r', 'p')`),
    ).toEqual([])
  })

  describe('inspection', () => {
    test('returns bounds as the server prints them in UTC, by lower bound, the default partition last', async () => {
      await direct.run(`CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT; CREATE TABLE a_first PARTITION OF bookings FOR VALUES FROM (MINVALUE) TO ('2023-07-01+02');
        CREATE TABLE parts PARTITION OF bookings FOR VALUES FROM ('2030-01-01') TO ('infinity') PARTITION BY HASH (id); ANALYZE bookings_q1`)
      const table = await maintenanceOf(store).inspect({ name: 'bookings' }, true, SIGNAL)
      expect(table).toMatchObject({
        table: { schema: 'public', name: 'bookings' },
        column: {
          name: 'at',
          type: { kind: 'timestamp', zone: true },
          native: 'timestamp with time zone',
          nullable: false,
        },
      })
      expect(
        table?.partitions.map(({ name, from, to, isDefault, note }) => [name.name, from, to, isDefault, note]),
      ).toEqual([
        ['a_first', null, '2023-06-30 22:00:00+00', false, undefined],
        ['bookings_q1', '2024-01-01 00:00:00+00', '2024-04-01 00:00:00+00', false, undefined],
        ['bookings_q2', '2024-04-01 00:00:00+00', '2024-07-01 00:00:00+00', false, undefined],
        ['parts', '2030-01-01 00:00:00+00', 'infinity', false, 'it is partitioned itself'],
        ['bookings_rest', null, null, true, undefined],
      ])
      expect(table?.partitions[1]).toMatchObject({ rows: 0n, bytes: 16_384n })
      expect(table?.partitions[2]?.rows).toBeNull()
      expect(table?.keptBy).toBeUndefined()
      expect(table?.leftOver).toBeUndefined()
    })

    test('reports other objects of the table, refuses other kinds, and handles a plain and a missing table', async () => {
      await direct.run(`CREATE SCHEMA partman; CREATE TABLE partman.part_config (parent_table text, partition_interval text, premake int);
        INSERT INTO partman.part_config VALUES ('public.bookings', '3 mons', 4);
        CREATE TABLE plain (id int); CREATE TABLE hashed (id int) PARTITION BY HASH (id); CREATE TABLE two (a int, b int) PARTITION BY RANGE (a, b)`)
      expect((await look(store, 'bookings')).keptBy).toBe('pg_partman ("partman"."part_config": every 3 mons, 4 ahead)')
      const at = (name: string): Promise<unknown> => maintenanceOf(store).inspect({ name }, false, SIGNAL)
      expect(await at('plain')).toBeNull()
      await expect(at('none')).rejects.toMatchObject({ code: 'NO_SUCH_TABLE' })
      await expect(at('hashed')).rejects.toMatchObject({
        code: 'UNSUPPORTED_TYPE',
        message: expect.stringContaining('HASH (id)') as unknown,
      })
      await expect(at('two')).rejects.toMatchObject({
        code: 'UNSUPPORTED_TYPE',
        message: expect.stringContaining('RANGE (a, b)') as unknown,
      })
      await direct.run('DROP SCHEMA partman CASCADE')
    })

    test('recognises pg_partman (needs the extension in the server)', async ({ skip }) => {
      const [there] = await direct.rows("SELECT FROM pg_available_extensions WHERE name = 'pg_partman'")
      skip(there === undefined, 'the server has no pg_partman')
      await direct.run(`CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman;
        CREATE TABLE kept (at timestamptz NOT NULL) PARTITION BY RANGE (at);
        SELECT partman.create_parent(p_parent_table := 'public.kept', p_control := 'at', p_interval := '1 month')`)
      const { keptBy, partitions: all } = await look(store, 'kept')
      expect(keptBy).toContain('pg_partman')
      expect(all.length).toBeGreaterThan(4)
      await direct.run('DROP EXTENSION pg_partman CASCADE; DROP SCHEMA partman CASCADE')
    })

    test('uses the zone of the database, and counts rows outside by range', async () => {
      await direct.run("ALTER DATABASE coming SET TimeZone TO 'Europe/Athens'")
      await using own = await openPostgresCopy(server.url('coming'))
      expect(await maintenanceOf(own).zone(SIGNAL)).toBe('Europe/Athens')
      await direct.run('ALTER DATABASE coming RESET TimeZone')
      await direct.run(`CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT;
        INSERT INTO bookings (at) VALUES ('2024-07-01'), ('2024-09-30 23:59:59.999999'), ('2024-10-01'), ('2031-01-01'), ('2019-01-01 00:00:00.5')`)
      expect(await maintenanceOf(store).count(await look(store, 'bookings'), SIGNAL)).toEqual([0n, 0n, 5n])
      const spans = [Q3, Q4].map(([, from, to]) => ({ from, to }))
      expect(await maintenanceOf(store).countDefault(await look(store, 'bookings'), spans, SIGNAL)).toEqual({
        spans: [2n, 1n],
        others: { rows: 2n, from: '2019-01-01 00:00:00.5+00', to: '2031-01-01 00:00:00+00' },
      })
    })
  })

  describe('creation', () => {
    test('each new partition has an exclusion of the table once', async (context) => {
      if ((await server.major()) < 17) return context.skip()
      await direct.run(`ALTER TABLE bookings ADD CONSTRAINT once EXCLUDE USING btree (at WITH =, note WITH =); CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT;
        COMMENT ON CONSTRAINT bookings_q2_at_note_excl ON bookings_q2 IS 'of q2';
        INSERT INTO bookings (at, note) SELECT '2024-07-01 00:00+00'::timestamptz + i * interval '1 day', 'n' FROM generate_series(1, 30) i`)
      const made = [await make(store, await look(store, 'bookings'), [Q3])]
      made.push(await make(store, await look(store, 'bookings'), [Q4]))
      expect(made.map(({ notGiven }) => notGiven)).toEqual([[], []])
      expect(made.map((one) => one.made.map(({ moved }) => moved))).toEqual([[30n], [0n]])
      const exclusions = await direct.rows(
        `SELECT conrelid::regclass::text, conname, coninhcount::text FROM pg_constraint WHERE contype = 'x' ORDER BY 1, 2`,
      )
      expect(exclusions).toEqual([
        ['bookings', 'once', '0'],
        ...['q1', 'q2', 'q3', 'q4', 'rest'].map((one) => [`bookings_${one}`, `bookings_${one}_at_note_excl`, '1']),
      ])
    })

    test('has the same result twice, and finds partitions that others created', async () => {
      const before = await look(store, 'bookings')
      const steps: string[] = []
      const made = await make(store, before, [Q3, Q4], { onStep: (step) => steps.push(step) })
      expect(made.made.map(({ name, moved }) => [name.name, moved])).toEqual([
        ['bookings_q3', 0n],
        ['bookings_q4', 0n],
      ])
      expect(made).toMatchObject({ foundMade: [], notGiven: [], proved: null, tries: 0 })
      expect(steps).toEqual(['making', 'making'])
      expect(await partitions()).toEqual(['bookings_q1', 'bookings_q2', 'bookings_q3', 'bookings_q4'])
      const again = await make(store, before, [Q3, Q4])
      expect(again.made).toEqual([])
      expect(again.foundMade.map(({ name }) => name.name)).toEqual(['bookings_q3', 'bookings_q4'])
      await direct.run("INSERT INTO bookings (at) VALUES ('2024-08-01')")
      expect(await direct.rows('SELECT count(*) FROM bookings_q3')).toEqual([['1']])
      expect(await leftOvers(direct)).toEqual([])
      // The name that the server itself would have given.
      expect(
        await direct.rows("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'bookings_q3'::regclass"),
      ).toEqual([['bookings_q3_pkey']])
    })

    test('refuses a name and bounds that are in use, and creates nothing', async () => {
      const table = await look(store, 'bookings')
      await direct.run('CREATE TABLE bookings_q3 (id int)')
      await expect(make(store, table, [Q4, Q3])).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        message: expect.stringContaining('bookings_q3') as unknown,
      })
      await direct.run(
        "DROP TABLE bookings_q3; CREATE TABLE mine PARTITION OF bookings FOR VALUES FROM ('2024-08-01') TO ('2024-09-01')",
      )
      await expect(make(store, table, [Q4, Q3])).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        message: 'partition public.bookings_q3 cannot be created: public.mine overlaps it',
      })
      expect(await partitions()).toEqual(['bookings_q1', 'bookings_q2', 'mine'])
      expect(await leftOvers(direct)).toEqual([])
    })

    test('two programs at once create each partition once', async () => {
      const table = await look(store, 'bookings')
      await using second = await openPostgresCopy(server.url('coming'))
      const [a, b] = await Promise.all([make(store, table, [Q3, Q4]), make(second, table, [Q3, Q4])])
      expect([a, b].map(({ made, foundMade }) => made.length + foundMade.length)).toEqual([2, 2])
      expect(a.made.length + b.made.length).toBe(2)
      expect(await leftOvers(direct)).toEqual([])
    })

    test('works by numbers, without partitions, and with a default partition only', async () => {
      await direct.run(`CREATE TABLE epochs (id int, at bigint, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE INDEX ON epochs (at DESC);
        CREATE TABLE days (id int, day date NOT NULL) PARTITION BY RANGE (day); CREATE TABLE days_rest PARTITION OF days DEFAULT; CREATE INDEX ON days (day)`)
      await make(store, await look(store, 'epochs'), [
        ['epochs_1', '0', '100'],
        ['epochs_2', '100', '200'],
      ])
      await make(store, await look(store, 'days'), [['days_1', '2024-01-01', '2024-02-01']])
      expect(await partitions('epochs')).toEqual(['epochs_1', 'epochs_2'])
      expect(await partitions('days')).toEqual(['days_1', 'days_rest'])
      expect(
        await direct.rows(
          "SELECT count(*) FROM pg_index WHERE indrelid IN ('epochs_1'::regclass, 'epochs_2'::regclass, 'days_1'::regclass)",
        ),
      ).toEqual([['5']])
    })

    test('each is like its newest neighbour in all properties', async () => {
      await direct.run(
        `CREATE TABLE tenants (id int PRIMARY KEY); CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        DROP TABLE bookings; CREATE TABLE bookings (id bigint GENERATED ALWAYS AS IDENTITY, gone int, at date NOT NULL, note text COMPRESSION pglz DEFAULT 'none',
          tenant int REFERENCES tenants, half int GENERATED ALWAYS AS (length(note) / 2) STORED, CONSTRAINT positive CHECK (tenant > 0), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        ALTER TABLE bookings DROP COLUMN gone;
        CREATE INDEX by_note ON bookings (lower(note)) INCLUDE (tenant) WITH (fillfactor = 70) WHERE note <> '';
        CREATE TRIGGER of_all AFTER INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION noted();
        CREATE TABLE bookings_q1 PARTITION OF bookings FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
        CREATE TABLE "Bookings of ""Q2""" PARTITION OF bookings FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
        ALTER TABLE "Bookings of ""Q2""" RENAME TO q2;
        CREATE UNIQUE INDEX q2_own ON q2 (id, note); CREATE INDEX "odd USING btree" ON q2 USING hash (note); ALTER TABLE q2 ADD CONSTRAINT q2_once UNIQUE (id, tenant) DEFERRABLE;
        ALTER TABLE q2 ADD CONSTRAINT q2_known FOREIGN KEY (half) REFERENCES tenants ON DELETE CASCADE;
        ALTER TABLE q2 SET (fillfactor = 80, autovacuum_enabled = off, toast.autovacuum_vacuum_threshold = 77);
        ALTER TABLE q2 ALTER note SET STORAGE EXTERNAL, ALTER note SET STATISTICS 77, ALTER tenant SET (n_distinct = 5), ALTER tenant SET DEFAULT 7;
        CREATE STATISTICS q2_stats (ndistinct, dependencies) ON note, tenant FROM q2; ALTER STATISTICS q2_stats SET STATISTICS 33; COMMENT ON STATISTICS q2_stats IS 'both';
        CREATE TRIGGER own_one BEFORE UPDATE OF note ON q2 FOR EACH ROW WHEN (NEW.note <> ' ON public.q2') EXECUTE FUNCTION noted(); ALTER TABLE q2 DISABLE TRIGGER own_one;
        ALTER TABLE q2 ENABLE ALWAYS TRIGGER of_all; CREATE RULE quiet AS ON DELETE TO q2 WHERE OLD.note = 'keep' DO INSTEAD NOTHING;
        CREATE POLICY mine ON q2 FOR SELECT TO reader USING (tenant = 1); ALTER TABLE q2 ENABLE ROW LEVEL SECURITY;
        ALTER TABLE q2 REPLICA IDENTITY USING INDEX q2_pk; ALTER TABLE q2 CLUSTER ON q2_own; GRANT SELECT ON q2 TO reader WITH GRANT OPTION; GRANT UPDATE (note), SELECT (id) ON q2 TO clerk;
        COMMENT ON TABLE q2 IS 'the second'; COMMENT ON COLUMN q2.note IS 'said'; COMMENT ON INDEX q2_own IS 'alone'; COMMENT ON CONSTRAINT q2_once ON q2 IS 'once';
        ALTER TABLE q2 OWNER TO keeper; ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO clerk`.replace(
          'q2_pk',
          '"Bookings of ""Q2""_pkey"',
        ),
      )
      const table = await look(store, 'bookings')
      const { notGiven } = await make(store, table, [['q3', '2024-07-01', '2024-10-01']])
      expect(notGiven).toEqual([])
      await direct.run('ALTER DEFAULT PRIVILEGES REVOKE INSERT ON TABLES FROM clerk')
      const described = async (name: string): Promise<unknown> => {
        const oid = `'public.${name}'::regclass`
        const rows = await direct.rows(`
          SELECT 'class', concat_ws('|', relowner::regrole, reloptions, relam, relpersistence, relreplident, relrowsecurity, relacl, reltablespace, obj_description(oid)) FROM pg_class WHERE oid = ${oid}
          UNION ALL SELECT 'toast', concat_ws('|', reloptions) FROM pg_class WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = ${oid})
          UNION ALL SELECT 'column', concat_ws('|', attname, row_number() OVER (ORDER BY attnum), atttypid, attnotnull, attstorage, attcompression, attstattarget, attoptions, attacl, attgenerated, attidentity, pg_get_expr(d.adbin, d.adrelid), col_description(attrelid, attnum))
            FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum WHERE attrelid = ${oid} AND attnum > 0 AND NOT attisdropped
          UNION ALL SELECT 'index', concat_ws('|', regexp_replace(pg_get_indexdef(i.indexrelid), '^.* ON public\\.\\w+ USING', ''), c.reloptions, indisunique, indisprimary, indisclustered, indisreplident, indimmediate, obj_description(indexrelid), (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid))
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE indrelid = ${oid}
          UNION ALL SELECT 'constraint', concat_ws('|', contype, CASE WHEN contype IN ('c', 'f') THEN conname END, pg_get_constraintdef(oid), convalidated, coninhcount, conislocal, obj_description(oid)) FROM pg_constraint WHERE conrelid = ${oid} AND contype <> 'n'
          UNION ALL SELECT 'trigger', concat_ws('|', tgname, regexp_replace(pg_get_triggerdef(oid), ' ON public.\\w+ ', ' ON it '), tgenabled) FROM pg_trigger WHERE tgrelid = ${oid} AND NOT tgisinternal
          UNION ALL SELECT 'rule', replace(pg_get_ruledef(oid), '${name}', 'it') FROM pg_rewrite WHERE ev_class = ${oid}
          UNION ALL SELECT 'policy', concat_ws('|', polname, polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid)) FROM pg_policy WHERE polrelid = ${oid}
          UNION ALL SELECT 'statistics', concat_ws('|', stxkind, stxkeys, stxstattarget, obj_description(oid)) FROM pg_statistic_ext WHERE stxrelid = ${oid}
          ORDER BY 1, 2`)
        return rows.map(([kind, text]) => [
          kind,
          kind === 'trigger' ? text : String(text).replaceAll(`public.${name}`, 'it'),
        ])
      }
      // The neighbour still counts a dropped column in its column numbers.
      const numbers = (rows: unknown): unknown =>
        JSON.parse(JSON.stringify(rows).replace(/("statistics","[^"|]*\|)[^|]*/, '$1'))
      expect(numbers(await described('q3'))).toEqual(numbers(await described('q2')))
      expect(
        await direct.rows("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'q3'::regclass ORDER BY 1"),
      ).toEqual([
        ['"q3_Bookings of ""Q2""_lower_tenant_idx"'],
        ['"q3_Bookings of ""Q2""_pkey"'],
        ['"q3_odd USING btree"'],
        ['q3_once'],
        ['q3_own'],
      ])
      expect(await leftOvers(direct)).toEqual([])
    })

    test('properties that a role may not set are reported, and the partition is created', async () => {
      await direct.run(`CREATE ROLE maker LOGIN PASSWORD 'm'; ALTER SCHEMA public OWNER TO maker; GRANT USAGE ON SCHEMA public TO keeper;
        ALTER TABLE bookings OWNER TO maker; ALTER TABLE bookings_q1 OWNER TO maker; ALTER TABLE bookings_q2 OWNER TO keeper; GRANT ALL ON bookings_q2 TO maker;
        CREATE PUBLICATION single FOR TABLE bookings_q2`)
      await using weak = await openPostgresCopy(server.url('coming', 'maker', 'm'))
      const { made, notGiven } = await make(weak, await look(weak, 'bookings'), [Q3])
      expect(made).toHaveLength(1)
      expect(notGiven.map(({ what }) => what)).toContain('the owner keeper')
      expect(notGiven.map(({ what }) => what)).toContain('the publication single')
      await direct.run(
        'DROP PUBLICATION single; ALTER SCHEMA public OWNER TO sluice; DROP OWNED BY maker CASCADE; DROP ROLE maker',
      )
    })

    test(
      'with writers on every partition and on the table, no session waits for long',
      { timeout: 30_000 },
      async () => {
        await direct.run('CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT')
        const sides = await Promise.all([0, 1, 2, 3].map(() => psql(server.url('coming'))))
        const writers = await Promise.all([
          writing(sides[0]!, () => "INSERT INTO bookings (at) VALUES ('2024-02-01')"),
          writing(
            sides[1]!,
            () =>
              "BEGIN; INSERT INTO bookings_q2 (id, at) OVERRIDING SYSTEM VALUE VALUES (-1, '2024-05-01'); SELECT pg_sleep(0.02); DELETE FROM bookings_q2 WHERE id = -1; COMMIT",
          ),
          writing(
            sides[2]!,
            () => "BEGIN; INSERT INTO bookings (at) VALUES ('2035-05-01'); SELECT pg_sleep(0.05); COMMIT",
          ),
          writing(sides[3]!, () => 'SELECT count(*) FROM bookings'),
        ])
        const { made, longestMs } = await make(store, await look(store, 'bookings'), [Q3, Q4])
        const ended = await Promise.all(writers.map((writer) => writer.stop()))
        expect(made).toHaveLength(2)
        // Far above its duration on a busy machine, and far below the limit: a session that waited for a lock would
        // exceed it.
        expect(longestMs).toBeLessThan(3000)
        for (const [i, { longest, count }] of ended.entries()) {
          expect(count).toBeGreaterThan(2)
          // Its own duration, without the pause in it.
          expect(longest - (i === 2 ? 50 : i === 1 ? 20 : 0)).toBeLessThan(3000)
        }
        for (const side of sides) await side.close()
      },
    )

    test('gives up at its time limit, names the session in the way, and leaves nothing', async () => {
      await direct.run('CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT')
      const table = await look(store, 'bookings')
      await other.run("SET application_name TO 'nightly'; BEGIN; INSERT INTO bookings (at) VALUES ('2035-05-01')")
      await expect(make(store, table, [Q3], { retryLimitMs: 400, lockTimeoutMs: 30 })).rejects.toMatchObject({
        code: 'TARGET_BUSY',
        reason: expect.stringContaining('nightly') as unknown,
      })
      await other.run('ROLLBACK')
      expect(await partitions()).toEqual(['bookings_q1', 'bookings_q2', 'bookings_rest'])
      expect(await leftOvers(direct)).toEqual([])
      expect((await make(store, table, [Q3])).made).toHaveLength(1)
    })
  })
})
