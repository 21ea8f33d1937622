/** `grants` on real servers: each role can do its work, and nothing beyond it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseGrants } from '../../src/catalog/mysql/rights.ts'
import { relationNames } from '../../src/catalog/relation-names.ts'
import { nameForSql } from '../../src/shared/name-for-sql.ts'
import { mysqlDialect } from '../../src/catalog/mysql/dialect.ts'
import { postgresqlDialect } from '../../src/catalog/postgresql/dialect.ts'
import { openWorkbench } from '../../src/app/thread/threaded-workbench.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'
import { batchOf, importOf, perform } from './operation-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import type { GrantsOperation } from '../../src/engine/lake/operations/grants/declaration.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SECRET = 'login secret'
/** Random names: a server given by the environment keeps its logins. */
const RUN = randomBytes(4).toString('hex')
/** Quotes, blanks, a semicolon, and text that a shell or SQL could execute. */
const HOSTILE = `${RUN}o"ne'; DROP TABLE delta_files; -- \`x\` $(id) ünï`
const noPostgres = POSTGRES_AVAILABLE ? '' : ` (skipped: ${POSTGRES_MISSING})`
const noMariadb = MARIADB_AVAILABLE ? '' : ` (skipped: ${MARIADB_MISSING})`

let folder: Folder
let table: string
let lake: string
let large: string
/** Enough files for a partition of its own in PostgreSQL. */
const LARGE_FILES = 102_000
/** A table that is large enough for a bulk load. */
let middle: string

beforeAll(() => {
  folder = temporaryFolder()
  lake = join(folder.path, 'lake')
  table = join(lake, 'one')
  writeLog(table, [[PROTOCOL, METADATA, add('a')], [add('b')]])
  writeLog(join(lake, 'two'), [[PROTOCOL, METADATA, add('c')]])
  for (const name of ['a', 'b']) writeFileSync(join(table, name), 'x'.repeat(100))
  middle = join(folder.path, 'middle')
  writeLog(middle, [[PROTOCOL, METADATA, ...Array.from({ length: 2_000 }, (_, i) => add(`f${i}`))]])
  large = join(folder.path, 'large')
  execFileSync(process.execPath, [
    join(ROOT, 'scripts/make-lake.mjs'),
    '--out',
    large,
    '--files',
    String(LARGE_FILES),
    '--stats-bytes',
    '0',
  ])
})
afterAll(() => folder[Symbol.dispose]())

const grantsOf = (catalog: string, role: GrantsOperation['role'], to: string, apply = true): Operation => ({
  kind: 'grants',
  catalog,
  role,
  to,
  apply,
})

/** Read-only commands; all of them must succeed for a reader. */
const asks = (catalog: string): readonly Operation[] => [
  { kind: 'migration-status', catalog },
  { kind: 'sql', query: 'SELECT count(*) FROM delta_active_files', catalog, limit: 10, format: 'table' },
  { kind: 'runs', catalog, limit: 10 },
  { kind: 'history', table, catalog, limit: 10 },
  { kind: 'files', table, catalog, asOf: {} },
  { kind: 'files', table, catalog, asOf: { version: 0 }, where: "day = '2024-01-01'" },
  { kind: 'changes', table, catalog, fromVersion: 0, toVersion: 1 },
  { kind: 'verify-rollback', table, catalog, checkFiles: 'all' },
  { kind: 'performance-compare', table, catalog, runs: 1, cold: false },
  { kind: 'export-log', table, catalog, to: join(folder.path, `exported-${Math.random().toString(36).slice(2)}`) },
]

function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0
}

async function expectReader(catalog: string): Promise<void> {
  for (const operation of asks(catalog)) {
    const { finished } = await perform(operation)
    expect([operation.kind, finished.error, finished.exitCode]).toEqual([operation.kind, undefined, 0])
  }
  await expectWorkbench(catalog)
  const before = await counts(catalog)
  for (const operation of [importOf(join(lake, 'two'), catalog), batchOf(lake, catalog)]) {
    const { finished } = await perform(operation)
    expect(finished).toMatchObject({ status: 'failed', exitCode: 4, error: { code: 'TARGET_DENIED' } })
    expect(finished.error?.message).toMatch(/may not write this catalog$/)
    expect(finished.error?.reason).toMatch(/^it lacks INSERT, UPDATE, DELETE on /)
    expect(finished.error?.hint).toMatch(/sluice grants --database-url \S+:\/\/\S+ --role importer --to /)
  }
  expect(await counts(catalog)).toEqual(before)
}

/** The queries of the terminal UI when it opens, and then for a table. */
async function expectWorkbench(catalog: string): Promise<void> {
  await using bench = await openWorkbench({ lake, catalog, tool: '0.0.0', actor: 'test', host: 'here' })
  const rows = await bench.tables()
  const row = rows.find(({ name }) => name === 'one')
  expect(row).toMatchObject({ catalog: { state: 'current' }, version: 1 })
  const { key } = row as (typeof rows)[number]
  expect((await bench.overview(key)).table.tableId).not.toBeNull()
  expect((await bench.history(key, 0, 10)).rows).toHaveLength(2)
  const page = { asOf: {}, where: '', sort: 'path', descending: false, from: 0, count: 10 } as const
  expect((await bench.files(key, page)).rows).toHaveLength(2)
  expect((await bench.runs(10)).length).toBeGreaterThan(0)
}

async function expectImporter(catalog: string, big: string): Promise<void> {
  const steps: readonly Operation[] = [
    importOf(table, catalog),
    batchOf(lake, catalog),
    { kind: 'validate', table, catalog, verbose: false, samples: 2 },
    importOf(big, catalog),
    { kind: 'index', table, columns: ['id'], catalog, drop: false },
    { kind: 'index', table, columns: ['id'], catalog, drop: true },
    { kind: 'sync', tables: [], catalog, watch: false, intervalMs: 1000, batchSize: 10_000, parallel: 2 },
    { kind: 'prune', tables: [table], catalog, keep: { versions: 1 }, dryRun: false },
    { kind: 'rollback', table, catalog, confirm: table, checkFiles: 'all', dryRun: false },
    importOf(table, catalog),
    ...asks(catalog),
  ]
  for (const operation of steps) {
    const { finished } = await perform(operation)
    expect([operation.kind, finished.error, finished.exitCode]).toEqual([operation.kind, undefined, 0])
  }
}

async function expectUpgradeDenied(catalog: string): Promise<void> {
  const { finished } = await perform(importOf(table, catalog))
  expect(finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_DENIED' } })
  expect(finished.error?.message).toMatch(/may not create or upgrade this catalog$/)
  expect(finished.error?.hint).toContain('--role admin --to ')
  const doctor = await perform({ kind: 'doctor', catalog })
  expect(doctor.check('version', 'catalog')).toMatchObject({ status: 'fail', found: 'version 1, 1 table' })
  expect(doctor.finished.exitCode).toBe(1)
}

async function counts(catalog: string): Promise<unknown> {
  await using database = await openCatalogDatabase(catalog, 'read')
  const rows: unknown[] = []
  for (const name of [
    'delta_tables',
    'delta_files',
    'delta_commits',
    'migration_status',
    'catalog_audit',
    'catalog_leases',
  ])
    rows.push([name, ...(await database.all(`SELECT count(*) FROM ${name}`))])
  return rows
}

describe(`PostgreSQL${noPostgres}`, { skip: !POSTGRES_AVAILABLE, timeout: 120_000 }, () => {
  let server: PostgresServer
  let databases = 0

  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

  async function sql(url: string, ...statements: readonly string[]): Promise<readonly unknown[]> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      const rows: unknown[] = []
      for (const statement of statements) {
        // Several statements in one text return several results.
        const results: unknown = await client.query(statement)
        for (const result of Array.isArray(results) ? (results as pg.QueryResult[]) : [results as pg.QueryResult])
          rows.push(...(result.rows as unknown[]))
      }
      return rows
    } finally {
      await client.end()
    }
  }

  /** A database that belongs to a role without further rights; no other role may connect. */
  async function place(): Promise<{ readonly name: string; readonly owner: string; url(user: string): string }> {
    const name = `g${RUN}${++databases}`
    const owner = `owner${RUN}${databases}`
    await sql(server.url(), `CREATE ROLE ${owner} LOGIN PASSWORD '${SECRET}'`, `CREATE DATABASE ${name} OWNER ${owner}`)
    await sql(server.url(name), `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`, `REVOKE ALL ON SCHEMA public FROM PUBLIC`)
    return { name, owner, url: (user) => `${server.url(name, user, SECRET)}?schema=lake` }
  }

  async function login(name: string): Promise<string> {
    const role = `${name}${RUN}${databases}`
    await sql(server.url(), `CREATE ROLE ${quoted(role)} LOGIN PASSWORD '${SECRET}'`)
    return role
  }

  test('a reader can run all queries and cannot write', async () => {
    const { owner, url } = await place()
    expect((await perform(importOf(table, url(owner)))).finished.exitCode).toBe(0)
    const reader = await login('reader')
    const given = await perform(grantsOf(url(owner), 'reader', reader))
    expect(given.finished).toMatchObject({ exitCode: 0, totals: { applied: String(given.statements.length) } })
    await expectReader(url(reader))
    await expect(sql(url(reader), 'DELETE FROM lake.delta_files')).rejects.toThrow(/permission denied/)
  })

  test('an importer can import, even a large table into a partition of its own, and cannot create objects', async () => {
    const { owner, url } = await place()
    expect((await perform(importOf(join(lake, 'two'), url(owner)))).finished.exitCode).toBe(0)
    const importer = await login('importer')
    expect((await perform(grantsOf(url(owner), 'importer', importer))).finished.exitCode).toBe(0)
    const reader = await login('reader')
    expect((await perform(grantsOf(url(owner), 'reader', reader))).finished.exitCode).toBe(0)
    await expectImporter(url(importer), large)
    // A partition that an import creates can be read by earlier readers, through the parent and directly.
    const [partition] = (await sql(
      url(owner),
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'lake.delta_files'::regclass ORDER BY inhrelid DESC LIMIT 1`,
    )) as { name: string }[]
    expect(partition?.name).toMatch(/^lake\.delta_files_[0-9a-f]{32}$/)
    expect(await sql(url(reader), `SELECT count(*)::int AS n FROM ${partition?.name}`)).toEqual([{ n: LARGE_FILES }])
    const largest = 'SELECT table_id FROM lake.delta_tables ORDER BY num_files DESC LIMIT 1'
    expect(
      await sql(url(reader), `SELECT count(*)::int AS n FROM lake.delta_files WHERE table_id = (${largest})`),
    ).toEqual([{ n: LARGE_FILES }])
    const partitions = await sql(
      url(owner),
      `SELECT pg_get_userbyid(c.relowner) AS owner, (SELECT count(*)::int FROM pg_index x WHERE x.indrelid = c.oid) AS indexes
       FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'lake.delta_files'::regclass AND c.relname <> 'delta_files_default'`,
    )
    expect(partitions).toEqual([{ owner, indexes: 4 }])
    for (const statement of [
      'CREATE TABLE lake.mine (a int)',
      'DROP TABLE lake.delta_tables',
      'ALTER TABLE lake.delta_tables ADD COLUMN mine int',
      'TRUNCATE lake.delta_tables',
      'DROP VIEW lake.delta_active_files',
      'CREATE INDEX mine ON lake.delta_tables (name)',
      'DELETE FROM lake.catalog_migrations',
      `SELECT lake.catalog_file_index('delta_tables')`,
    ]) {
      await expect(sql(url(importer), statement), statement).rejects.toThrow(/permission denied|must be owner/)
    }
  })

  test('an importer gets the error that the catalog must be upgraded, and which role can do it', async () => {
    const { owner, url } = await place()
    expect((await perform(importOf(table, url(owner)))).finished.exitCode).toBe(0)
    const importer = await login('importer')
    await perform(grantsOf(url(owner), 'importer', importer))
    await sql(url(owner), 'DELETE FROM lake.catalog_migrations WHERE version > 1')
    await expectUpgradeDenied(url(importer))
  })

  test('an administrator creates the catalog from nothing, and another one upgrades it', async () => {
    const { name, owner, url } = await place()
    const admin = await login('admin')
    // The schema of the catalog does not exist yet.
    const plan = await perform(grantsOf(`${server.url(name)}?schema=lake`, 'admin', admin))
    expect(plan.finished.exitCode).toBe(0)
    expect(plan.statements[0]).toBe('CREATE SCHEMA IF NOT EXISTS "lake"')
    expect((await perform(importOf(table, url(admin)))).finished).toMatchObject({ exitCode: 0 })
    const second = await login('second')
    const given = await perform(grantsOf(`${server.url(name)}?schema=lake`, 'admin', second))
    expect(given.statements).toContain(`GRANT "${admin}" TO "${second}"`)
    expect(given.notes.join()).toContain(`becomes a member of ${admin}`)
    // Without the rows of its migrations a catalog is upgraded from its beginning; every statement of those can run
    // again.
    await sql(url(admin), 'DELETE FROM lake.catalog_migrations')
    expect((await perform(importOf(join(lake, 'two'), url(second)))).finished).toMatchObject({ exitCode: 0 })
    expect((await perform({ kind: 'migration-status', catalog: url(second) })).finished.totals).toMatchObject({
      imports: '2',
    })
    expect(owner).not.toBe(admin)
  })

  test('no role becomes a member of a superuser', async () => {
    const { name } = await place()
    const catalog = `${server.url(name)}?schema=lake`
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
    const admin = await login('admin')
    const { statements, notes } = await perform(grantsOf(catalog, 'admin', admin))
    expect(statements.filter((statement) => /^GRANT "[^"]*" TO /.test(statement))).toEqual([])
    expect(notes.join()).toContain('a superuser')
    const [row] = (await sql(server.url(name), `SELECT pg_has_role('${admin}', 'sluice', 'MEMBER') AS member`)) as {
      member: boolean
    }[]
    expect(row).toEqual({ member: false })
  })

  test('hostile names are printed quoted, and the printed text runs unchanged', async () => {
    const { owner, name } = await place()
    const catalog = `${server.url(name, owner, SECRET)}?schema=${encodeURIComponent(HOSTILE)}`
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
    await sql(server.url(), `CREATE ROLE ${quoted(HOSTILE)} LOGIN PASSWORD '${SECRET}'`)
    const { statements, events } = await perform(grantsOf(catalog, 'importer', HOSTILE, false))
    expect(events.filter((event) => event.type === 'statement' && event.applied)).toEqual([])
    const theirs = `${server.url(name, HOSTILE, SECRET)}?schema=${encodeURIComponent(HOSTILE)}`
    expect((await perform({ kind: 'migration-status', catalog: theirs })).finished.exitCode).toBe(4)
    const text = statements.map((statement) => `${statement};\n`).join('')
    const asOwner = server.url(name, owner, SECRET)
    if (!hasProgram('psql')) await sql(asOwner, text)
    else execFileSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', asOwner], { input: text, stdio: 'pipe' })
    expect((await perform(batchOf(lake, theirs))).finished).toMatchObject({ exitCode: 0 })
  })

  test('a right that cannot be granted is refused with a hint', async () => {
    const { owner, url } = await place()
    const reader = await login('nobody')
    expect((await perform(grantsOf(url(owner), 'reader', reader))).finished.error).toMatchObject({
      code: 'NOT_A_CATALOG',
    })
    expect((await perform(importOf(table, url(owner)))).finished.exitCode).toBe(0)
    const missing = await perform(grantsOf(url(owner), 'reader', HOSTILE + 'x'))
    expect(missing.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    expect(missing.finished.error?.hint).toContain(`CREATE ROLE ${quoted(HOSTILE + 'x')} LOGIN`)
    await perform(grantsOf(url(owner), 'reader', reader))
    const other = await login('other')
    const denied = await perform(grantsOf(url(reader), 'reader', other))
    expect(denied.finished.error).toMatchObject({
      code: 'TARGET_DENIED',
      message: 'this login may not grant these rights',
    })
    expect(denied.finished.error?.hint).toContain(owner)
    expect(denied.statements).toEqual([])
  })

  test('a right that the server withholds with a warning only is not reported as granted', async () => {
    const { name, url } = await place()
    const [admin, other] = [await login('admin'), await login('other')]
    await sql(
      server.url(name),
      `CREATE SCHEMA lake; GRANT USAGE, CREATE ON SCHEMA lake TO ${quoted(admin)}; GRANT CONNECT ON DATABASE ${quoted(name)} TO ${quoted(admin)}`,
    )
    // The result does not depend on whether the login has warnings switched on.
    for (const level of ['notice', 'error']) {
      await sql(server.url(name), `ALTER ROLE ${quoted(admin)} SET client_min_messages = ${level}`)
      const denied = await perform(grantsOf(url(admin), 'admin', other))
      expect(denied.finished.error, level).toMatchObject({
        code: 'TARGET_DENIED',
        message: 'this login may not grant these rights',
      })
      expect(denied.statements).toEqual([])
    }
    const given = `SELECT pg_catalog.has_schema_privilege('${other}', 'lake', 'CREATE') AS given`
    expect(await sql(server.url(name), given)).toEqual([{ given: false }])
  })
})

describe(`MariaDB${noMariadb}`, { skip: !MARIADB_AVAILABLE, timeout: 120_000 }, () => {
  let server: MariadbServer
  let databases = 0

  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(async () => {
    await server.stop()
  })

  const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``

  async function place(): Promise<{ readonly name: string; readonly catalog: string; url(user: string): string }> {
    const name = `g_${RUN}${++databases}`
    await server.createDatabase(name)
    return { name, catalog: server.url(name), url: (user) => server.url(name, user, SECRET) }
  }

  async function login(name: string): Promise<string> {
    const user = `${name}${RUN}${databases}`
    await server.sql(`CREATE USER ${quoted(user)}@'%' IDENTIFIED BY '${SECRET}'`)
    return user
  }

  async function sql(url: string, statement: string): Promise<unknown> {
    const connection = await createConnection({ uri: url, multipleStatements: true })
    try {
      return (await connection.query(statement))[0]
    } finally {
      connection.destroy()
    }
  }

  test('a reader can run all queries and cannot write', async () => {
    const { name, catalog, url } = await place()
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
    const reader = await login('reader')
    const { statements } = await perform(grantsOf(catalog, 'reader', reader))
    // An unescaped underscore would let the reader into every database with a similar name.
    expect(statements).toEqual([`GRANT SELECT ON \`${name.replace('_', '\\_')}\`.* TO \`${reader}\`@\`%\``])
    await expectReader(url(reader))
    const similar = name.replace('_', 'x')
    await server.createDatabase(similar)
    await expect(sql(server.url(similar, reader, SECRET), 'SELECT 1')).rejects.toThrow(/denied/)
    await expect(sql(url(reader), 'DELETE FROM delta_files')).rejects.toThrow(/denied/)
  })

  test('an importer can import, and cannot create objects', async () => {
    const { catalog, url } = await place()
    expect((await perform(importOf(join(lake, 'two'), catalog))).finished.exitCode).toBe(0)
    const importer = await login('importer')
    expect((await perform(grantsOf(catalog, 'importer', importer))).finished.exitCode).toBe(0)
    await expectImporter(url(importer), middle)
    for (const statement of [
      'CREATE TABLE mine (a int)',
      'DROP TABLE delta_tables',
      'ALTER TABLE delta_tables ADD COLUMN mine int',
      'TRUNCATE delta_tables',
      'DROP VIEW delta_active_files',
      'CREATE INDEX mine ON delta_tables (current_version)',
    ]) {
      await expect(sql(url(importer), statement), statement).rejects.toThrow(/denied/)
    }
  })

  test('an importer gets the error that the catalog must be upgraded, and which user can do it', async () => {
    const { catalog, url } = await place()
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
    const importer = await login('importer')
    await perform(grantsOf(catalog, 'importer', importer))
    await sql(catalog, 'DELETE FROM catalog_migrations WHERE version > 1')
    await expectUpgradeDenied(url(importer))
  })

  test('an administrator creates the catalog from nothing and upgrades it', async () => {
    const { catalog, url } = await place()
    const admin = await login('admin')
    expect((await perform(grantsOf(catalog, 'admin', `${admin}@%`))).finished.exitCode).toBe(0)
    expect((await perform(importOf(table, url(admin)))).finished).toMatchObject({ exitCode: 0 })
    await sql(catalog, 'DELETE FROM catalog_migrations')
    expect((await perform(importOf(join(lake, 'two'), url(admin)))).finished).toMatchObject({ exitCode: 0 })
    expect((await perform({ kind: 'migration-status', catalog: url(admin) })).finished.totals).toMatchObject({
      imports: '2',
    })
  })

  test('in a database with other tables each relation gets its own grant', async () => {
    const { name, catalog, url } = await place()
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
    await sql(catalog, 'CREATE TABLE salaries (amount int)')
    const importer = await login('importer')
    const { statements, notes } = await perform(grantsOf(catalog, 'importer', importer))
    expect(statements).toContain(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON \`${name}\`.\`delta_files\` TO \`${importer}\`@\`%\``,
    )
    expect(statements).toContain(`GRANT SELECT ON \`${name}\`.\`catalog_migrations\` TO \`${importer}\`@\`%\``)
    expect(notes.join()).toContain('after an upgrade')
    await expectImporter(url(importer), middle)
    await expect(sql(url(importer), 'SELECT * FROM salaries')).rejects.toThrow(/denied/)
  })

  test('hostile names are printed quoted, and the printed text runs unchanged', async () => {
    const name = `h\`o'st"ile; --_%\\${RUN}${++databases}`
    const user = `u\`s'er"; -- ${RUN}${databases}`
    await server.createDatabase(name)
    await server.sql(`CREATE USER ${quoted(user)}@'127.0.0.%' IDENTIFIED BY '${SECRET}'`)
    const catalog = server.url(name)
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
    const { statements } = await perform(grantsOf(catalog, 'importer', `${user}@127.0.0.%`, false))
    const text = statements.map((statement) => `${statement};\n`).join('')
    const { hostname, port, username, password } = new URL(server.url())
    const words = ['--no-defaults', '-h', hostname, '-P', port, '-u', username, `-p${password}`]
    if (!hasProgram('mysql')) await sql(server.url(), text)
    else execFileSync('mysql', words, { input: text, stdio: 'pipe' })
    expect((await perform(batchOf(lake, server.url(name, user, SECRET)))).finished).toMatchObject({ exitCode: 0 })
  })

  test('a missing user, and a name that is ambiguous, are refused, and no user is created', async () => {
    const { catalog } = await place()
    const missing = await perform(grantsOf(catalog, 'reader', 'nobody'))
    expect(missing.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    expect(missing.finished.error?.hint).toContain('CREATE USER `nobody`@`%` IDENTIFIED BY')
    expect(await sql(server.url(), "SELECT count(*) AS n FROM mysql.user WHERE user = 'nobody'")).toEqual([{ n: 0 }])
    await server.sql(
      `CREATE USER twice${RUN}@'%' IDENTIFIED BY 'x'`,
      `CREATE USER twice${RUN}@localhost IDENTIFIED BY 'x'`,
    )
    const twice = await perform(grantsOf(catalog, 'reader', `twice${RUN}`))
    expect(twice.finished.error?.hint).toContain(`twice${RUN}@localhost`)
    expect((await perform(grantsOf(catalog, 'reader', `twice${RUN}@localhost`))).finished.exitCode).toBe(0)
  })

  test('a login that cannot read the list of users grants nothing to a user that may not exist', async () => {
    const { name, catalog, url } = await place()
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
    const delegate = await login('delegate')
    await server.sql(
      `GRANT ALL ON \`${name.replace('_', '\\_')}\`.* TO \`${delegate}\`@'%' WITH GRANT OPTION`,
      `GRANT CREATE USER ON *.* TO \`${delegate}\`@'%'`,
    )
    const printed = await perform(grantsOf(url(delegate), 'reader', `ghost${RUN}`, false))
    expect(printed.finished.exitCode).toBe(0)
    expect(printed.notes.join()).toContain('is unknown')
    const applied = await perform(grantsOf(url(delegate), 'reader', `ghost${RUN}`))
    expect(applied.finished.error).toMatchObject({ code: 'TARGET_DENIED' })
    expect(await sql(server.url(), `SELECT count(*) AS n FROM mysql.user WHERE user = 'ghost${RUN}'`)).toEqual([
      { n: 0 },
    ])
  })
})

describe('without a server', () => {
  test('a file has no roles', async () => {
    const file = join(folder.path, 'c.db')
    for (const catalog of [`sqlite:///${file}`, `duckdb:///${file}`]) {
      const { finished } = await perform(grantsOf(catalog, 'reader', 'x'))
      expect(finished).toMatchObject({ exitCode: 6, error: { code: 'UNSUPPORTED_URL' } })
      expect(finished.error?.hint).toContain('chown')
    }
  })

  test('names with control characters are written into no statement', () => {
    expect(() => nameForSql('a\u001b[31m', '"')).toThrow('control characters')
    expect(nameForSql('a"b', '"')).toBe('"a""b"')
  })

  test('the relations of a catalog are those of its migrations', () => {
    for (const dialect of [postgresqlDialect, mysqlDialect]) {
      const { tables, views } = relationNames(dialect)
      expect(tables).toEqual(
        expect.arrayContaining(['delta_tables', 'delta_files', 'migration_status', 'catalog_audit']),
      )
      expect(views).toContain('delta_active_files')
      expect(tables).not.toContain('delta_files_default')
    }
  })

  test('SHOW GRANTS is parsed with its wildcards, quotes and revokes', () => {
    const grants = parseGrants([
      "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*AB'",
      'GRANT SELECT, INSERT ON `my\\_db`.* TO `u`@`%`',
      'GRANT SELECT ON `lake%`.* TO `u`@`%`',
      'GRANT DELETE ON "d""b"."t" TO "u"@"%" WITH GRANT OPTION',
      'GRANT UPDATE (a, b), SELECT ON `one`.`t` TO `u`@`%`',
      'GRANT `r`@`%` TO `u`@`%`',
    ])
    expect(grants.allows('SELECT', 'my_db', 'x')).toBe(true)
    expect(grants.allows('SELECT', 'myxdb', 'x')).toBe(false)
    expect(grants.allows('SELECT', 'lake_2', null)).toBe(true)
    expect(grants.allows('DELETE', 'd"b', 't')).toBe(true)
    expect(grants.allows('DELETE', 'd"b', null)).toBe(false)
    expect(grants.allows('UPDATE', 'one', 't')).toBe(false)
    expect(grants.allows('SELECT', 'one', 't')).toBe(true)
    const all = parseGrants(['GRANT ALL PRIVILEGES ON *.* TO `root`@`%`', 'REVOKE INSERT ON `prod`.* FROM `root`@`%`'])
    expect(all.allows('INSERT', 'test', 't')).toBe(true)
    expect(all.allows('INSERT', 'prod', 't')).toBe(false)
  })
})
