/** Tables that another role has planted under names of sluice's own: none of them runs anything as the login of sluice. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BIN, cleanEnv } from '../e2e/support/program.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'

const SHARED = process.env['SLUICE_SHARED'] ?? path.resolve('../shared')
const PLANTED = path.join(SHARED, 'cases/security/planted-ledger.sql')
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

  /** A database in which a role that may create in `public`, and nothing else, has run the script. */
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

  test('a table of a catalog that belongs to another role: an import is refused by name', async () => {
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

  test('a view in place of a table of ours is not even read', async () => {
    const url = await planted(
      'planted_view',
      `${COUNTED} CREATE VIEW public.delta_tables AS SELECT public.count_default() AS table_id, ''::text AS location`,
    )
    const ran = sluice('history', path.join(LAKE, 'sales/orders'), '--database-url', url)
    expect(await calls('planted_view')).toEqual([])
    expect(ran.said).toContain('public.delta_tables')
    expect(ran.code).not.toBe(0)
  })

  test('a trigger that a granted right has put on our own table', async () => {
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

  test('schemas of a queue', async () => {
    await server.createDatabase('planted_queue')
    await ask(
      'planted_queue',
      `CREATE ROLE schemer LOGIN PASSWORD 'planter'; GRANT CREATE ON DATABASE planted_queue TO schemer`,
    )
    await ask('planted_queue', 'CREATE SCHEMA graphile_worker', 'schemer')
    const ran = sluice('worker', '--connect', server.url('planted_queue'), '--idle', '1s')
    expect(ran.said).toContain('schema graphile_worker')
    expect(ran.code).not.toBe(0)
  })
})
