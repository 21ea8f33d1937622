/**
 * Rows of a default partition that the server would not accept a second time: refused by name, with a hint, and nothing
 * is left.
 */
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { perform } from '../support/copy-systems.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
import { leftOvers, look, make } from './partition-kit.ts'

const Q1 = ['t_q1', '2027-01-01 00:00:00+00', '2027-04-01 00:00:00+00'] as const

describe.skipIf(!POSTGRES_OWN)('rows that the server would refuse a second time (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('refused')
    direct = await psql(server.url('refused'))
    await direct.run("SET TimeZone TO 'UTC'")
    store = await openPostgresCopy(server.url('refused'))
  })

  beforeEach(async () => {
    await direct.run('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await direct.close()
    await server[Symbol.asyncDispose]()
  })

  const made = (columns: string): Promise<void> =>
    direct.run(`CREATE TABLE t (id int, at timestamptz NOT NULL, v text, ${columns}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE t_q4 PARTITION OF t FOR VALUES FROM ('2026-10-01') TO ('2027-01-01'); CREATE TABLE t_rest PARTITION OF t DEFAULT;
      INSERT INTO t (id, at, v) SELECT i, '2027-02-03', 'x' FROM generate_series(1, 100) i`)
  const q1 = async (): Promise<unknown> => make(store, await look(store, 't'), [Q1])

  test('functions that name objects without their schema are refused', async () => {
    await direct.run(`CREATE FUNCTION inner_one(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN t; END';
      CREATE FUNCTION outer_one(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner_one(t); END';
      CREATE TABLE allowed (v text); INSERT INTO allowed VALUES ('x');
      CREATE FUNCTION is_allowed(t text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM allowed a WHERE a.v = t)'`)
    for (const [columns, name] of [
      ['g text GENERATED ALWAYS AS (outer_one(v)) STORED', 'outer_one'],
      ['CHECK (is_allowed(v))', 'is_allowed'],
    ] as const) {
      await made(columns)
      await expect(q1()).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        reason: expect.stringMatching(new RegExp(`calls the function .*${name}.*search_path`)) as unknown,
        hint: expect.stringContaining('SET search_path TO') as unknown,
      })
      expect(await leftOvers(direct)).toEqual([])
      await direct.run(
        'ALTER FUNCTION outer_one SET search_path TO public; ALTER FUNCTION is_allowed SET search_path TO public',
      )
      await q1()
      expect(await direct.rows('SELECT count(*), (SELECT count(*) FROM t_q1) FROM t')).toEqual([['100', '100']])
      await direct.run('DROP TABLE t; ALTER FUNCTION is_allowed RESET search_path')
    }
  })

  test('generated columns and constraints whose functions were replaced are refused', async () => {
    await direct.run(`CREATE FUNCTION f(t text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT t || '1' $$;
      CREATE FUNCTION fine(t text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true'`)
    await made('g text GENERATED ALWAYS AS (f(v)) STORED, CONSTRAINT is_fine CHECK (fine(v))')
    await direct.run(
      `CREATE OR REPLACE FUNCTION f(t text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT t || '2' $$`,
    )
    await expect(q1()).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      reason: expect.stringMatching(/^100 of its rows have a value in the generated column g/) as unknown,
      hint: expect.stringContaining('UPDATE ONLY "public"."t_rest" SET "v" = "v"') as unknown,
    })
    await direct.run('UPDATE ONLY t_rest SET v = v')
    await direct.run(
      "CREATE OR REPLACE FUNCTION fine(t text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT t <> 'x' $$",
    )
    await expect(q1()).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      reason: expect.stringContaining('the constraint is_fine') as unknown,
    })
    expect(await leftOvers(direct)).toEqual([])
    await direct.run('ALTER TABLE t DROP CONSTRAINT is_fine')
    await q1()
    expect(await direct.rows('SELECT count(*), (SELECT count(*) FROM t_q1) FROM t')).toEqual([['100', '100']])
  })

  test('a constraint that is NOT ENFORCED is no obstacle (needs version 18)', async ({ skip }) => {
    const [row] = await direct.rows("SELECT current_setting('server_version_num')::int >= 180000")
    skip(row?.[0] !== 't', 'the server is older')
    await made('CONSTRAINT loose CHECK (id > 1000) NOT ENFORCED')
    await q1()
    expect(
      await direct.rows(
        "SELECT conname, conenforced FROM pg_constraint WHERE conrelid = 't_q1'::regclass AND contype = 'c'",
      ),
    ).toEqual([['loose', 'f']])
  })

  test('the refusal of `partition ensure` does not advise to run it', async () => {
    const year = new Date().getUTCFullYear()
    await direct.run(`CREATE TABLE t (id int, at date NOT NULL) PARTITION BY RANGE (at); CREATE TABLE t_${year} PARTITION OF t FOR VALUES FROM ('${year}-01-01') TO ('${year + 1}-01-01');
      CREATE TABLE t_rest PARTITION OF t DEFAULT; INSERT INTO t VALUES (1, '${year + 1}-02-03')`)
    const ensure = {
      kind: 'partition-ensure',
      tables: ['t'],
      calendar: { unit: 'year' },
      ahead: 1,
      patienceMs: 100,
      budgetMs: 5000,
      dryRun: false,
    } as const
    const { events, finished } = await perform({ ...ensure, from: server.url('refused') })
    expect(finished.error).toMatchObject({
      code: 'TABLE_REFUSED',
      hint: expect.stringContaining('ADD PRIMARY KEY') as unknown,
    })
    const alarms = events.filter((event) => event.type === 'partition.alarm')
    expect(alarms.map(({ alarm, hint }) => [alarm, hint])).toContainEqual(['none ahead', undefined])
    expect(JSON.stringify(alarms)).not.toContain('run sluice partition ensure')
  })

  test('a standby that does not report its reads is named', async () => {
    await made('w int')
    const { host, port, user, password } = new pg.Client(server.url('refused'))
    // This is how a standby asks for it; the driver does not know the answer, and keeps the connection.
    const standby = new pg.Client({
      host,
      port,
      user,
      password,
      database: 'refused',
      replication: 'true',
      application_name: 'far away',
    } as pg.ClientConfig)
    standby.on('error', () => undefined)
    await standby.connect()
    const [at] = await direct.rows('SELECT pg_current_wal_lsn()')
    standby.query(`START_REPLICATION PHYSICAL ${String(at?.[0])}`).catch(() => undefined)
    const seen = async (): Promise<unknown> =>
      (await direct.rows("SELECT count(*) FROM pg_stat_replication WHERE state IN ('streaming', 'catchup')"))[0]?.[0]
    await expect.poll(seen, { timeout: 10_000 }).toBe('1')
    const { notes } = await make(store, await look(store, 't'), [Q1])
    expect(notes).toEqual([
      expect.stringContaining('snapshots on the standbys far away are unknown (hot_standby_feedback'),
    ])
    standby.end().catch(() => undefined)
  })

  test('a read-only role is refused before anything is created', async () => {
    await made('w int')
    await direct.run(
      "CREATE ROLE looker LOGIN SUPERUSER PASSWORD 'l'; ALTER ROLE looker SET default_transaction_read_only TO on",
    )
    await using theirs = await openPostgresCopy(server.url('refused', 'looker', 'l'))
    await expect(make(theirs, await look(theirs, 't'), [Q1])).rejects.toMatchObject({
      code: 'TARGET_DENIED',
      reason: expect.stringContaining('default_transaction_read_only') as unknown,
    })
    expect(await leftOvers(direct)).toEqual([])
  })
})
