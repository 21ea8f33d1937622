/** `sluice sql` on a real database: its results, what it refuses, and that no query changes the catalog. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { QueryOptions, SqlDatabase, SqlRow } from '../../src/model/run/sql-port.ts'
import { ALL, BACKEND, catalogUrl } from '../support/backend.ts'
import {
  add,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  temporaryFolder,
  writeLog,
  type Folder,
} from '../support/catalog-kit.ts'
import { eventSchema } from '../cli/event-schema.ts'

const PROGRAM = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const on = (...backends: readonly string[]): boolean => backends.includes(BACKEND)
/** Two thousand rows, for a cross join. */
const MANY = on('duckdb')
  ? 'SELECT a.i, b.i FROM range(2000) a(i), range(2000) b(i)'
  : `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 999)
     SELECT a.i, b.i, c.i FROM n a, n b, n c`
/** Many times the size of a pipe and its buffers. */
const ENOUGH_BYTES = 2_000_000
const ENDLESS = `SELECT count(*) FROM delta_files a, delta_files b, delta_files c, delta_files d WHERE a.size + b.size + c.size + d.size = 7`

let folder: Folder
let database: SqlDatabase
let url: string

beforeAll(async () => {
  folder = temporaryFolder()
  const file = join(folder.path, 'c.db')
  url = catalogUrl(file)
  database = await openCatalog(file)
  const files = Array.from({ length: 1_500 }, (_, i) => add(`f${i}`, { size: i }))
  writeLog(folder.path, [[PROTOCOL, METADATA, ...files]])
  await importInto(database, folder.path)
  // A DuckDB file can be opened by one program at a time.
  if (on('duckdb')) await database.close()
}, 60_000)

afterAll(async () => {
  if (!on('duckdb')) await database.close()
  folder[Symbol.dispose]()
})

async function ask(
  sql: string,
  options: Partial<QueryOptions> = {},
): Promise<{ columns: readonly string[]; rows: SqlRow[] }> {
  const { openAt } = await import('../support/backend.ts')
  await using reader = await openAt(join(folder.path, 'c.db'), 'read')
  const rows: SqlRow[] = []
  let columns: readonly string[] = []
  for await (const page of reader.query(sql, { pageRows: 100, signal: new AbortController().signal, ...options })) {
    ;({ columns } = page)
    rows.push(...page.rows)
  }
  return { columns, rows }
}

async function refusal(sql: string): Promise<SluiceError> {
  const error = await ask(sql).then(
    ({ rows }) => new Error(`gave ${JSON.stringify(rows)}`),
    (thrown: unknown) => thrown,
  )
  expect(error, sql).toBeInstanceOf(SluiceError)
  return error as SluiceError
}

const sluice = (...words: readonly string[]) =>
  spawnSync(process.execPath, [PROGRAM, ...words], {
    encoding: 'utf8',
    env: { ...process.env, SLUICE_DATABASE_URL: url },
  })

describe(`queries over a catalog in ${BACKEND}`, () => {
  it('return names and rows, even if there are no rows or two equal names', async () => {
    expect(await ask('SELECT path, size FROM delta_files WHERE size < 2 ORDER BY size')).toEqual({
      columns: ['path', 'size'],
      rows: [
        ['f0', 0],
        ['f1', 1],
      ],
    })
    expect(await ask("SELECT path AS p, size FROM delta_files WHERE path = 'none'")).toEqual({
      columns: ['p', 'size'],
      rows: [],
    })
    expect((await ask('SELECT 1 AS a, 2 AS a')).columns).toEqual(['a', 'a'])
    expect((await ask('SELECT path FROM delta_files')).rows).toHaveLength(1_500)
    expect((await ask('EXPLAIN SELECT 1')).rows.length).toBeGreaterThan(0)
  })
  it('keep integers beyond 2^53 and bytes', async () => {
    const { rows } = await ask(
      `SELECT CAST(${on('mysql') ? '9223372036854775807 AS SIGNED' : '9223372036854775807 AS BIGINT'}), log_digest FROM delta_commits`,
    )
    expect(rows[0]?.[0]).toBe(9_223_372_036_854_775_807n)
    expect(rows[0]?.[1]).toHaveLength(32)
  })
  it.each([
    "INSERT INTO delta_partitions (partition_no, table_id, values_hash, partition_values) VALUES (99, 't', 1, '')",
    'DELETE FROM delta_files',
    'UPDATE delta_tables SET current_version = 7',
    'CREATE TABLE mine (a int)',
    'DROP TABLE delta_files',
    'DROP VIEW delta_active_files',
    'COMMIT',
    'SELECT 1; SELECT 2',
    'SELECT 1; DELETE FROM delta_files',
    'SELEC 1',
    'SELECT nothing FROM delta_files',
    'SELECT * FROM no_such_table',
    '',
    ';',
    '-- nothing',
  ])('refuse %j', async (sql) => {
    expect((await refusal(sql)).code).toBe('BAD_QUERY')
    const count = 'SELECT count(*) FROM delta_active_files'
    expect(on('duckdb') ? (await ask(count)).rows : await database.all(count)).toEqual([[1_500]])
  })
  it('report the position of an error, if the server does', async () => {
    const { message } = await refusal('SELECT 1,\n  nothing FROM delta_files')
    expect(message).toContain('nothing')
    if (on('postgresql')) expect(message).toContain('(line 2, column 3)')
    if (on('duckdb')) expect(message).toContain('(line 2)')
  })
  it('end when their reader has left, at the server too', async () => {
    const interrupter = new Interrupter()
    setTimeout(() => interrupter.requestStop(new SluiceError('STOPPED', 'enough')), 100)
    const begun = performance.now()
    await expect(ask(ENDLESS, { signal: interrupter.stop })).rejects.toMatchObject({ code: 'STOPPED' })
    expect(performance.now() - begun).toBeLessThan(10_000)
    await expect(ask(ENDLESS, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'DEADLINE' })
    if (!on('postgresql', 'mysql')) return
    const working = on('postgresql')
      ? "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%delta_files d%' AND pid <> pg_backend_pid()"
      : "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%delta_files d%' AND id <> connection_id()"
    await expect.poll(async () => (await database.all(working))[0]?.[0], { timeout: 5_000 }).toBe(0)
  })
  // DuckDB has the whole result before the first page.
  it.skipIf(on('duckdb'))(
    'end when they are stopped between two pages',
    async () => {
      const { openAt } = await import('../support/backend.ts')
      await using reader = await openAt(join(folder.path, 'c.db'), 'read')
      const stop = new AbortController()
      const sql = `SELECT path FROM delta_files UNION ALL SELECT 'last' FROM (${ENDLESS}) e`
      const pages = reader.query(sql, { pageRows: 100, signal: stop.signal })[Symbol.asyncIterator]()
      expect((await pages.next()).done).toBe(false)
      stop.abort(new SluiceError('STOPPED', 'enough'))
      // A stop that reaches a session without a running statement has no effect.
      await sleep(500)
      const rest = async (): Promise<void> => {
        while ((await pages.next()).done !== true);
      }
      await expect(rest()).rejects.toMatchObject({ code: 'STOPPED' })
    },
    30_000,
  )
})

/**
 * Queries that would leave the catalog, or change it in a way that a parser does not see. FILE is one that must not
 * appear.
 */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  sqlite: [
    'ATTACH',
    "ATTACH 'FILE' AS other",
    "VACUUM INTO 'FILE'",
    'VACUUM',
    'PRAGMA journal_mode = DELETE',
    'PRAGMA wal_checkpoint(TRUNCATE)',
    'PRAGMA user_version = 9',
    'PRAGMA query_only = OFF',
    "SELECT load_extension('FILE')",
    "SELECT writefile('FILE', 'x')",
    'BEGIN IMMEDIATE',
    'REINDEX',
    'ANALYZE',
  ],
  duckdb: [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT content FROM read_text('/etc/passwd')",
    "COPY delta_files TO 'FILE'",
    "COPY (SELECT 1) TO 'FILE'",
    "EXPORT DATABASE 'FILE'",
    "ATTACH 'FILE' AS other",
    "ATTACH ':memory:' AS other",
    'SET enable_external_access = true',
    'CREATE TEMP TABLE mine AS SELECT 1',
    "INSTALL 'httpfs'",
    'CHECKPOINT',
  ],
  postgresql: [
    "COPY delta_files TO 'FILE'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    'COPY delta_files TO STDOUT',
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_export(1, 'FILE')",
    'WITH gone AS (DELETE FROM delta_files RETURNING path) SELECT * FROM gone',
    'EXPLAIN ANALYZE DELETE FROM delta_files',
    "SELECT nextval('no_such_sequence')",
    "SELECT set_config('transaction_read_only', 'off', false)",
    'SELECT * INTO mine FROM delta_files',
    'DO $$ BEGIN DELETE FROM delta_files; END $$',
    'LOCK TABLE delta_files',
    'SELECT * FROM delta_files FOR UPDATE',
    'SELECT pg_terminate_backend(pg_backend_pid()) FROM pg_authid',
    "SELECT set_config('role', 'none', false)",
    'SELECT pg_advisory_lock(1)',
  ],
  mysql: [
    "SELECT path FROM delta_files INTO OUTFILE 'FILE'",
    "SELECT 1 INTO DUMPFILE 'FILE'",
    'SELECT count(*) INTO @a FROM delta_files',
    'SET autocommit = 0',
    'START TRANSACTION READ WRITE',
    'SELECT * FROM delta_files LIMIT 1 FOR UPDATE; DELETE FROM delta_files',
    'TRUNCATE TABLE delta_files',
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE delta_files",
    'LOCK TABLES delta_files WRITE',
    "SELECT LOAD_FILE('/etc/passwd')",
    "SELECT `load_file` /* a */ ('/etc/passwd')",
    "SELECT /*!load_file*/('/etc/passwd')",
    "SELECT /*M!50000 LOAD_FILE('/etc/passwd')*/",
    "SELECT GET_LOCK('a', 1)",
    'SELECT RELEASE_ALL_LOCKS()',
    'KILL 1',
    "SELECT 1 FROM (SELECT GET_LOCK('a', 1) AS a) b WHERE a = 1",
  ],
}

it.each(OUTSIDE[BACKEND] ?? [])(`a query in ${BACKEND} cannot leave or change the catalog by %s`, async (sql) => {
  const outside = join(folder.path, 'outside')
  expect((await refusal(sql.replaceAll('FILE', outside))).code).toBe('BAD_QUERY')
  expect(existsSync(outside)).toBe(false)
})

it.skipIf(BACKEND !== 'sqlite')('journal mode and user version are unchanged (SQLite only)', async () => {
  expect(await database.all('PRAGMA journal_mode')).toEqual([['wal']])
  expect(await database.all('PRAGMA user_version')).toEqual([[0]])
})

describe(`sluice sql in ${BACKEND}`, () => {
  it('prints a table, CSV, objects and events', () => {
    const query = `SELECT 'a"b, c' AS "say, it", size, NULL AS none, '' AS empty, 'zwei
Zeilen	☃' AS wide FROM delta_files WHERE size = 3`
    const table = sluice('sql', query)
    expect(table.stdout).toBe(
      'say, it  size  none  empty  wide\na"b, c      3  NULL         zwei\\nZeilen\\t☃\n'.replace(/ +\n/g, '\n'),
    )
    expect(table.stderr).toMatch(/exit {5}0/)
    // The output does not depend on the database, so each start of the program runs with SQLite only.
    if (!on('sqlite') && !ALL) return
    expect(sluice('sql', query, '--format', 'csv').stdout).toBe(
      '"say, it",size,none,empty,wide\r\n"a""b, c",3,,"","zwei\nZeilen\t☃"\r\n',
    )
    expect(JSON.parse(sluice('sql', query, '--format=json').stdout)).toEqual({
      'say, it': 'a"b, c',
      size: 3,
      none: null,
      empty: '',
      wide: 'zwei\nZeilen\t☃',
    })
    const lines = sluice('sql', query, '--json').stdout.trim().split('\n')
    const events = lines.map((line) => eventSchema.parse(JSON.parse(line)))
    expect(events.map(({ type }) => type)).toEqual(['run.started', 'columns', 'row', 'run.finished'])
    expect(sluice('sql', 'SELECT path FROM delta_files WHERE size < 0', '--format', 'csv').stdout).toBe('path\r\n')
  })
  it('stops at the limit and reports it, and distinguishes an error in the query from a failure', () => {
    const some = sluice('sql', 'SELECT path FROM delta_files', '--limit', '3', '--format', 'csv')
    expect(some.stdout.split('\r\n')).toHaveLength(5)
    expect(some.stderr).toContain('there are more rows than --limit 3')
    const wrong = sluice('sql', 'DELETE FROM delta_files')
    expect([wrong.status, wrong.stdout]).toEqual([2, ''])
    if (!on('sqlite') && !ALL) return
    expect(sluice('sql', 'SELECT path FROM delta_files WHERE size < 3', '--limit', '3').stderr).not.toContain('more')
    expect(sluice('sql', ENDLESS, '--timeout', '100ms').stderr).toContain('--timeout (0.1 s)')
  })
  it('names columns that would be equal in an object, and queries a database without a catalog as well', () => {
    if (!on('sqlite') && !ALL) return
    const twice = sluice('sql', 'SELECT 1 AS a, 2 AS a', '--format', 'json')
    expect(twice.stdout).toBe('{"a":1,"a_2":2}\n')
    expect(twice.stderr).toContain('columns with the same name get a number: a -> a_2')
    expect(sluice('sql', 'SELECT 1 AS a, 2 AS b', '--format', 'json').stderr).not.toContain('get a number')
    expect(sluice('sql', 'SELECT 1 AS a, 2 AS a', '--format', 'csv').stderr).not.toContain('get a number')
    const plain = `sqlite:///${join(folder.path, 'plain.db')}`
    new Database(join(folder.path, 'plain.db')).exec('CREATE TABLE t (a); INSERT INTO t VALUES (7)').close()
    expect(sluice('sql', 'SELECT a FROM t', '--format', 'csv', '--database-url', plain).stdout).toBe('a\r\n7\r\n')
    const wrong = sluice('sql', 'SELECT * FROM delta_files', '--database-url', plain)
    expect(wrong.status).toBe(2)
    expect(wrong.stderr).toContain('this database has no catalog')
  })
  it('ends well when the reader of a long result leaves, and needs little memory', async () => {
    const child = spawn(
      process.execPath,
      ['--max-old-space-size=64', PROGRAM, 'sql', MANY, '--limit', '3000000', '--format', 'csv'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, SLUICE_DATABASE_URL: url },
      },
    )
    let peak = 0
    let bytes = 0
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      bytes += chunk.length
      const status = existsSync(`/proc/${child.pid}/status`) ? readFileSync(`/proc/${child.pid}/status`, 'utf8') : ''
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
      if (bytes > ENOUGH_BYTES) break
    }
    const exit = await new Promise((done) => child.once('exit', done))
    expect(exit).toBe(0)
    expect(bytes).toBeGreaterThan(ENOUGH_BYTES)
    expect(peak / 1024).toBeLessThan(on('duckdb') ? 700 : 300)
  }, 60_000)
})
