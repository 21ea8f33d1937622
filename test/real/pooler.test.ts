/** A program behind the same PgBouncer keeps its settings, whatever sluice does through that pool. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { QueuePool } from '../../src/stores/postgresql/queue/pool.ts'
import { BIN, cleanEnv } from '../e2e/support/program.ts'
import { PGBOUNCER_AVAILABLE, PGBOUNCER_MISSING, startPgbouncer, type Pooler } from '../support/servers/pgbouncer.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const LAKE = path.resolve('fixtures/lake')
const NAME = `a pooler in transaction mode${PGBOUNCER_MISSING === '' ? '' : ` (skipped: ${PGBOUNCER_MISSING})`}`

describe.skipIf(!PGBOUNCER_AVAILABLE || !POSTGRES_OWN)(NAME, { timeout: 120_000 }, () => {
  let server: PostgresServer
  let folder = ''
  beforeAll(async () => {
    server = await startPostgres()
    folder = mkdtempSync(path.join(tmpdir(), 'sluice-pooler-'))
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  function sluice(...args: readonly string[]): { readonly code: number | null; readonly said: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, '--ci', ...args], {
      cwd: folder,
      env: { ...cleanEnv(), HOME: folder },
      encoding: 'utf8',
    })
    return { code: status, said: stdout + stderr }
  }

  /** For each server process of the pool: the settings of its session, and its locks. */
  async function left(pooler: Pooler, database: string, size: number): Promise<readonly string[]> {
    const clients = Array.from({ length: size }, () => new pg.Client({ connectionString: pooler.url(database) }))
    const found: string[] = []
    try {
      // As many clients at once as there are processes get all of them.
      for (const client of clients) {
        await client.connect()
        await client.query('BEGIN')
        const { rows } = await client.query<{ what: string }>(
          `SELECT name || ' = ' || setting AS what FROM pg_catalog.pg_settings WHERE source = 'session' AND name <> 'application_name'
           UNION ALL SELECT 'lock ' || locktype FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'advisory'
           UNION ALL SELECT 'prepared ' || statement FROM pg_catalog.pg_prepared_statements ORDER BY 1`,
        )
        found.push(...rows.map(({ what }) => what))
      }
    } finally {
      for (const client of clients) await client.end()
    }
    return found
  }

  for (const size of [1, 4]) {
    test(`of ${size}: no command leaves a setting, a lock or a prepared statement behind, and others can write`, async () => {
      const database = `pool_${size}`
      await server.createDatabase(database)
      await using pooler = await startPgbouncer(server, 'transaction', size)
      const url = pooler.url(database)
      const application = new pg.Client({ connectionString: url })
      application.on('error', () => undefined)
      await application.connect()
      await application.query('CREATE TABLE orders (id int PRIMARY KEY, at timestamptz)')
      const file = path.join(folder, `${database}.db`)
      const target = `sqlite:///${file}`
      new Database(file).exec('CREATE TABLE orders (id INTEGER PRIMARY KEY)').close()
      const commands: readonly (readonly [code: number, ...args: string[]])[] = [
        [0, 'doctor', '--database-url', url],
        [0, 'discover', LAKE, '--database-url', url],
        [0, 'import', path.join(LAKE, 'sales/orders'), '--database-url', url],
        [0, 'validate', path.join(LAKE, 'sales/orders'), '--database-url', url],
        [0, 'history', path.join(LAKE, 'sales/orders'), '--database-url', url],
        [0, 'sql', 'SELECT count(*) FROM delta_tables', '--database-url', url],
        [3, 'copy', '--from', url, '--to', target, '--table', 'orders'],
        [4, 'copy', '--from', target, '--to', url, '--table', 'orders'],
        [3, 'archive', 'list', '--from', url],
        [4, 'worker', '--connect', url, '--idle', '1s'],
        [4, 'worker', '--connect', `${url}&prepare=off`, '--idle', '1s'],
        [4, 'workers', '--connect', `${url}&prepare=off`],
      ]
      const before = await left(pooler, database, size)
      let id = 0
      for (const [code, ...args] of commands) {
        const ran = sluice(...args)
        expect([args[0], ran.code], ran.said).toEqual([args[0], code])
        if (code !== 0)
          expect(ran.said).toContain('the connection pooler uses a different server session for each transaction')
        expect([args[0], ...(await left(pooler, database, size))]).toEqual([args[0], ...before])
        await application.query('INSERT INTO orders VALUES ($1, now())', [++id])
      }
      await application.end()
    })
  }

  test('in session mode serves copies like the server itself', async () => {
    await server.createDatabase('whole')
    await using pooler = await startPgbouncer(server, 'session', 20)
    const client = new pg.Client({ connectionString: server.url('whole') })
    await client.connect()
    await client.query(
      'CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 100) i; ALTER TABLE orders ADD PRIMARY KEY (id)',
    )
    await client.end()
    const ran = sluice(
      'copy',
      '--from',
      pooler.url('whole'),
      '--to',
      `sqlite:///${folder}/whole.db`,
      '--table',
      'orders',
    )
    expect(ran.code, ran.said).toBe(0)
  })

  test('in session mode serves a queue, whose sessions find no object of other schemas', async () => {
    await server.createDatabase('queued')
    await using pooler = await startPgbouncer(server, 'session', 20)
    const url = pooler.url('queued')
    const worked = sluice('worker', '--connect', url, '--idle', '1s')
    expect(worked.code, worked.said).toBe(0)
    const looked = sluice('workers', '--connect', url)
    expect(looked.code, looked.said).toBe(0)
    await using queue = await QueuePool.open(url, 3)
    const paths = await Promise.all([1, 2, 3].map(async () => (await queue.ask('SHOW search_path')).rows[0]))
    expect(paths).toEqual(paths.map(() => ({ search_path: 'pg_catalog, pg_temp' })))
  })
})
