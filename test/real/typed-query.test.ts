/**
 * Typed queries on PostgreSQL: what a login could do with functions, by itself or by those that another role has
 * created.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import pg from 'pg'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { SqlRow } from '../../src/model/run/sql-port.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'

const LEAVE = "set_config('role', 'none', false)"
const PASSWORD = 'typed'

/** For every login: queries that do more than read rows. */
const DOES_MORE = [
  `SELECT ${LEAVE}`,
  `SELECT "set_config"('role', 'none', false)`,
  `SELECT U&"\\0073et_config"('role', 'none', false)`,
  `SELECT pg_catalog./* of the server */set_config('role', 'none', false)`,
  `SELECT 1 LIMIT (${LEAVE} = '')::int`,
  `SELECT 1 OFFSET length(${LEAVE})`,
  `SELECT 1 WHERE false AND ${LEAVE} = ''`,
  `SELECT 1 ORDER BY ${LEAVE}`,
  `SELECT count(*) FILTER (WHERE ${LEAVE} = '')`,
  `SELECT sum(1) OVER (ROWS length(${LEAVE}) PRECEDING)`,
  `SELECT CASE WHEN true THEN ${LEAVE} END`,
  `SELECT * FROM pg_class TABLESAMPLE system (length(${LEAVE}))`,
  `SELECT * FROM ${LEAVE}`,
  `SELECT * FROM ROWS FROM (${LEAVE}, generate_series(1, 2))`,
  `WITH a AS MATERIALIZED (SELECT ${LEAVE}) SELECT 1`,
  `SELECT * FROM (VALUES (${LEAVE})) v, LATERAL (SELECT 1) l`,
  `VALUES (${LEAVE})`,
  `SELECT xmlelement(name a, ${LEAVE})`,
  `SELECT ARRAY(SELECT ${LEAVE})`,
  `SELECT coalesce(null, ${LEAVE})`,
  `EXPLAIN ANALYZE SELECT ${LEAVE}`,
  `EXPLAIN (ANALYZE, COSTS off) SELECT ${LEAVE}`,
  `explain(analyze)(SELECT ${LEAVE})`,
  `EXPLAIN (SELECT ${LEAVE})`,
  `EXPLAIN ANALYZE VERBOSE WITH a AS (SELECT ${LEAVE}) TABLE a`,
  `EXPLAIN ANALYZE INSERT INTO plain SELECT length(${LEAVE})`,
  `SELECT query_to_xml('SELECT ${LEAVE.replaceAll("'", "''")}', true, false, '')`,
  `SELECT query_to_xmlschema('SELECT 1', true, false, '')`,
  `SELECT table_to_xml('leaves', true, false, '')`,
  `SELECT schema_to_xml('public', true, false, '')`,
  `SELECT database_to_xml(true, false, '')`,
  `SELECT ts_stat('SELECT to_tsvector(''a'')')`,
  `SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery')`,
  `SELECT * FROM leaves`,
  `SELECT * FROM leaves_twice`,
  `EXPLAIN ANALYZE SELECT * FROM leaves_twice`,
  `SELECT pg_read_file('/etc/passwd')`,
  `SELECT pg_read_binary_file('/etc/passwd')`,
  `SELECT pg_ls_dir('/')`,
  `SELECT pg_stat_file('/etc/passwd')`,
  `SELECT * FROM pg_hba_file_rules`,
  `SELECT lo_export(1, '/tmp/typed')`,
  `SELECT lo_import('/etc/passwd')`,
  `SELECT lo_create(7)`,
  `SELECT lo_from_bytea(7, 'a')`,
  `SELECT lo_get(7)`,
  `SELECT lo_put(7, 0, 'a')`,
  `SELECT lo_unlink(7)`,
  `SELECT loread(lo_open(7, 262144), 10)`,
  `SELECT pg_advisory_lock(7)`,
  `SELECT pg_advisory_xact_lock(7)`,
  `SELECT pg_try_advisory_lock_shared(7, 7)`,
  `SELECT pg_advisory_unlock_all()`,
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()`,
  `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()`,
  `SELECT pg_notify('worker:migrate', '')`,
  `SELECT pg_logical_emit_message(false, 'a', 'b')`,
  `SELECT pg_create_physical_replication_slot('typed')`,
  `SELECT pg_export_snapshot()`,
  `SELECT pg_switch_wal()`,
  `SELECT pg_reload_conf()`,
  `SELECT pg_stat_reset()`,
  `SELECT setseed(0.5)`,
  `SELECT nextval('numbers')`,
  `SELECT setval('numbers', 7)`,
]

/** Texts that are no query, or would not run as the query that was checked. */
const NO_QUERY = [
  `COPY (SELECT 1) TO PROGRAM 'true'`,
  `DECLARE c CURSOR FOR SELECT ${LEAVE}`,
  `EXECUTE p`,
  `EXPLAIN ANALYZE EXECUTE p`,
  `EXPLAIN ANALYZE CREATE TABLE mine AS SELECT ${LEAVE}`,
  `SELECT 1; RESET ROLE`,
  `SELECT 1) x; RESET ROLE; SELECT (1`,
]

/** Objects of another role that may only create in `public`. */
const PLANTED = [
  `SELECT 'a'::name <<|>> 'b'::name`,
  `SELECT planted(1)`,
  `SELECT v.planted_of FROM plain v`,
  `SELECT planted_sum(n) FROM plain`,
  `SELECT * FROM planted_view`,
  `EXPLAIN SELECT * FROM planted_view`,
]
/** Objects of another role for which even planning is refused to a superuser. */
const REACHES = [
  `SELECT * FROM planted_table WHERE n = 1`,
  `SELECT * FROM parent_of_planted`,
  `SELECT own_function()`,
  `SELECT * FROM dblink('', 'SELECT 1') AS t (a int)`,
]

const ALLOWED: readonly (readonly [sql: string, rows: readonly SqlRow[]])[] = [
  ['SELECT n, n + 1 AS n, abs(-n) FROM plain', [[7, 8, 7]]],
  ['(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 DESC', [[2], [1]]],
  ['TABLE plain', [[7]]],
  ['VALUES (1), (2);', [[1], [2]]],
  ["SELECT set_config FROM (SELECT 'set_config(' AS set_config) s", [['set_config(']]],
  ["SELECT ROW(1, 2) < ROW(1, 3), lower(upper('A')) LIKE 'a%', now() <= clock_timestamp()", [[1, 1, 1]]],
  ['SELECT sum(n) OVER (ORDER BY n RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM plain', [[7]]],
  ["SELECT relname FROM pg_class WHERE oid = 'plain'::regclass AND pg_total_relation_size(oid) >= 0", [['plain']]],
]

describe.skipIf(!POSTGRES_AVAILABLE)(`typed queries on PostgreSQL${POSTGRES_MISSING}`, { timeout: 60_000 }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('typed')
    await as(
      undefined,
      `CREATE ROLE planter LOGIN PASSWORD '${PASSWORD}'; CREATE ROLE plain_login LOGIN PASSWORD '${PASSWORD}';
       CREATE ROLE signaller LOGIN PASSWORD '${PASSWORD}' IN ROLE pg_signal_backend, pg_read_server_files;
       CREATE ROLE boss SUPERUSER; CREATE ROLE may_be_boss LOGIN NOINHERIT PASSWORD '${PASSWORD}' IN ROLE boss;
       GRANT CREATE ON SCHEMA public TO planter;
       CREATE TABLE plain AS SELECT 7 AS n; CREATE SEQUENCE numbers; CREATE TABLE parent_of_planted (n int);
       CREATE FUNCTION own_function() RETURNS text LANGUAGE sql AS $$ SELECT 'own' $$;
       CREATE VIEW leaves AS SELECT ${LEAVE} AS r; CREATE VIEW leaves_twice AS SELECT l.r FROM leaves l;
       CREATE TABLE calls (who text); GRANT INSERT ON calls TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC`,
    )
    await as(
      'planter',
      `CREATE FUNCTION public.planted(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN PERFORM ${LEAVE}; RAISE WARNING 'planted ran'; RETURN $1; END $f$;
       CREATE FUNCTION public.planted(int, int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN PERFORM ${LEAVE}; RETURN $1; END $f$;
       CREATE AGGREGATE public.planted_sum(int) (SFUNC = public.planted, STYPE = int, INITCOND = '0');
       CREATE FUNCTION public.planted_of(public.plain) RETURNS int LANGUAGE sql AS $f$ SELECT public.planted(1) $f$;
       CREATE FUNCTION public.planted_cat(name, name) RETURNS text LANGUAGE sql AS $f$ SELECT ${LEAVE} $f$;
       CREATE OPERATOR public.<<|>> (LEFTARG = name, RIGHTARG = name, FUNCTION = public.planted_cat);
       CREATE FUNCTION public.indexed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN RETURN $1; END $f$;
       CREATE TABLE public.planted_table (n int); CREATE INDEX ON public.planted_table ((n + public.indexed(1)));
       CREATE OR REPLACE FUNCTION public.indexed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN PERFORM ${LEAVE}; RETURN $1; END $f$;
       CREATE VIEW public.planted_view AS SELECT public.planted(n) FROM public.plain;
       GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC`,
    )
    // A table with rows of another role that inherits from a table of this login.
    await as(undefined, 'ALTER TABLE planted_table INHERIT parent_of_planted')
  }, 60_000)
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })

  const urlOf = (role: string | undefined): string => {
    if (role === undefined) return server.url('typed')
    return server.url('typed', role, PASSWORD)
  }

  async function as(role: string | undefined, sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: urlOf(role) })
    await client.connect()
    try {
      await client.query(sql)
    } finally {
      await client.end()
    }
  }

  async function ask(role: string | undefined, sql: string): Promise<readonly SqlRow[]> {
    await using database = await openCatalogDatabase(urlOf(role), 'read')
    const rows: SqlRow[] = []
    for await (const page of database.query(sql, { pageRows: 100, signal: new AbortController().signal }))
      rows.push(...page.rows)
    return rows
  }

  async function refusal(role: string | undefined, sql: string): Promise<string> {
    const error = await ask(role, sql).then(
      (rows) => new Error(`${sql} gave ${JSON.stringify(rows, (_, value: unknown) => String(value))}`),
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof SluiceError)) throw error
    return `${error.code} ${error.message}: ${error.reason ?? ''}`
  }

  test.each([undefined, 'plain_login', 'signaller', 'may_be_boss'])(
    'queries that do more than read are refused: %s',
    async (role) => {
      const other = new pg.Client({ connectionString: urlOf(role) })
      await other.connect()
      // The check is the same for all logins: two of them run every query.
      const some = role === undefined || role === 'plain_login' ? DOES_MORE : DOES_MORE.filter((_, i) => i % 6 === 0)
      for (const sql of some)
        expect(await refusal(role, sql), sql).toMatch(
          /^BAD_QUERY the query is refused: it calls pg_catalog\.[^]*more than read rows$/,
        )
      for (const sql of NO_QUERY)
        expect(await refusal(role, sql), sql).toMatch(
          /^BAD_QUERY (?:syntax error|cannot insert multiple|cannot execute)/,
        )
      const { rows } = await other.query<{ alive: number; locks: string; objects: string }>(
        `SELECT 1 AS alive, (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks,
         (SELECT count(*) FROM pg_largeobject_metadata) AS objects`,
      )
      expect(rows).toEqual([{ alive: 1, locks: '0', objects: '0' }])
      await other.end()
    },
  )

  test.each([undefined, 'plain_login', 'signaller'])(
    'objects of another role are refused by name: %s',
    async (role) => {
      for (const sql of PLANTED)
        expect(await refusal(role, sql), sql).toMatch(
          /^BAD_QUERY the query is refused: it (?:calls|reads) public\.planted/,
        )
    },
  )

  test.each([undefined, 'signaller', 'may_be_boss'])(
    'a login with rights beyond rows uses no objects of other roles: %s',
    async (role) => {
      for (const sql of REACHES) expect(await refusal(role, sql), sql).toMatch(/^BAD_QUERY /)
    },
  )

  test('a superuser has the rights of a reader: no hashes of passwords', async () => {
    expect(await ask(undefined, 'SELECT current_user::text')).toEqual([['pg_read_all_data']])
    const kept = {
      pg_authid: 'SELECT rolpassword FROM pg_authid',
      pg_shadow: 'SELECT passwd FROM pg_shadow WHERE passwd IN (SELECT rolname FROM pg_roles)',
      pg_user_mapping: 'SELECT umoptions FROM pg_user_mapping',
      pg_subscription: 'SELECT subconninfo FROM pg_subscription',
      pg_largeobject: 'SELECT data FROM pg_largeobject',
    }
    for (const [table, sql] of Object.entries(kept))
      expect(await refusal(undefined, sql), sql).toMatch(`the query is refused: it reads pg_catalog.${table}`)
    expect((await ask(undefined, 'SELECT rolname, rolpassword FROM pg_roles')).length).toBeGreaterThan(0)
    expect((await ask(undefined, 'SELECT * FROM pg_stat_activity')).length).toBeGreaterThan(0)
  })

  test.each([undefined, 'plain_login', 'signaller', 'may_be_boss'])(
    'queries that only read succeed: %s',
    async (role) => {
      for (const [sql, rows] of ALLOWED) expect(await ask(role, sql), sql).toEqual(rows)
      const plans = [
        'EXPLAIN SELECT 1',
        'explain (analyze, format json) (SELECT 1)',
        'EXPLAIN ANALYZE VERBOSE TABLE plain',
      ]
      for (const sql of plans) expect((await ask(role, sql)).length, sql).toBeGreaterThan(0)
      expect(await refusal(role, 'EXPLAIN ANALYZE SELECT 1,\n  nothing FROM plain')).toContain('(line 2, column 3)')
    },
  )

  test('functions of the login itself, and of the owner of the database, are accepted', async () => {
    expect(await ask('plain_login', 'SELECT own_function()')).toEqual([['own']])
  })

  test('a CHECK of a domain would run while the text is parsed', async () => {
    await as(
      'planter',
      `CREATE FUNCTION public.leave(text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM ${LEAVE}; INSERT INTO public.calls VALUES (current_user::text); RETURN true; END $f$;
       CREATE DOMAIN public.planted_domain AS text CHECK (public.leave(VALUE))`,
    )
    for (const sql of [`SELECT '{a}'::planted_domain[]`, `SELECT 1`])
      expect(await refusal(undefined, sql), sql).toContain('public.planted_domain')
    await as('planter', 'DROP DOMAIN public.planted_domain')
    expect(await ask(undefined, 'SELECT count(*)::int FROM calls')).toEqual([[0]])
  })
})
