/**
 * Effects on other sessions while rows of a default partition are moved: no row disappears from an old snapshot, no
 * statement fails, no right to intermediate tables, and a killed run leaves nothing harmful.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
import { leftOvers, look, make, withRest, writing } from './partition-kit.ts'

const Q3 = ['t_q3', '2024-07-01 00:00:00+00', '2024-10-01 00:00:00+00'] as const

describe.skipIf(!POSTGRES_OWN)('other sessions during a move of rows (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let other: Psql

  beforeAll(async () => {
    server = await startPostgres({ extraSettings: ['max_prepared_transactions=4'] })
    await server.createDatabase('beside')
    direct = await psql(server.url('beside'))
    await direct.run("SET TimeZone TO 'UTC'; ALTER DATABASE beside SET TimeZone TO 'UTC'")
    other = await psql(server.url('beside'))
    store = await openPostgresCopy(server.url('beside'))
  })

  beforeEach(async () => {
    await direct.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    for (const side of [direct, other]) await side.close()
    await server[Symbol.asyncDispose]()
  })

  const made = (key: string, rows = 3000): Promise<void> => withRest(direct, key, rows)

  /** Waits until the query returns true. */
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

  test('an old snapshot is waited for even if its lock was released with a savepoint', async () => {
    await made('PRIMARY KEY (id, at)')
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SAVEPOINT s; SELECT count(*) FROM t')
    const rolledBack: Promise<void>[] = []
    const run = make(store, await look(store, 't'), [Q3], {
      retryLimitMs: 700,
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

  test('an old snapshot that was exported to a later transaction is waited for', async () => {
    await made('PRIMARY KEY (id, at)')
    const importer = await psql(server.url('beside'))
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ')
    const [[snapshot] = []] = await other.rows('SELECT pg_export_snapshot()')
    const run = make(store, await look(store, 't'), [Q3], { retryLimitMs: 700 })
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

  test('long writers of other tables, and new snapshots, are not waited for', async () => {
    await made('PRIMARY KEY (id, at)')
    const readers = await Promise.all([0, 1].map(() => psql(server.url('beside'))))
    await other.run('BEGIN; CREATE TABLE elsewhere (n int)')
    const reads = await Promise.all(readers.map((side) => writing(side, () => 'SELECT pg_sleep(0.03)', 0)))
    expect((await make(store, await look(store, 't'), [Q3])).made).toHaveLength(1)
    for (const read of reads) await read.stop()
    await other.run('ROLLBACK')
    for (const side of readers) await side.close()
  })

  test('deferred constraints do not fail writers because the copy lags behind', async () => {
    await made('PRIMARY KEY (id, at), UNIQUE (qty, at) DEFERRABLE INITIALLY DEFERRED')
    const writer = await psql(server.url('beside'))
    // Its snapshot is older than the copy, so that its change is only logged.
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
    'whatever is renamed or dropped during a run, writers do not fail and no row is lost',
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
        // The run cannot switch the tables before this transaction has ended.
        await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
        const run = make(store, await look(store, 't'), [Q3], { retryLimitMs: 1500 }).catch((error: unknown) => error)
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

  test('default privileges give no role access to the rows, neither during the move nor after it', async () => {
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

  test("names of indexes are kept even at the server's maximum length", async () => {
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

  test('triggers of a killed run do nothing, and the next run removes its objects, even after a restore from a dump', async () => {
    await made('PRIMARY KEY (id, at)', 300)
    const holder = await psql(server.url('beside'))
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
    const run = make(store, await look(store, 't'), [Q3], { retryLimitMs: 500 }).catch((error: unknown) => error)
    await until(MIRRORED)
    // The default partition is in use, so the run cannot clean up.
    await holder.run('BEGIN; LOCK TABLE t_rest IN ACCESS SHARE MODE')
    expect(await run).toMatchObject({ code: 'TARGET_BUSY' })
    await holder.run('COMMIT')
    await other.run('COMMIT')
    expect((await look(store, 't')).leftOver).toMatch('triggers')
    const [[log, note, aside, mark] = []] = await direct.rows(
      `SELECT (SELECT relname FROM pg_class WHERE relname ~ '^sluice_keys_[0-9]+$'), (SELECT proname FROM pg_proc WHERE proname LIKE 'sluice_note%'),
        (SELECT relname FROM pg_class WHERE relname LIKE 'sluice_aside%_0'), (SELECT conname FROM pg_constraint WHERE conname LIKE 'sluice_aside_of%' LIMIT 1)`,
    )
    const notes = (): Promise<unknown[][]> => direct.rows(`SELECT count(*) FROM ${String(log)}`)
    await direct.run(
      "UPDATE t SET qty = qty + 1; TRUNCATE t_rest; INSERT INTO t VALUES (1, '2024-07-06', 2, 4), (2, '2030-07-06', 2, 4)",
    )
    expect(await notes()).toEqual([['0']])
    // A user drops some of the objects, and the others have the OIDs of another server.
    await direct.run(`DROP TABLE ${String(log)}; ALTER FUNCTION ${String(note)} RENAME TO sluice_note_4; ALTER TABLE ${String(aside)} RENAME CONSTRAINT ${String(mark)} TO sluice_aside_of_3;
      ALTER TABLE ${String(aside)} RENAME TO sluice_aside_3_0`)
    expect((await look(store, 't')).leftOver).toMatch(/triggers.*sluice_aside_3_0/)
    await direct.run('INSERT INTO t SELECT i, $$2024-07-05$$, i, i FROM generate_series(10, 20) i')
    expect((await make(store, await look(store, 't'), [Q3])).made).toMatchObject([{ moved: 12n }])
    expect(await leftOvers(direct)).toEqual([])
    await holder.close()
  })

  test('changes of a very large transaction are logged and none is lost', async () => {
    await made('PRIMARY KEY (id, at)', 12_000)
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
    const run = make(store, await look(store, 't'), [Q3])
    await until(MIRRORED)
    await direct.run("UPDATE t SET qty = -1 WHERE at = '2024-07-05'")
    await other.run('COMMIT')
    expect((await run).made).toMatchObject([{ moved: 12_000n }])
    expect(await direct.rows('SELECT count(*), sum(qty) FROM t_q3')).toEqual([['12000', '-12000']])
    expect(await leftOvers(direct)).toEqual([])
  })

  test('a prepared transaction in the way, which has no session, is named', async () => {
    await made('PRIMARY KEY (id, at)', 300)
    await direct.run("BEGIN; INSERT INTO t VALUES (9001, '2024-07-05', 1, 1); PREPARE TRANSACTION 'it''s mine'")
    await expect(make(store, await look(store, 't'), [Q3], { retryLimitMs: 300 })).rejects.toMatchObject({
      code: 'TARGET_BUSY',
      reason: expect.stringContaining("ROLLBACK PREPARED 'it''s mine'") as unknown,
    })
    await direct.run("COMMIT PREPARED 'it''s mine'")
    expect((await make(store, await look(store, 't'), [Q3])).made).toMatchObject([{ moved: 301n }])
  })
})
