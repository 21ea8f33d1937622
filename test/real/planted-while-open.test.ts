/**
 * Operators and functions that another role creates in the search_path while a session is open: no statement of a
 * command could match one of them.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BIN, cleanEnv } from '../e2e/support/program.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { SIGNAL } from './copy-postgresql-kit.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const LAKE = path.resolve('fixtures/lake')

/** Keys and values of types whose comparisons have no exact match in pg_catalog, and dependent objects of tables. */
const TABLES = `CREATE DOMAIN public.code AS varchar(20);
  CREATE TABLE public.names (name varchar(40), part public.code, note bpchar(5), tags text[], made timestamptz DEFAULT now(), PRIMARY KEY (name, part));
  INSERT INTO public.names SELECT 'n' || i, 'p' || i % 7, 'x', ARRAY['a', 'b'] FROM generate_series(1, 500) i;
  CREATE INDEX ON public.names (made); CREATE VIEW public.seen AS SELECT * FROM public.names;
  CREATE TABLE public.calls (id serial PRIMARY KEY, who text, at timestamptz NOT NULL);
  INSERT INTO public.calls (who, at) SELECT 'w', timestamptz '2024-01-01' + i * interval '1 day' FROM generate_series(1, 400) i;
  CREATE TABLE public.hot (id varchar(20), at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE public.hot_1 PARTITION OF public.hot FOR VALUES FROM ('2020-01-01') TO ('2020-04-01');
  CREATE TABLE public.hot_2 PARTITION OF public.hot FOR VALUES FROM ('2020-04-01') TO ('2020-07-01');
  INSERT INTO public.hot SELECT i, date '2020-01-01' + i FROM generate_series(1, 150) i;
  CREATE TABLE public.heard (id varchar(20), at date, FOREIGN KEY (id, at) REFERENCES public.hot);
  CREATE TABLE public.moved (code varchar(20), part public.code, at timestamptz, PRIMARY KEY (code, part, at)) PARTITION BY RANGE (at);
  CREATE TABLE public.moved_before PARTITION OF public.moved
    FOR VALUES FROM (date_trunc('quarter', now()) - interval '3 months') TO (date_trunc('quarter', now()));
  CREATE TABLE public.moved_rest PARTITION OF public.moved DEFAULT;
  INSERT INTO public.moved SELECT 'c' || i, 'p', now() FROM generate_series(1, 50) i;
  CREATE TABLE public.shown (code varchar(20), part public.code, at timestamptz, FOREIGN KEY (code, part, at) REFERENCES public.moved);
  CREATE TABLE public.lost (who varchar(20)); CREATE TABLE public.known (who varchar(20) PRIMARY KEY); INSERT INTO public.lost VALUES ('x');
  ALTER TABLE public.lost ADD FOREIGN KEY (who) REFERENCES public.known NOT VALID`

describe.skipIf(!POSTGRES_OWN)(
  `functions that are created while a session is open${POSTGRES_MISSING}`,
  { timeout: 300_000 },
  () => {
    let server: PostgresServer
    let folder = ''
    let source = ''
    beforeAll(async () => {
      server = await startPostgres({ planted: true, extraSettings: ['wal_level=logical'] })
      folder = mkdtempSync(path.join(tmpdir(), 'sluice-planted-'))
      const file = path.join(folder, 'source.db')
      new Database(file).exec('CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)').close()
      source = `sqlite:///${file}`
      await server.createDatabase('planted')
      await ask('planted', TABLES)
    })
    afterAll(async () => {
      await server?.[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    })

    async function ask(database: string, sql: string, application = ''): Promise<void> {
      const client = new pg.Client({ connectionString: server.url(database), application_name: application })
      await client.connect()
      try {
        await client.query(sql)
      } finally {
        await client.end()
      }
    }

    /** @returns exit code, and the output if it is not 0 */
    function sluice(words: readonly string[]): string {
      const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, '--ci', ...words], {
        cwd: folder,
        env: { ...cleanEnv(), HOME: folder },
        encoding: 'utf8',
      })
      return status === 0 ? '0' : `${status}: ${(stdout + stderr).slice(-600)}`
    }

    test('no query of a table, its keys, indexes and rows matches one', async () => {
      await using store = await openPostgresCopy(server.url('planted'))
      const tables = await store.tables('public.*', SIGNAL)
      const checks = await store.offers.operational?.check(
        tables.map((spec) => ({ spec, sequences: [] })),
        SIGNAL,
      )
      const sound = checks?.filter(({ table }) => table === 'public.names' || table === 'public.hot')
      expect(sound?.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(4)
      expect(sound?.filter(({ outcome }) => outcome === 'failed')).toEqual([])
      await store.objects().list(tables, SIGNAL)
      await store.offers.rowTriggers?.list({ schema: 'public', name: 'names' }, SIGNAL)

      const lost = tables.find(({ table }) => table.name === 'lost')
      if (lost === undefined) throw new Error('there is no table public.lost')
      const [objects = []] = await store.objects().list([lost], SIGNAL)
      const keys = objects.flatMap((one) => (one.kind === 'foreign key' ? [one] : []))
      for (const { unchecked: _, ...key } of keys)
        await expect(store.objects().build(key, lost, false, SIGNAL)).rejects.toThrow('1 row of public.lost')
      expect(keys).toHaveLength(1)

      expect(server.plantsTaken).toEqual([])
    })

    test('no command runs a statement that matches one', async () => {
      const url = server.url('planted')
      const lake = path.join(LAKE, 'crm/customers')
      const target = `sqlite:///${path.join(folder, 'target.db')}`
      const archive = path.join(folder, 'archive')
      const commands: readonly (readonly string[])[] = [
        ['discover', url],
        ['copy', '--from', source, '--to', url, '--table', 't'],
        [
          'copy',
          '--from',
          url,
          '--to',
          target,
          '--table',
          'public.names',
          '--table',
          'public.calls',
          '--checkpoint-size',
          '100',
        ],
        ['diff', '--from', url, '--to', target, '--table', 'public.names'],
        ['copy', '--follow', '--until-caught-up', '--from', url, '--to', `${target}2`, '--table', 'public.names'],
        [
          'copy',
          '--follow',
          '--until-caught-up',
          '--cdc',
          'triggers',
          '--from',
          url,
          '--to',
          `${target}3`,
          '--table',
          'public.calls',
          '--table',
          'public.names',
        ],
        ['runs', '--to', url],
        ['partition', 'list', '--from', url, '--table', 'public.*'],
        ['partition', 'plan', '--from', url, '--table', 'public.calls', '--by', 'at', '--calendar', 'month'],
        ['archive', 'run', '--from', url, '--table', 'public.hot', '--to', archive, '--older-than', '8q', '--yes'],
        ['archive', 'list', '--from', url],
        ['archive', 'verify', '--from', url],
        ['query', 'public.hot', 'SELECT count(*) FROM hot', '--from', url],
        ['restore', '--from', url, '--table', 'public.hot', '--partition', '2020-Q1'],
        [
          'archive',
          'erase',
          '--from',
          url,
          '--table',
          'public.hot',
          '--where',
          "id = '7'",
          '--reason',
          'T-1',
          '--confirm=public.hot',
        ],
        ['partition', 'ensure', '--from', url, '--table', 'public.moved'],
        ['import', lake, '--database-url', url],
        ['doctor', '--database-url', url],
        ['history', lake, '--database-url', url],
        ['validate', lake, '--database-url', url],
        ['sql', 'SELECT 1', '--database-url', url],
        ['sync', '--all', '--database-url', url],
        ['files', lake, '--where', "country = 'DE'", '--database-url', url],
        ['index', lake, 'customer_id', '--database-url', url],
        ['prune', lake, '--keep-versions', '1', '--database-url', url],
        ['rollback', lake, '--dry-run', '--database-url', url],
        ['grants', '--database-url', url, '--role', 'reader', '--to', 'sluice'],
        ['worker', '--connect', url, '--idle', '1s'],
        ['workers', '--connect', url],
      ]
      const foreseen = sluice(['partition', 'ensure', '--from', url, '--table', 'public.moved', '--dry-run'])
      const ran = commands.map((words) => [words.slice(0, 2).join(' '), sluice(words)])
      expect.soft(server.plantsTaken).toEqual([])
      expect(foreseen).toMatch(/^1: .*50 rows: rows of/s)
      expect(ran).toEqual(commands.map((words) => [words.slice(0, 2).join(' '), '0']))
    })

    test('a statement without an exact match is found, with and without rows, including stored expressions of a table', async () => {
      const found = await startPostgres({ planted: true })
      try {
        const client = new pg.Client({ connectionString: found.url('template1'), application_name: 'sluice' })
        await client.connect()
        await client.query(
          "SELECT c.relname || 'x' FROM pg_catalog.pg_class c WHERE c.oid = 'pg_catalog.pg_class'::regclass AND false",
        )
        await expect(
          client.query("SELECT FROM pg_catalog.pg_class c WHERE (c.relname, c.oid) < ROW('x', 'pg_class'::regclass)"),
        ).rejects.toThrow('interpretation of row comparison')
        await client.query("CREATE TABLE public.kept (note varchar(9) CHECK (note <> 'x'))")
        await client.end()
        // The next session reports it.
        const next = new pg.Client({ connectionString: found.url('template1'), application_name: 'sluice' })
        await next.connect()
        await next.end()
        await found.stop()
        expect(found.plantsTaken.map((one) => one.split(' in ')[0])).toEqual(
          expect.arrayContaining([
            'pg_planted.||(name,name)',
            'pg_planted.=(oid,regclass)',
            'pg_planted.<>(character varying,character varying)',
          ]),
        )
        const all = found.plantsTaken.join()
        expect(all).toMatch(/in constraint kept_note_check/)
        expect(all).toMatch(/could not determine interpretation of row comparison/)
      } finally {
        await expect(found[Symbol.asyncDispose]()).rejects.toThrow('could have planted')
      }
    })
  },
)
