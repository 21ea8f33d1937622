/** What others have made of a table whose default partition is moved: triggers that change rows again, keys that are checked late, rights, and what they change meanwhile. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/stores/copy-port.ts'
import type { MakeStep } from '../../src/stores/maintenance-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
import { leftOvers, look, make, writing } from './partition-kit.ts'

const Q3 = ['t_q3', '2024-07-01 00:00:00+00', '2024-10-01 00:00:00+00'] as const

describe.skipIf(!POSTGRES_OWN)('a default partition of others (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let other: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('others')
    direct = await psql(server.url('others'))
    await direct.run("SET TimeZone TO 'UTC'; CREATE ROLE clerk; ALTER DATABASE others SET TimeZone TO 'UTC'")
    other = await psql(server.url('others'))
    store = await openPostgresCopy(server.url('others'))
  })

  beforeEach(async () => {
    await direct.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    for (const side of [direct, other]) await side.close()
    await server[Symbol.asyncDispose]()
  })

  const made = async (key: string, rows = 3000): Promise<void> =>
    direct.run(`CREATE TABLE t (id bigint NOT NULL, at timestamptz NOT NULL, qty int, total int, ${key}) PARTITION BY RANGE (at);
      CREATE TABLE t_q2 PARTITION OF t FOR VALUES FROM ('2024-04-01') TO ('2024-07-01'); CREATE TABLE t_rest PARTITION OF t DEFAULT;
      INSERT INTO t SELECT i, '2024-07-05', i, 2 * i FROM generate_series(1, ${rows}) i; INSERT INTO t SELECT i, '2030-07-05', i, 2 * i FROM generate_series(1, ${rows}) i`)

  test('a key that is checked late is refused, unless there is another', async () => {
    await made('PRIMARY KEY (id, at) DEFERRABLE INITIALLY DEFERRED')
    await expect(make(store, await look(store, 't'), [Q3])).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      reason: expect.stringContaining('DEFERRABLE') as unknown,
    })
    expect(await leftOvers(direct)).toEqual([])
  })

  test(
    'triggers that change the row again, or remove it, before or behind ours, leave what they left',
    { timeout: 60_000 },
    async () => {
      for (const name of ['after_total', 'zz_total', ' first']) {
        await direct.run('DROP TABLE IF EXISTS t CASCADE; DROP FUNCTION IF EXISTS again')
        await made('PRIMARY KEY (id, at)', 2000)
        await direct.run(`CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF NEW.qty < 0 THEN DELETE FROM t WHERE id = NEW.id AND at = NEW.at;
          ELSIF NEW.total IS DISTINCT FROM 2 * NEW.qty THEN UPDATE t SET total = 2 * qty WHERE id = NEW.id AND at = NEW.at; END IF; RETURN NULL; END $$;
        CREATE TRIGGER "${name}" AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again()`)
        const writes = await writing(
          other,
          (n) =>
            n % 3 === 0
              ? `INSERT INTO t VALUES (${100_000 + n}, '2024-07-06', -1)`
              : `UPDATE t SET qty = qty + 1 WHERE id = ${(n % 500) + 1} AND at = '2024-07-05'`,
          0,
        )
        const wrong: unknown[][] = []
        let switched = false
        const watch = (async () => {
          while (!switched) {
            wrong.push(
              ...(await direct.rows('SELECT id, qty, total FROM t WHERE qty < 0 OR total IS DISTINCT FROM 2 * qty')),
            )
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
        })()
        const { proved } = await make(store, await look(store, 't'), [Q3])
        switched = true
        await watch
        const { count } = await writes.stop()
        expect([proved !== null, count > 5]).toEqual([true, true])
        expect(wrong).toEqual([])
        expect(
          await direct.rows('SELECT id, qty, total FROM t WHERE qty < 0 OR total IS DISTINCT FROM 2 * qty'),
        ).toEqual([])
        expect(await direct.rows('SELECT count(*), count(DISTINCT (id, at)) FROM t')).toEqual([['4000', '4000']])
        expect(await leftOvers(direct)).toEqual([])
      }
    },
  )

  test('an owner who may not look at other sessions waits for all that run', async () => {
    await direct.run("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN PASSWORD 'a'")
    await made('PRIMARY KEY (id, at)')
    await direct.run('ALTER TABLE t OWNER TO app; ALTER TABLE t_q2 OWNER TO app; ALTER TABLE t_rest OWNER TO app')
    await using app = await openPostgresCopy(server.url('others', 'app', 'a'))
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class')
    await expect(make(app, await look(app, 't'), [Q3], { budgetMs: 500 })).rejects.toMatchObject({
      code: 'TARGET_BUSY',
      reason: expect.stringContaining('pg_read_all_stats') as unknown,
    })
    expect(await other.rows('SELECT count(*) FROM t')).toEqual([['6000']])
    await other.run('COMMIT')
    expect((await make(app, await look(app, 't'), [Q3])).made).toHaveLength(1)
    expect(await direct.rows('SELECT count(*) FROM t')).toEqual([['6000']])
    expect(await leftOvers(direct)).toEqual([])
    await direct.run('DROP TABLE t; DROP OWNED BY app; DROP ROLE app')
  })

  test('what somebody gives it while it is copied, its successor has', { timeout: 60_000 }, async () => {
    await made('PRIMARY KEY (id, at)')
    const gifts = [
      'GRANT SELECT ON t_rest TO clerk',
      'ALTER TABLE t_rest ADD CONSTRAINT sane CHECK (qty > -100)',
      'CREATE INDEX by_qty ON t_rest (qty)',
      'ALTER TABLE t_rest SET (fillfactor = 55)',
      "COMMENT ON TABLE t_rest IS 'the rest'",
      'ALTER TABLE t_rest ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON t_rest USING (true)',
      'CREATE INDEX by_total ON t (total)',
    ]
    const pending = [...gifts]
    const table = await look(store, 't')
    const done: Promise<void>[] = []
    const once = new Set<MakeStep>()
    await make(store, table, [Q3], {
      onStep: (step) => {
        if (step === 'logging' || once.has(step)) return
        once.add(step)
        const gift = pending.splice(0).join('; ')
        if (gift !== '') done.push(other.run(gift))
      },
    })
    await Promise.all(done)
    expect(
      await direct.rows(`SELECT relacl::text LIKE '%clerk=r/%', reloptions::text, relrowsecurity, obj_description(oid), (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid),
        (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid AND conname = 'sane'), (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) FROM pg_class c WHERE oid = 't_rest'::regclass`),
    ).toEqual([['t', '{fillfactor=55}', 't', 'the rest', '1', '1', '3']])
    expect(await direct.rows('SELECT count(*) FROM t')).toEqual([['6000']])
    expect(await leftOvers(direct)).toEqual([])
  })

  test('a constraint that nobody has validated, and partitions of partitions, are refused by name', async () => {
    await made('PRIMARY KEY (id, at)')
    await direct.run('ALTER TABLE t_rest ADD CONSTRAINT odd CHECK (qty <> 7) NOT VALID')
    await expect(make(store, await look(store, 't'), [Q3])).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      hint: expect.stringContaining('VALIDATE CONSTRAINT odd') as unknown,
    })
    await direct.run(`CREATE TABLE s (id bigint, at timestamptz) PARTITION BY RANGE (at);
      CREATE TABLE s_q2 PARTITION OF s FOR VALUES FROM ('2024-04-01') TO ('2024-07-01') PARTITION BY HASH (id)`)
    await expect(make(store, await look(store, 's'), [['s_q3', Q3[1], Q3[2]]])).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
    })
  })

  /** What the run does next, another session waits for. */
  const until = async (sql: string): Promise<void> => {
    for (;;) {
      const [row] = await direct.rows(sql)
      if (row?.[0] === 't') return
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const MIRRORED =
    "SELECT EXISTS (SELECT FROM pg_proc WHERE proname LIKE 'sluice_note%' AND prosrc LIKE '%removed bigint%')"
  const NOTED = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE '%sluice_note_rows')"

  test('an old view is waited for though its lock went with a savepoint', async () => {
    await made('PRIMARY KEY (id, at)')
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SAVEPOINT s; SELECT count(*) FROM t')
    const rolledBack: Promise<void>[] = []
    const run = make(store, await look(store, 't'), [Q3], {
      budgetMs: 700,
      onStep: (step) => {
        if (step === 'switching') rolledBack.push(other.run('ROLLBACK TO SAVEPOINT s'))
      },
    })
    await expect(run).rejects.toMatchObject({ code: 'TARGET_BUSY' })
    await Promise.all([...rolledBack, other.run('ROLLBACK TO SAVEPOINT s')])
    expect(await other.rows('SELECT count(*) FROM t')).toEqual([['6000']])
    await other.run('COMMIT')
    expect((await make(store, await look(store, 't'), [Q3])).made).toHaveLength(1)
    expect(await leftOvers(direct)).toEqual([])
  })

  test('an old view that was handed on to a transaction which began later is waited for', async () => {
    await made('PRIMARY KEY (id, at)')
    const importer = await psql(server.url('others'))
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ')
    const [[snapshot] = []] = await other.rows('SELECT pg_export_snapshot()')
    const run = make(store, await look(store, 't'), [Q3], { budgetMs: 700 })
    const ended = run.catch((error: unknown) => error)
    await until(MIRRORED)
    await importer.run(`BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '${String(snapshot)}'`)
    await importer.run('SELECT 1')
    await other.run('COMMIT')
    expect(await ended).toMatchObject({ code: 'TARGET_BUSY' })
    expect(await importer.rows('SELECT count(*) FROM t')).toEqual([['6000']])
    await importer.close()
    expect(await leftOvers(direct)).toEqual([])
  })

  test('who writes elsewhere for long, and views that are new meanwhile, are not waited for', async () => {
    await made('PRIMARY KEY (id, at)')
    const readers = await Promise.all([0, 1].map(() => psql(server.url('others'))))
    await other.run('BEGIN; CREATE TABLE elsewhere (n int)')
    const reads = await Promise.all(readers.map((side) => writing(side, () => 'SELECT pg_sleep(0.03)', 0)))
    expect((await make(store, await look(store, 't'), [Q3])).made).toHaveLength(1)
    for (const read of reads) await read.stop()
    await other.run('ROLLBACK')
    for (const side of readers) await side.close()
  })

  test('constraints that are checked at the end of a transaction make nobody fail of a copy that is behind', async () => {
    await made('PRIMARY KEY (id, at), UNIQUE (qty, at) DEFERRABLE INITIALLY DEFERRED')
    const writer = await psql(server.url('others'))
    // Its view is from before the copy, so that its change is only noted.
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
    const run = make(store, await look(store, 't'), [Q3])
    await until(MIRRORED)
    await other.run("UPDATE t SET qty = 90000 WHERE id = 2800 AND at = '2024-07-05'; COMMIT")
    await writer.run("BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO t VALUES (9001, '2024-07-05', 2800, 0); COMMIT")
    await writer.run(
      "BEGIN; UPDATE t SET qty = 2799 WHERE id = 2801 AND at = '2024-07-05'; UPDATE t SET qty = 2801 WHERE id = 2799 AND at = '2024-07-05'; COMMIT",
    )
    await writer.close()
    expect((await run).made).toHaveLength(1)
    expect(
      await direct.rows('SELECT count(*), sum(qty) FILTER (WHERE id IN (2799, 2800, 2801, 9001)) FROM t_q3'),
    ).toEqual([['3001', String(90_000 + 2800 + 2799 + 2801)]])
    expect(
      await direct.rows(
        "SELECT condeferrable, condeferred FROM pg_constraint WHERE conrelid = 't_rest'::regclass AND contype = 'u'",
      ),
    ).toEqual([['t', 't']])
  })

  test(
    'whatever is renamed or dropped under a run, writers do not fail of it, and nothing is lost',
    { timeout: 60_000 },
    async () => {
      const hands = [
        [NOTED, 'ALTER TABLE t RENAME COLUMN id TO number'],
        [MIRRORED, 'ALTER TABLE t RENAME COLUMN id TO number'],
        [NOTED, 'ALTER SCHEMA public RENAME TO moved'],
        [MIRRORED, 'ALTER SCHEMA public RENAME TO moved'],
        [NOTED, 'ALTER TABLE t ALTER COLUMN id TYPE numeric'],
        [MIRRORED, 'ALTER TABLE t_rest RENAME TO t_others'],
        [NOTED, "SELECT 'DROP TABLE ' || oid::regclass FROM pg_class WHERE relname ~ '^sluice_keys_[0-9]+$'"],
      ] as const
      const left = [['599', String(90_300 - 2 - 4 + 1 + 14)]]
      for (const [phase, hand] of hands) {
        await direct.run(
          'DROP SCHEMA IF EXISTS moved CASCADE; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public',
        )
        await made('PRIMARY KEY (id, at)', 300)
        // Nothing is switched before it has ended.
        await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
        const run = make(store, await look(store, 't'), [Q3], { budgetMs: 1500 }).catch((error: unknown) => error)
        await until(phase)
        const [[sql] = []] = hand.startsWith('SELECT') ? await direct.rows(hand) : [[hand]]
        await direct.run(String(sql))
        await direct.run(
          "SET search_path TO public, moved; INSERT INTO t VALUES (5000000000, '2024-07-05', 1, 1); UPDATE t SET qty = 7 WHERE total = 2; DELETE FROM t WHERE total = 4",
        )
        await other.run('COMMIT')
        await run
        expect([hand, await direct.rows('SELECT count(*), sum(qty) FROM t')]).toEqual([hand, left])
        await make(store, await look(store, 't', hand.includes('moved') ? 'moved' : 'public'), [Q3])
        expect([hand, await direct.rows('SELECT count(*), sum(qty) FROM t')]).toEqual([hand, left])
        expect(await leftOvers(direct)).toEqual([])
        await direct.run('RESET search_path')
      }
      await direct.run(
        'DROP SCHEMA IF EXISTS moved CASCADE; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public',
      )
    },
  )

  test('default privileges give nobody a look at the rows, in between or behind', async () => {
    await made('PRIMARY KEY (id, at)')
    await direct.run(
      "DROP ROLE IF EXISTS spy; CREATE ROLE spy LOGIN PASSWORD 's'; GRANT USAGE ON SCHEMA public TO spy; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO spy; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO spy; ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO spy",
    )
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
    const run = make(store, await look(store, 't'), [Q3])
    await until(MIRRORED)
    const given =
      "SELECT relname FROM pg_class WHERE relacl::text LIKE '%spy%' AND relnamespace = 'public'::regnamespace UNION ALL SELECT proname FROM pg_proc WHERE proacl::text LIKE '%spy%'"
    expect(await direct.rows(given)).toEqual([])
    await other.run('COMMIT')
    expect((await run).made).toHaveLength(1)
    expect(await direct.rows(given)).toEqual([])
    await direct.run(
      'ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM spy; ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM spy; ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM spy; DROP OWNED BY spy; DROP ROLE spy',
    )
  })

  test('names of indexes as long as the server takes them', async () => {
    const long = `${'l'.repeat(58)}_`
    await direct.run(`CREATE TABLE ${long} (id bigint, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE ${long}q2 PARTITION OF ${long} FOR VALUES FROM ('2024-04-01') TO ('2024-07-01'); CREATE TABLE ${long}rest PARTITION OF ${long} DEFAULT;
      CREATE INDEX ON ${long} (at); INSERT INTO ${long} VALUES (1, '2024-07-05')`)
    const before = await direct.rows(
      `SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '${long}rest'::regclass ORDER BY 1`,
    )
    expect((await make(store, await look(store, long), [[`${long}q3`, Q3[1], Q3[2]]])).made).toHaveLength(1)
    expect(
      await direct.rows(
        `SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '${long}rest'::regclass ORDER BY 1`,
      ),
    ).toEqual(before)
    await direct.run(`DROP TABLE ${long}`)
  })
})
