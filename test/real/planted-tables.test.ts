/** Tables that another role has created under names of sluice's own: none of them runs code as the login of sluice. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openQueue } from '../../src/app/share/queues.ts'
import { openPostgres } from '../../src/stores/postgresql/server/sql-database.ts'
import { BIN, cleanEnv } from '../e2e/support/program.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'

const SHARED = process.env['SLUICE_SHARED'] ?? path.resolve('../shared')
const PLANTED = path.join(SHARED, 'cases/security/planted-ledger.sql')
const OPERATOR = path.join(SHARED, 'cases/security/planted-operator.sql')
const LAKE = path.resolve('fixtures/lake')

describe.skipIf(!POSTGRES_AVAILABLE)(`planted tables${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let server: PostgresServer
  let folder = ''
  let source = ''
  beforeAll(async () => {
    server = await startPostgres()
    folder = mkdtempSync(path.join(tmpdir(), 'sluice-planted-'))
    const file = path.join(folder, 'source.db')
    new Database(file).exec('CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)').close()
    source = `sqlite:///${file}`
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  async function ask<R extends pg.QueryResultRow>(database: string, sql: string, role?: string): Promise<readonly R[]> {
    const client = new pg.Client({ connectionString: server.url(database, role, role === undefined ? undefined : '') })
    if (role !== undefined) client.password = 'planter'
    await client.connect()
    try {
      return (await client.query<R>(sql)).rows
    } finally {
      await client.end()
    }
  }

  /** A database in which a role that may only create in `public` has run the script. */
  async function planted(name: string, script: string): Promise<string> {
    await server.createDatabase(name)
    await ask(
      name,
      `DO $$ BEGIN CREATE ROLE planter LOGIN PASSWORD 'planter'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
       GRANT CREATE ON SCHEMA public TO planter`,
    )
    await ask(name, script, 'planter')
    return server.url(name)
  }

  function sluice(...args: readonly string[]): { readonly code: number | null; readonly said: string } {
    const env = { ...cleanEnv(), HOME: folder }
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, '--ci', ...args], {
      cwd: folder,
      env,
      encoding: 'utf8',
    })
    return { code: status, said: stdout + stderr }
  }

  const COUNTED = `CREATE TABLE public.calls (who text, what text); GRANT INSERT ON public.calls TO PUBLIC;
    CREATE FUNCTION public.counted() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO public.calls VALUES (current_user::text, TG_TABLE_NAME); RETURN NEW; END $f$;
    CREATE FUNCTION public.count_default() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO public.calls VALUES (current_user::text, 'default'); RETURN ''; END $f$;`

  const calls = async (name: string): Promise<readonly string[]> =>
    (await ask<{ what: string }>(name, 'SELECT what FROM public.calls')).map(({ what }) => what)

  test('a ledger with a trigger: a copy into that database is refused by name', async () => {
    const url = await planted('planted_ledger', readFileSync(PLANTED, 'utf8'))
    const ran = sluice('copy', '--from', source, '--to', url, '--table', 't')
    expect(await calls('planted_ledger')).toEqual([])
    expect(ran.said).toContain('public.migration_runs')
    expect(ran.said).toContain('belongs to the role planter')
    expect(ran.code).not.toBe(0)
  })

  test('a catalog table that belongs to another role: an import is refused by name', async () => {
    const url = await planted('planted_catalog', COUNTED)
    expect(sluice('import', path.join(LAKE, 'crm/customers'), '--database-url', url).code).toBe(0)
    await ask('planted_catalog', 'ALTER TABLE public.catalog_audit OWNER TO planter')
    const trigger =
      'CREATE TRIGGER t BEFORE INSERT ON public.catalog_audit FOR EACH ROW EXECUTE FUNCTION public.counted()'
    await ask('planted_catalog', trigger, 'planter')
    const ran = sluice('import', path.join(LAKE, 'sales/orders'), '--database-url', url)
    expect(await calls('planted_catalog')).toEqual([])
    expect(ran.said).toContain('public.catalog_audit')
    expect(ran.code).not.toBe(0)
  })

  test('a view in place of a table of sluice is not even read', async () => {
    const url = await planted(
      'planted_view',
      `${COUNTED} CREATE VIEW public.delta_tables AS SELECT public.count_default() AS table_id, ''::text AS location`,
    )
    const ran = sluice('history', path.join(LAKE, 'sales/orders'), '--database-url', url)
    expect(await calls('planted_view')).toEqual([])
    expect(ran.said).toContain('public.delta_tables')
    expect(ran.code).not.toBe(0)
  })

  test('a trigger that a role with a granted right has created on a table of sluice is refused', async () => {
    const url = await planted('planted_trigger', COUNTED)
    expect(sluice('copy', '--from', source, '--to', url, '--table', 't').code).toBe(0)
    await ask('planted_trigger', 'GRANT TRIGGER ON public.migration_runs TO planter')
    const trigger =
      'CREATE TRIGGER t BEFORE INSERT OR UPDATE ON public.migration_runs FOR EACH ROW EXECUTE FUNCTION public.counted()'
    await ask('planted_trigger', trigger, 'planter')
    const ran = sluice('copy', '--from', source, '--to', url, '--table', 't')
    expect(await calls('planted_trigger')).toEqual([])
    expect(ran.said).toContain('a trigger whose function belongs to another role')
    expect(ran.code).not.toBe(0)
  })

  test('a ledger whose rows a policy hides is neither read nor written', async () => {
    const url = await planted('planted_policy', COUNTED)
    expect(sluice('copy', '--from', source, '--to', url, '--table', 't').code).toBe(0)
    const hidden = `ALTER TABLE public.migration_runs ENABLE ROW LEVEL SECURITY;
      CREATE POLICY p ON public.migration_runs USING (public.count_default() IS NULL)`
    await ask('planted_policy', hidden)
    for (const words of [
      ['copy', '--from', source, '--to', url, '--table', 't'],
      ['runs', '--to', url],
    ]) {
      const ran = sluice(...words)
      expect(ran.said).toMatch(/public\.migration_runs[^]*row level security[^]*TABLE_REFUSED/)
      expect(ran.code).not.toBe(0)
    }
    expect(await calls('planted_policy')).toEqual([])
  })

  /** Operators and functions with names of the server, for all pairs of these types; each call counts itself. */
  const PLANTS = `CREATE TABLE public.calls (who text, what text); GRANT INSERT ON public.calls TO PUBLIC;
    DO $do$ DECLARE a text; b text; o text; f text; made text; n int := 0;
      types CONSTANT text[] := ARRAY['name', 'text', 'varchar', 'oid', 'int2', 'int4', 'int8', 'bool', '"char"', 'regclass'];
      operators CONSTANT text[] := ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '~', '!~', '~~'];
      -- Read before anything stands in the way of these statements themselves.
      functions CONSTANT text[] := ARRAY(SELECT DISTINCT p.proname FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.pronargs = 1 AND p.prokind = 'f');
    BEGIN
      FOREACH a IN ARRAY types LOOP
        FOREACH f IN ARRAY functions LOOP
          EXECUTE format($q$CREATE OR REPLACE FUNCTION public.%I(%s) RETURNS text LANGUAGE plpgsql AS $b$ BEGIN INSERT INTO public.calls VALUES (current_user::text, 'function'); RETURN NULL; END $b$$q$, f, a);
        END LOOP;
        FOREACH b IN ARRAY types LOOP
          FOREACH o IN ARRAY operators LOOP
            n := n OPERATOR(pg_catalog.+) 1;
            made := format('planted_%s', n);
            EXECUTE format($q$CREATE FUNCTION public.%I(%s, %s) RETURNS text LANGUAGE plpgsql AS $b$ BEGIN INSERT INTO public.calls VALUES (current_user::text, 'operator'); RETURN NULL; END $b$$q$, made, a, b);
            EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.%I)', o, a, b, made);
          END LOOP;
        END LOOP;
      END LOOP;
    END $do$`

  test('operators and functions with names of the server: no command runs one', async () => {
    const url = await planted('planted_operators', PLANTS)
    const other = await planted('planted_operator', readFileSync(OPERATOR, 'utf8'))
    const commands = [
      ['discover', url],
      ['doctor', '--database-url', url],
      ['copy', '--from', source, '--to', url, '--table', 't'],
      ['copy', '--from', url, '--to', source, '--table', 'public.calls'],
      ['diff', '--from', url, '--to', source, '--table', 'public.calls'],
      ['copy', '--follow', '--from', url, '--to', source, '--table', 'public.calls'],
      ['partition', 'list', '--from', url, '--table', 'public.*'],
      ['archive', 'list', '--from', url],
      ['import', path.join(LAKE, 'crm/customers'), '--database-url', url],
      ['sql', 'SELECT 1', '--database-url', url],
      ['grants', '--database-url', url, '--role', 'reader', '--to', 'planter'],
      ['worker', '--connect', url, '--idle', '1s'],
    ]
    const answers = await Promise.all(
      commands.map(async (words) => {
        const { code, said } = sluice(...words)
        return [words[0], code === 0, said.includes('has created') ? 'named' : said, await calls('planted_operators')]
      }),
    )
    expect(answers).toEqual(commands.map(([name]) => [name, false, 'named', []]))
    expect(sluice('archive', 'list', '--from', other).said).toMatch(/DROP (?:OPERATOR|ROUTINE) public\./)
    expect(await calls('planted_operator')).toEqual([])
  })

  test('tables and functions of an application that no statement of sluice can match are accepted', async () => {
    const url = await planted(
      'planted_ordinary',
      `CREATE TABLE public.point (id int PRIMARY KEY); CREATE TABLE public.date (id int PRIMARY KEY);
       CREATE TABLE public.users (id int PRIMARY KEY, born date); INSERT INTO public.users VALUES (1, '2000-01-01');
       CREATE FUNCTION public.age(public.users) RETURNS int LANGUAGE sql AS 'SELECT 1';
       CREATE FUNCTION public.round(double precision, int) RETURNS numeric LANGUAGE sql AS 'SELECT 1::numeric';
       CREATE FUNCTION public.max(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
       CREATE FUNCTION public.gen_random_uuid() RETURNS uuid LANGUAGE sql AS 'SELECT pg_catalog.gen_random_uuid()'`,
    )
    expect(sluice('discover', url).said).toContain('public.users')
    expect(
      sluice('copy', '--from', url, '--to', source, '--table', 'public.users', '--table', 'public.point').code,
    ).toBe(0)
    const inspected = sluice('doctor', '--database-url', url)
    expect(inspected.said).toContain('planter may create in "public"')
    await ask('planted_ordinary', 'ALTER DATABASE planted_ordinary SET search_path = public, pg_catalog')
    // Sessions search pg_catalog first, even if the server names it elsewhere: the table `date` is no type for them.
    const behind = sluice('discover', url)
    expect([behind.code, behind.said]).toEqual([0, expect.stringContaining('public.users')])
  })

  test('a function of the catalog runs no code of a role that may call it and create objects', async () => {
    const url = await planted('planted_beside', COUNTED)
    expect(sluice('import', path.join(LAKE, 'crm/customers'), '--database-url', url).code).toBe(0)
    await ask('planted_beside', 'GRANT EXECUTE ON FUNCTION public.catalog_analyze() TO planter')
    await ask(
      'planted_beside',
      `CREATE FUNCTION public.found(name, name) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO public.calls VALUES (current_user::text, 'operator'); RETURN true; END $f$;
       CREATE OPERATOR public.~ (LEFTARG = name, RIGHTARG = name, FUNCTION = public.found); SELECT public.catalog_analyze()`,
      'planter',
    )
    expect(await calls('planted_beside')).toEqual([])
  })

  /**
   * Replaces a table by one whose default partition has a check that records in `calls` of the schema `by` who plans a
   * statement on it.
   */
  const checkedPartition = (schema: string, table: string, by: string, key: string): string => `
    CREATE TABLE ${by}.calls (who text); GRANT ALL ON ${by}.calls TO PUBLIC;
    CREATE FUNCTION ${by}.noted() RETURNS bool LANGUAGE plpgsql VOLATILE AS $f$ BEGIN INSERT INTO ${by}.calls VALUES (current_user); RETURN true; END $f$;
    CREATE FUNCTION ${by}.f(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $f$ DECLARE x bool; BEGIN SELECT ${by}.noted() INTO x; RETURN true; END $f$;
    ALTER TABLE ${schema}.${table} RENAME TO before;
    CREATE TABLE ${schema}.${table} (LIKE ${schema}.before INCLUDING DEFAULTS) PARTITION BY LIST (${key});
    CREATE TABLE ${schema}.all_of_it PARTITION OF ${schema}.${table} DEFAULT;
    ALTER TABLE ${schema}.all_of_it ADD CONSTRAINT evil CHECK (${by}.f(1)); TRUNCATE ${by}.calls`

  const SCHEMER = `DO $$ BEGIN CREATE ROLE schemer LOGIN PASSWORD 'planter'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`

  test('checks of a partition in place of a ledger do not run', async () => {
    await planted('planted_check', 'SELECT')
    const own = server.url('planted_check', 'planter', 'planter')
    expect(sluice('copy', '--from', source, '--to', own, '--table', 't').code).toBe(0)
    expect(sluice('quarantine', 'list', '--to', server.url('planted_check')).code).toBe(0)
    await ask('planted_check', `GRANT CREATE ON DATABASE planted_check TO planter`)
    const script = checkedPartition('public', 'migration_quarantine', 'mal', 'quarantine_id')
    await ask('planted_check', `CREATE SCHEMA mal; GRANT USAGE ON SCHEMA mal TO PUBLIC; ${script}`, 'planter')
    const ran = sluice('quarantine', 'list', '--to', server.url('planted_check'))
    expect(await ask('planted_check', 'SELECT who FROM mal.calls')).toEqual([])
    expect([ran.code, ran.said]).toEqual([4, expect.stringContaining('may run code when it is read')])
  })

  test('tables that another role changes while a session is open are refused', async () => {
    await planted('planted_later', 'SELECT')
    await ask('planted_later', 'GRANT CREATE ON DATABASE planted_later TO planter')
    const own = server.url('planted_later', 'planter', 'planter')
    expect(sluice('worker', '--connect', own, '--idle', '1s').code).toBe(0)
    expect(sluice('copy', '--from', source, '--to', own, '--table', 't').code).toBe(0)
    await using queue = await openQueue(server.url('planted_later'), 'read')
    await using ledger = await openPostgres(server.url('planted_later'), 'read')
    const rows = 'SELECT run_id FROM migration_runs WHERE run_id IS NOT NULL'
    const walked = async (): Promise<number> => {
      let read = 0
      for await (const page of ledger.pages(rows, [], 10)) read += page.length
      return read
    }
    const questions: readonly (() => Promise<unknown>)[] = [
      async () => (await queue.workers()).length,
      async () => (await ledger.all(rows)).length,
      walked,
      () => ledger.read(async (reader) => (await reader.all(rows)).length),
    ]
    expect(await Promise.all(questions.map((question) => question()))).toEqual([1, 1, 1, 1])
    await ask(
      'planted_later',
      `CREATE SCHEMA mal; GRANT USAGE ON SCHEMA mal TO PUBLIC;
       ${checkedPartition('public', 'migration_runs', 'mal', 'run_id')};
       CREATE TYPE mal.evil AS ENUM ('a');
       CREATE FUNCTION mal.cast(mal.evil) RETURNS timestamptz LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO mal.calls VALUES (current_user); RETURN now(); END $f$;
       CREATE CAST (mal.evil AS timestamptz) WITH FUNCTION mal.cast(mal.evil) AS IMPLICIT;
       ALTER TABLE sluice_queue.sluice_workers ALTER COLUMN beat_at DROP DEFAULT, ALTER COLUMN beat_at TYPE mal.evil USING 'a'::mal.evil`,
      'planter',
    )
    const answers = await Promise.allSettled(questions.map((question) => question()))
    expect(await ask('planted_later', 'SELECT who FROM mal.calls')).toEqual([])
    expect(answers.map((one) => (one.status === 'rejected' ? one.reason : one.value))).toEqual(
      questions.map(() => expect.objectContaining({ code: 'TABLE_REFUSED' })),
    )
  })

  test('a queue schema that another role creates while the first worker starts is refused', async () => {
    await server.createDatabase('planted_first')
    await ask('planted_first', `${SCHEMER}; GRANT CREATE ON DATABASE planted_first TO schemer`)
    const schemer = new pg.Client({ connectionString: server.url('planted_first', 'schemer', 'planter') })
    await schemer.connect()
    const waits = 'SELECT FROM pg_locks WHERE NOT granted'
    const began = async (prepare: string, then: readonly string[]) => {
      await schemer.query(prepare)
      const words = ['--ci', 'worker', '--connect', server.url('planted_first'), '--idle', '1s']
      const worker = spawn(process.execPath, [BIN, ...words], { cwd: folder, env: { ...cleanEnv(), HOME: folder } })
      let said = ''
      for (const stream of [worker.stdout, worker.stderr])
        stream.on('data', (data: Buffer) => (said += data.toString()))
      const ended = once(worker, 'exit')
      while (worker.exitCode === null && (await ask('planted_first', waits)).length === 0) await sleep(50)
      if (worker.exitCode === null) for (const sql of then) await schemer.query(sql)
      const [code] = (await ended) as [number]
      return { code, said }
    }
    // Any login may hold an advisory lock with this known number: nothing waits for it.
    const number = 7_304_811_520_117
    const held = await began(`SELECT pg_advisory_lock(${number})`, [
      'CREATE SCHEMA sluice_queue',
      `SELECT pg_advisory_unlock(${number})`,
    ])
    expect([held.code, held.said]).toEqual([0, expect.any(String)])
    const owners = `SELECT pg_get_userbyid(nspowner)::text AS owner FROM pg_namespace WHERE nspname IN ('sluice_queue', 'graphile_worker')`
    expect(await ask('planted_first', owners)).not.toContainEqual({ owner: 'schemer' })

    for (const schema of ['sluice_queue', 'graphile_worker']) {
      await ask('planted_first', 'DROP SCHEMA sluice_queue CASCADE; DROP SCHEMA graphile_worker CASCADE')
      const late = await began(`BEGIN; CREATE SCHEMA ${schema}`, ['COMMIT'])
      expect([late.code, late.said]).toEqual([4, expect.stringMatching(/belongs to the role schemer/)])
      expect(late.said).toContain('TABLE_REFUSED')
      const inIt = `SELECT relname::text FROM pg_class WHERE relnamespace = '${schema}'::regnamespace`
      expect(await ask('planted_first', inIt)).toEqual([])
      await ask(
        'planted_first',
        `CREATE SCHEMA IF NOT EXISTS sluice_queue; CREATE SCHEMA IF NOT EXISTS graphile_worker`,
      )
    }
    await schemer.end()
  })

  test('a session that locks the tables of an older queue is named', async () => {
    await server.createDatabase('planted_lock')
    const url = server.url('planted_lock')
    expect(sluice('worker', '--connect', url, '--idle', '1s').code).toBe(0)
    await ask(
      'planted_lock',
      `UPDATE sluice_queue.sluice_queue_version SET version = 7; ALTER TABLE sluice_queue.sluice_run_slots DROP COLUMN unreported;
       ALTER TABLE sluice_queue.sluice_workers DROP COLUMN reached_at, DROP COLUMN beats; ALTER TABLE sluice_queue.sluice_runs DROP COLUMN confirmed_in`,
    )
    const reader = new pg.Client({ connectionString: url, application_name: 'a long report' })
    await reader.connect()
    await reader.query('BEGIN; SELECT FROM sluice_queue.sluice_queue_version')
    const kept = sluice('worker', '--connect', url, '--idle', '1s')
    expect([kept.code, kept.said]).toEqual([4, expect.stringContaining('a long report')])
    expect(kept.said).toContain('TARGET_BUSY')
    await reader.end()
    expect(sluice('worker', '--connect', url, '--idle', '1s').code).toBe(0)
  })

  test('schemas of a queue with code of other roles are refused', async () => {
    await server.createDatabase('planted_queue')
    await ask('planted_queue', `${SCHEMER}; GRANT CREATE ON DATABASE planted_queue TO schemer`)
    await ask('planted_queue', 'CREATE SCHEMA graphile_worker', 'schemer')
    const ran = sluice('worker', '--connect', server.url('planted_queue'), '--idle', '1s')
    expect(ran.said).toContain('schema graphile_worker')
    expect(ran.code).not.toBe(0)
    // A superuser does not need the rights of that role.
    expect(ran.said).not.toContain('GRANT')
    await ask(
      'planted_queue',
      'CREATE SCHEMA sluice_queue; CREATE TABLE sluice_queue.sluice_queue_version AS SELECT 6 AS version',
      'schemer',
    )
    const inspected = sluice('workers', '--connect', server.url('planted_queue'))
    expect([inspected.code, inspected.said]).toEqual([4, expect.stringMatching(/belongs to the role schemer/)])
    expect(inspected.said).toContain('TABLE_REFUSED')

    // A cast of a column's type runs as the reading login, and so does an index expression that the planner evaluates.
    await server.createDatabase('planted_type')
    await ask('planted_type', 'GRANT CREATE ON DATABASE planted_type TO schemer')
    const made = server.url('planted_type', 'schemer', 'planter')
    expect(sluice('worker', '--connect', made, '--idle', '1s').code).toBe(0)
    expect(sluice('workers', '--connect', server.url('planted_type')).code).toBe(0)
    const promote = `EXECUTE 'ALTER ROLE schemer SUPERUSER'`
    await ask(
      'planted_type',
      `CREATE SCHEMA mal;
      CREATE FUNCTION mal.five() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN IF current_user <> 'schemer' THEN ${promote}; END IF; RETURN 5; END $f$;
      CREATE INDEX five ON sluice_queue.sluice_workers (pid) WHERE mal.five() = 5`,
      'schemer',
    )
    const expectRefused = (): void => {
      const again = sluice('workers', '--connect', server.url('planted_type'))
      expect([again.code, again.said]).toEqual([4, expect.stringContaining('may run code when it is read')])
    }
    expectRefused()
    await ask(
      'planted_type',
      `DROP INDEX sluice_queue.five; CREATE TYPE mal.evil AS ENUM ('a');
      CREATE FUNCTION mal.f(mal.evil) RETURNS timestamptz LANGUAGE plpgsql AS $f$ BEGIN ${promote}; RETURN now(); END $f$;
      CREATE CAST (mal.evil AS timestamptz) WITH FUNCTION mal.f(mal.evil) AS IMPLICIT;
      ALTER TABLE sluice_queue.sluice_workers DROP COLUMN beat_at, ADD COLUMN beat_at mal.evil DEFAULT 'a'`,
      'schemer',
    )
    expectRefused()
    const rights = await ask<{ rolsuper: boolean }>(
      'planted_type',
      `SELECT rolsuper FROM pg_roles WHERE rolname = 'schemer'`,
    )
    expect(rights).toEqual([{ rolsuper: false }])

    // The planner evaluates checks of partitions, and of every table with a certain setting.
    await ask(
      'planted_type',
      `ALTER TABLE sluice_queue.sluice_workers DROP COLUMN beat_at, ADD COLUMN beat_at timestamptz DEFAULT now(); ${checkedPartition('sluice_queue', 'sluice_workers', 'mal', 'worker_id')}`,
      'schemer',
    )
    expectRefused()
    expect(await ask('planted_type', `SELECT FROM mal.calls`)).toEqual([])

    // A policy runs as the reading login.
    await server.createDatabase('planted_queue_policy')
    expect(sluice('worker', '--connect', server.url('planted_queue_policy'), '--idle', '1s').code).toBe(0)
    await ask('planted_queue_policy', 'ALTER TABLE sluice_queue.sluice_workers ENABLE ROW LEVEL SECURITY')
    const hidden = sluice('workers', '--connect', server.url('planted_queue_policy'))
    expect([hidden.code, hidden.said]).toEqual([4, expect.stringContaining('row level security')])
    expect(hidden.said).toContain('TABLE_REFUSED')
  })
})
