/**
 * Rows of a default partition that are moved to their partitions while other sessions write: no session waits long, and
 * every session sees each row once.
 */
import { EventEmitter } from 'node:events'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { MakeStep } from '../../src/model/partition/maintenance-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
import { leftOvers, look, make, writing } from './partition-kit.ts'

const Q3 = ['bookings_q3', '2024-07-01 00:00:00+00', '2024-10-01 00:00:00+00'] as const
const Q4 = ['bookings_q4', '2024-10-01 00:00:00+00', '2025-01-01 00:00:00+00'] as const

const BOOKINGS = `CREATE TABLE bookings (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, note text, more jsonb, tags text[],
    half int GENERATED ALWAYS AS (length(note) / 2) STORED, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE INDEX bookings_by_note ON bookings (note);
  CREATE TABLE bookings_q1 PARTITION OF bookings FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
  CREATE TABLE bookings_q2 PARTITION OF bookings FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
  CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT;`
const filled = (
  rows: number,
): string => `INSERT INTO bookings (at, note, more, tags) SELECT '2024-05-01'::timestamptz + i * interval '1 hour', 'note ' || i, jsonb_build_object('i', i), ARRAY[i::text]
  FROM generate_series(0, ${rows - 1}) i;`

describe.skipIf(!POSTGRES_OWN)('rows of a default partition (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let other: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('moving')
    direct = await psql(server.url('moving'))
    await direct.run("SET TimeZone TO 'UTC'; CREATE ROLE clerk; ALTER DATABASE moving SET TimeZone TO 'UTC'")
    other = await psql(server.url('moving'))
    store = await openPostgresCopy(server.url('moving'))
  })

  beforeEach(async () => {
    await direct.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${BOOKINGS}`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    for (const side of [direct, other]) await side.close()
    await server[Symbol.asyncDispose]()
  })

  const rows = (sql: string): Promise<unknown[][]> => direct.rows(sql)
  const all = (): Promise<unknown[][]> => rows('SELECT id, at, note, more, tags, half FROM bookings ORDER BY id, at')
  const placed = (): Promise<unknown[][]> =>
    rows('SELECT tableoid::regclass::text, count(*) FROM bookings GROUP BY 1 ORDER BY 1')
  const indexes = (): Promise<unknown[][]> =>
    rows(`SELECT i.indrelid::regclass::text, c.relname, p.inhparent::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_inherits p ON p.inhrelid = c.oid
      WHERE i.indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bookings'::regclass) ORDER BY 1, 2`)

  test('are moved to their partitions, and the rest to a new default partition with the old name', async () => {
    await direct.run(`${filled(6000)}
      CREATE INDEX rest_own ON bookings_rest (tags); ALTER TABLE bookings_rest ADD CONSTRAINT rest_check CHECK (note <> ''); GRANT SELECT ON bookings_rest TO clerk;
      CREATE TABLE fired (n int); CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO fired VALUES (1); RETURN NEW; END';
      CREATE TRIGGER on_all AFTER INSERT OR DELETE ON bookings FOR EACH ROW EXECUTE FUNCTION fire(); CREATE TRIGGER on_rest AFTER INSERT ON bookings_rest FOR EACH ROW EXECUTE FUNCTION fire();
      ALTER TABLE bookings_rest ENABLE ALWAYS TRIGGER on_all; ALTER TABLE bookings_rest DISABLE TRIGGER on_rest; ALTER TABLE bookings_rest ENABLE ROW LEVEL SECURITY`)
    const [before, named] = [await all(), await indexes()]
    const steps: MakeStep[] = []
    const made = await make(store, await look(store, 'bookings'), [Q3, Q4], { onStep: (step) => steps.push(step) })
    expect(await all()).toEqual(before)
    expect(await placed()).toEqual([
      ['bookings_q2', '1464'],
      ['bookings_q3', '2208'],
      ['bookings_q4', '2208'],
      ['bookings_rest', '120'],
    ])
    expect(made).toMatchObject({ foundMade: [], notGiven: [], proved: { rows: 4536n } })
    expect(made.made.map(({ name, moved }) => [name.name, moved])).toEqual([
      ['bookings_q3', 2208n],
      ['bookings_q4', 2208n],
    ])
    expect([...new Set(steps)]).toEqual(['logging', 'copying', 'following', 'switching'])
    const fresh = (await indexes()).filter(([table]) => !/_q[34]$/.test(String(table)))
    expect(fresh).toEqual(named)
    expect((await indexes()).filter(([table]) => String(table).endsWith('_q3'))).toEqual([
      ['bookings_q3', 'bookings_q3_note_idx', 'bookings_by_note'],
      ['bookings_q3', 'bookings_q3_pkey', 'bookings_pkey'],
    ])
    expect(await rows('SELECT count(*) FROM fired')).toEqual([['0']])
    expect(
      await rows("SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'bookings_rest'::regclass ORDER BY 1"),
    ).toEqual([
      ['on_all', 'A'],
      ['on_rest', 'D'],
    ])
    expect(
      await rows(
        "SELECT relrowsecurity, relacl::text LIKE '%clerk=r/%' FROM pg_class WHERE oid = 'bookings_rest'::regclass",
      ),
    ).toEqual([['t', 't']])
    expect(
      await rows(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'bookings_rest'::regclass AND contype IN ('c', 'p') ORDER BY 1",
      ),
    ).toEqual([['bookings_rest_pkey'], ['rest_check']])
    // Planners have statistics of the new tables.
    expect(await rows("SELECT reltuples FROM pg_class WHERE oid = 'bookings_q3'::regclass")).toEqual([['2208']])
    expect(await leftOvers(direct)).toEqual([])
    expect((await make(store, await look(store, 'bookings'), [Q3, Q4])).made).toEqual([])
  })

  test('are seen once by every session, whatever writers do meanwhile', { timeout: 60_000 }, async () => {
    await direct.run(filled(20_000))
    const sides = await Promise.all([0, 1, 2, 3, 4].map(() => psql(server.url('moving'))))
    const [a, b, c, observer, repeated] = sides as [Psql, Psql, Psql, Psql, Psql]
    await direct.run(
      'CREATE TABLE said (id bigint PRIMARY KEY, at timestamptz, note text); INSERT INTO said SELECT id, at, note FROM bookings',
    )
    let seed = 7
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return Math.floor((seed / 2 ** 31) * below)
    }
    /** Changes the reference table in the same transaction as the table. */
    const change = (): string => {
      const id = random(20_000) + 1
      const at = `'2024-05-01'::timestamptz + interval '${random(20_000)} hours'`
      switch (random(5)) {
        case 0:
          return `WITH gone AS (DELETE FROM bookings WHERE id = ${id} RETURNING id) DELETE FROM said WHERE id IN (SELECT id FROM gone)`
        case 1:
          return `WITH moved AS (UPDATE bookings SET at = ${at} WHERE id = ${id} RETURNING id, at) UPDATE said s SET at = m.at FROM moved m WHERE m.id = s.id`
        case 2:
          return `BEGIN; WITH changed AS (UPDATE bookings SET note = 'x' WHERE id = ${id} RETURNING id) UPDATE said SET note = 'x' WHERE id IN (SELECT id FROM changed); ROLLBACK`
        case 3:
          return `WITH changed AS (UPDATE bookings SET note = note || '!' WHERE id BETWEEN ${id} AND ${id + 3} RETURNING id, note) UPDATE said s SET note = c.note FROM changed c WHERE c.id = s.id`
        default:
          return `WITH made AS (INSERT INTO bookings (at, note) VALUES (${at}, 'new ${id}') RETURNING id, at, note) INSERT INTO said SELECT * FROM made`
      }
    }
    const seen: unknown[][] = []
    const writers = await Promise.all([
      writing(a, change),
      writing(b, change),
      writing(
        c,
        () =>
          "INSERT INTO bookings_q1 (id, at) VALUES (DEFAULT, '2024-02-02') ON CONFLICT DO NOTHING; DELETE FROM bookings_q1",
      ),
    ])
    let watching = true
    const watch = (async () => {
      while (watching) {
        seen.push(
          ...(await observer.rows(
            "SELECT count(*) - count(DISTINCT b.id), count(*) - (SELECT count(*) FROM said) FROM bookings b WHERE at >= '2024-04-01'",
          )),
        )
        await repeated.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM said')
        await new Promise((resolve) => setTimeout(resolve, 3))
        seen.push(
          ...(await repeated.rows(
            "SELECT count(*) - count(DISTINCT b.id), count(*) - (SELECT count(*) FROM said) FROM bookings b WHERE at >= '2024-04-01'",
          )),
        )
        await repeated.run('COMMIT')
      }
    })()
    const made = await make(store, await look(store, 'bookings'), [Q3, Q4])
    watching = false
    await watch
    const ended = await Promise.all(writers.map((writer) => writer.stop()))
    expect(made.made).toHaveLength(2)
    expect(seen.length).toBeGreaterThan(5)
    expect(seen.filter(([twice, more]) => twice !== '0' || more !== '0')).toEqual([])
    expect(await rows("SELECT id, at, note FROM bookings WHERE at >= '2024-04-01' EXCEPT SELECT * FROM said")).toEqual(
      [],
    )
    expect(await rows('SELECT * FROM said EXCEPT SELECT id, at, note FROM bookings')).toEqual([])
    expect(await leftOvers(direct)).toEqual([])
    for (const { longest } of ended) expect(longest).toBeLessThan(3000)
    expect(made.longestMs).toBeLessThan(3000)
    for (const side of sides) await side.close()
  })

  test('are refused by name if they could not be moved, and nothing is done', async () => {
    await direct.run(filled(6000))
    const refused = async (setup: string, undo: string, reason: string): Promise<void> => {
      await direct.run(setup)
      const before = await placed()
      await expect(make(store, await look(store, 'bookings'), [Q3])).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        reason: expect.stringContaining(reason) as unknown,
        hint: expect.stringContaining('nothing was changed') as unknown,
      })
      expect(await placed()).toEqual(before)
      expect(await leftOvers(direct)).toEqual([])
      await direct.run(undo)
    }
    await refused(
      'CREATE VIEW strays AS SELECT * FROM bookings_rest',
      'DROP VIEW strays',
      'the view or rule public.strays',
    )
    await refused(
      'CREATE FUNCTION strays() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM bookings_rest; END',
      'DROP FUNCTION strays',
      'function',
    )
    await refused('CREATE PUBLICATION p FOR TABLE bookings_rest', 'DROP PUBLICATION p', 'lists it separately')
    await refused('CREATE PUBLICATION p FOR ALL TABLES', 'DROP PUBLICATION p', 'sends every new table')
    await refused(
      'CREATE PUBLICATION p FOR TABLES IN SCHEMA public',
      'DROP PUBLICATION p',
      'sends every new table of the schema',
    )
    await refused('CREATE PUBLICATION p FOR TABLE bookings', 'DROP PUBLICATION p', 'would not send their move')
    await refused(
      'CREATE TABLE bills (id bigint, at timestamptz, FOREIGN KEY (id, at) REFERENCES bookings); INSERT INTO bills SELECT id, at FROM bookings_rest LIMIT 1',
      'DROP TABLE bills',
      'by the foreign key bills_id_at_fkey',
    )
    await refused('ALTER TABLE bookings DROP CONSTRAINT bookings_pkey', '', 'no primary key')
    // If no row has to move, none of these is in the way.
    await direct.run('CREATE PUBLICATION p FOR ALL TABLES; CREATE VIEW strays AS SELECT * FROM bookings_rest')
    expect(
      (await make(store, await look(store, 'bookings'), [['far', '2031-01-01 00:00:00+00', '2031-02-01 00:00:00+00']]))
        .made,
    ).toHaveLength(1)
    await direct.run('DROP PUBLICATION p')
  })

  test(
    'changes by others during the run: rows are deleted, partitions are added and dropped, the default partition is dropped',
    { timeout: 60_000 },
    async () => {
      const during = async (step: MakeStep, sql: string): Promise<unknown> => {
        await direct.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${BOOKINGS} ${filled(6000)}`)
        const done: Promise<void>[] = []
        const made = await make(store, await look(store, 'bookings'), [Q3], {
          onStep: (now) => {
            if (now === step && done.length === 0) done.push(other.run(sql))
          },
        })
        await Promise.all(done)
        expect(await leftOvers(direct)).toEqual([])
        return [made.made.length, made.foundMade.length, await placed()]
      }
      const after = "TRUNCATE bookings_rest; INSERT INTO bookings (at) VALUES ('2024-08-01'), ('2030-01-01')"
      for (const step of ['copying', 'following', 'switching'] as const) {
        expect(await during(step, after)).toEqual([
          1,
          0,
          [
            ['bookings_q2', '1464'],
            ['bookings_q3', '1'],
            ['bookings_rest', '1'],
          ],
        ])
      }
      expect(await during('copying', 'DROP TABLE bookings_q2')).toEqual([
        1,
        0,
        [
          ['bookings_q3', '2208'],
          ['bookings_rest', '2328'],
        ],
      ])
      expect(
        await during(
          'following',
          "DELETE FROM bookings WHERE at >= '2024-07-01'; CREATE TABLE mine PARTITION OF bookings FOR VALUES FROM ('2024-07-01') TO ('2024-10-01')",
        ),
      ).toEqual([0, 1, [['bookings_q2', '1464']]])
      expect(await during('following', 'DROP TABLE bookings_rest')).toEqual([1, 0, [['bookings_q2', '1464']]])
      expect(
        await during(
          'copying',
          "CREATE TABLE bookings_q0 PARTITION OF bookings FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
        ),
      ).toEqual([
        1,
        0,
        [
          ['bookings_q2', '1464'],
          ['bookings_q3', '2208'],
          ['bookings_rest', '2328'],
        ],
      ])
    },
  )

  test('with text keys, keys to other tables, dropped columns and quoted names are moved', async () => {
    await direct.run(`CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1); CREATE TABLE "Odd ""one" (gone int, "co""de" text COLLATE "C" NOT NULL, day date NOT NULL, tenant int REFERENCES tenants,
        "TG_OP" text, doc json, PRIMARY KEY ("co""de", day)) PARTITION BY RANGE (day); ALTER TABLE "Odd ""one" DROP COLUMN gone;
      CREATE TABLE "odd'rest" PARTITION OF "Odd ""one" DEFAULT; CREATE SEQUENCE own OWNED BY "odd'rest"."TG_OP";
      CREATE TABLE bills (code text COLLATE "C", day date, FOREIGN KEY (code, day) REFERENCES "Odd ""one");
      INSERT INTO "Odd ""one" SELECT 'c' || i, '2024-01-01'::date + i % 60, 1, 'it''s', '{"a": 1, "a": 2}' FROM generate_series(0, 599) i`)
    // The writer has no right to the objects that its writes are logged in.
    await direct.run(
      `CREATE ROLE app LOGIN PASSWORD 'a'; GRANT USAGE ON SCHEMA public TO app; GRANT SELECT, INSERT, UPDATE ON "Odd ""one" TO app`,
    )
    const one = await psql(server.url('moving', 'app', 'a'))
    const writes = await writing(
      one,
      (n) => `UPDATE "Odd ""one" SET "TG_OP" = 'n', day = day + ${n % 2} WHERE "co""de" = 'c${n % 600}'`,
    )
    const table = await look(store, 'Odd "one')
    const { made, notGiven, proved } = await make(store, table, [["it's new", '2024-01-01', '2024-02-01']])
    await writes.stop()
    await one.close()
    expect([made.length, notGiven, (proved?.rows ?? 0n) > 500n]).toEqual([1, [], true])
    expect(await rows('SELECT count(*), count(DISTINCT "co""de") FROM "Odd ""one"')).toEqual([['600', '600']])
    const keys = await rows(
      "SELECT conrelid::regclass::text, convalidated FROM pg_constraint WHERE contype = 'f' AND confrelid = 'tenants'::regclass ORDER BY 1",
    )
    expect(keys).toEqual(['"Odd ""one"', `"it's new"`, `"odd'rest"`].map((name) => [name, 't']))
    await direct.run('DROP OWNED BY app; DROP ROLE app')
    await expect(direct.run(`INSERT INTO "Odd ""one" VALUES ('late', '2024-01-05', 2)`)).rejects.toThrow('foreign key')
    expect(await rows("SELECT to_regclass('own') IS NOT NULL")).toEqual([['t']])
    expect(await leftOvers(direct)).toEqual([])
  })

  test.each([
    ['citext, told apart by their key', 'CREATE EXTENSION citext', 'citext', 'code text_ops'],
    [
      'a collation',
      `CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      'text COLLATE ci',
      'code',
    ],
    [
      'a collation, told apart by their key',
      `CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      'text COLLATE ci',
      'code COLLATE "C"',
    ],
  ])('keys that change to another spelling, equal by %s, are moved', async (_what, before, type, key) => {
    await direct.run(`${before}; CREATE TABLE spelled (code ${type} NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (at); CREATE UNIQUE INDEX ON spelled (${key}, at);
      CREATE TABLE spelled_rest PARTITION OF spelled DEFAULT; INSERT INTO spelled SELECT 'c' || i, '2024-08-01' FROM generate_series(1, 50) i`)
    const done: Promise<void>[] = []
    const { made, proved } = await make(store, await look(store, 'spelled'), [['spelled_q3', Q3[1], Q3[2]]], {
      onStep: (now) => {
        if (now === 'copying' && done.length === 0)
          done.push(
            other.run(
              `UPDATE spelled SET code = pg_catalog.upper(code::text)${key === 'code' ? '' : `; INSERT INTO spelled SELECT pg_catalog.lower(code), at FROM spelled`}`,
            ),
          )
      },
    })
    await Promise.all(done)
    expect([made.length, proved !== null]).toEqual([1, true])
    expect(
      await rows(`SELECT count(*), sum((code::text COLLATE "C" = pg_catalog.upper(code::text))::int) FROM spelled_q3`),
    ).toEqual([[key === 'code' ? '50' : '100', '50']])
    expect(await leftOvers(direct)).toEqual([])
  })

  test('wait for an older snapshot, in which they would be missing; meanwhile no other role reads the copies', async () => {
    await direct.run(
      `${filled(3000)} ALTER TABLE bookings_rest ENABLE ROW LEVEL SECURITY; GRANT SELECT, DELETE ON bookings_rest TO clerk; GRANT SELECT (note) ON bookings_rest TO clerk`,
    )
    const table = await look(store, 'bookings')
    await other.run("SET application_name TO 'backup'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    const copies: Promise<unknown[][]>[] = []
    const onStep = (step: MakeStep): void => {
      if (step !== 'following' || copies.length > 0) return
      const found = rows(
        "SELECT count(*) > 0, bool_or(has_any_column_privilege('clerk', oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege('clerk', oid, 'DELETE')) FROM pg_class WHERE relname LIKE 'sluice\\_aside\\_%' AND relkind = 'r'",
      )
      copies.push(found)
    }
    await expect(make(store, table, [Q3], { retryLimitMs: 400, onStep })).rejects.toMatchObject({
      code: 'TARGET_BUSY',
      reason: expect.stringContaining('backup') as unknown,
    })
    expect(await copies[0]).toEqual([['t', 'f']])
    expect(await leftOvers(direct)).toEqual([])
    expect(await other.rows('SELECT count(*) FROM bookings')).toEqual([['3000']])
    await other.run('COMMIT')
    expect((await make(store, table, [Q3])).made).toHaveLength(1)
  })

  test('leave nothing behind if the run is aborted, or the role lacks rights', async () => {
    await direct.run(filled(6000))
    const stop = new AbortController()
    const table = await look(store, 'bookings')
    await expect(
      make(store, table, [Q3], {
        signal: stop.signal,
        onStep: (step) => {
          if (step === 'following') stop.abort(new SluiceError('STOPPED', 'enough'))
        },
      }),
    ).rejects.toThrow('enough')
    expect(await leftOvers(direct)).toEqual([])
    await direct.run(
      "CREATE ROLE guest LOGIN PASSWORD 'g'; GRANT ALL ON SCHEMA public TO guest; GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest",
    )
    await using weak = await openPostgresCopy(server.url('moving', 'guest', 'g'))
    await expect(make(weak, table, [Q3])).rejects.toMatchObject({ code: 'TARGET_DENIED' })
    expect(await leftOvers(direct)).toEqual([])
    await direct.run('DROP OWNED BY guest; DROP ROLE guest')
    expect((await make(store, table, [Q3])).made).toHaveLength(1)
  })

  test('no row is read while other sessions wait', async () => {
    await direct.run(
      `${filled(6000)} CREATE TABLE bookings_late PARTITION OF bookings FOR VALUES FROM ('2029-01-01') TO (MAXVALUE)`,
    )
    await direct.run('ALTER DATABASE moving SET client_min_messages TO debug1')
    const said: string[] = []
    const emit = vi.spyOn(pg.Client.prototype, 'emit').mockImplementation(function (
      this: pg.Client,
      name: string | symbol,
      ...more: unknown[]
    ) {
      if (name === 'notice') said.push((more[0] as { message: string }).message)
      return EventEmitter.prototype.emit.call(this, name, ...more)
    })
    try {
      await using talking = await openPostgresCopy(server.url('moving'))
      await make(talking, await look(talking, 'bookings'), [Q3, Q4])
    } finally {
      emit.mockRestore()
      await direct.run('ALTER DATABASE moving RESET client_min_messages')
    }
    const implied = said.filter((one) => one.startsWith('partition constraint for table'))
    expect(implied).toEqual(
      ['bookings_q3', 'bookings_q4', 'bookings_rest'].map(
        (name) => `partition constraint for table "${name}" is implied by existing constraints`,
      ),
    )
    expect(said.slice(said.indexOf(implied[0] ?? '')).filter((one) => one.startsWith('verifying table'))).toEqual([])
  })
})
