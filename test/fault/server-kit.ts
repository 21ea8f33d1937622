/** Database servers that a test may kill, with one interface for both systems, and assertions on their catalogs. */
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { expect, inject } from 'vitest'
import { dialectOf } from '../../src/catalog/dialect.ts'
import { prepareCatalog } from '../../src/catalog/catalog.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import type { Answer } from '../setup/servers.ts'
import { administrate } from '../support/backend.ts'
import {
  add,
  dumpCatalog,
  importInto,
  METADATA,
  PROTOCOL,
  remove,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb } from '../support/servers/mariadb.ts'
import { PASSWORD, POSTGRES_MISSING, POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'

export type FaultServer = AsyncDisposable & {
  readonly port: number
  /** The password as in URLs, and decoded: no output may contain either. */
  readonly secrets: readonly string[]
  /** Creates a database for a catalog. @returns its URL */
  room(name: string): Promise<string>
  /** Sends SIGKILL to every process of the server. */
  kill9(): Promise<void>
  /** Shuts the server down and keeps its files. */
  shutDown(): Promise<void>
  /** Restarts the server on its files and port. */
  restart(): Promise<void>
}

export type System = {
  readonly title: string
  /** Why no such server can be killed; empty if one can. */
  readonly missing: string
  readonly statementOfLoad: string
  /** Starts a server whose commits are flushed to disk. @param folder for its files, instead of the temporary one */
  start(folder?: string): Promise<FaultServer>
  /** The server that test files share: it is never stopped, and the databases created here are dropped. */
  share(): Promise<FaultServer>
}

const postgresql: System = {
  title: 'PostgreSQL',
  missing: POSTGRES_OWN ? '' : POSTGRES_MISSING || 'SLUICE_TEST_POSTGRES_URL names a server that is not ours to kill',
  statementOfLoad: 'COPY "delta_files"',
  async start(folder) {
    const server = await startPostgres({
      fsync: true,
      extraSettings: ['min_wal_size=32MB', 'max_wal_size=48MB'],
      ...(folder === undefined ? {} : { dataParent: folder }),
    })
    return {
      port: server.port,
      secrets: [PASSWORD, encodeURIComponent(PASSWORD)],
      room: async (name) => `${server.url()}?schema=${name}`,
      kill9: () => server.kill9(),
      shutDown: () => server.stop(),
      restart: () => server.restart(),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
  async share() {
    const base = await sharedUrl('postgresql')
    return sharedServer(base, async (name) => {
      const url = new URL(base)
      url.searchParams.set('schema', name)
      return { url: url.href, sql: `DROP SCHEMA IF EXISTS "${name}" CASCADE` }
    })
  },
}

const mariadb: System = {
  title: 'MariaDB',
  missing:
    process.env['SLUICE_TEST_MYSQL_URL'] !== undefined
      ? 'SLUICE_TEST_MYSQL_URL names a server that is not ours to kill'
      : MARIADB_AVAILABLE
        ? ''
        : MARIADB_MISSING,
  statementOfLoad: 'INTO TABLE "delta_files"',
  async start(folder) {
    const outer = process.env['TMPDIR']
    if (folder !== undefined) process.env['TMPDIR'] = folder
    try {
      const server = await startMariadb({
        more: ['--innodb-flush-log-at-trx-commit=1', '--innodb-flush-method=fsync', '--innodb-log-file-size=8M'],
      })
      const { password } = new URL(server.url())
      return {
        port: server.port,
        secrets: [password, decodeURIComponent(password)],
        room: async (name) => {
          await server.createDatabase(name)
          return server.url(name)
        },
        kill9: () => server.kill9(),
        shutDown: () => server.sql('SHUTDOWN'),
        restart: () => server.restart(),
        [Symbol.asyncDispose]: () => server.stop(),
      }
    } finally {
      if (outer === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = outer
    }
  },
  async share() {
    const base = await sharedUrl('mysql')
    return sharedServer(base, async (name) => {
      const url = new URL(base)
      url.pathname = `/${name}`
      await administrate(base, [`CREATE DATABASE \`${name}\` CHARACTER SET utf8mb4`])
      return { url: url.href, sql: `DROP DATABASE IF EXISTS \`${name}\`` }
    })
  },
}

type Room = { readonly url: string; readonly sql: string }

/** @param make creates a database of that name; returns its URL, and the statement that drops it */
function sharedServer(base: string, make: (name: string) => Promise<Room>): FaultServer {
  const { port, password } = new URL(base)
  const rooms: Room[] = []
  const refuse = async (): Promise<never> => {
    throw new Error('a server that others use is not stopped here')
  }
  return {
    port: Number(port),
    secrets: [password, decodeURIComponent(password)],
    room: async (name) => {
      const room = await make(`${name}_${randomBytes(4).toString('hex')}`)
      rooms.push(room)
      return room.url
    },
    kill9: refuse,
    shutDown: refuse,
    restart: refuse,
    [Symbol.asyncDispose]: () =>
      administrate(
        base,
        rooms.map(({ sql }) => sql),
      ),
  }
}

/** @throws Error if the server does not start */
async function sharedUrl(name: string): Promise<string> {
  const response = await fetch(`${inject('serverBroker')}/${name}`)
  const answer = response.ok ? ((await response.json()) as Answer) : { missing: await response.text() }
  if ('missing' in answer) throw new Error(`no ${name} server: ${answer.missing}`)
  return answer.url
}

export const SYSTEMS: readonly System[] = [postgresql, mariadb]

/** Title of a suite, with the reason if it is skipped. */
export function titleOf(what: string, { title, missing }: System): string {
  return `${what} on ${title}${missing === '' ? '' : ` (skipped: ${missing})`}`
}

/** The URL with other parameters added, or another port. */
export function variant(url: string, more: Readonly<Record<string, string | number>>, port?: number): string {
  const other = new URL(url)
  for (const [name, value] of Object.entries(more)) other.searchParams.set(name, String(value))
  if (port !== undefined) other.port = String(port)
  return other.href
}

export async function openCatalogAt(url: string): Promise<SqlDatabase> {
  const database = await openCatalogDatabase(url, 'write')
  await prepareCatalog(database, 0)
  return database
}

/** Imports a table into a new catalog without faults. @returns its dump */
export async function undisturbed(url: string, table: string, batchSize: number): Promise<string> {
  await using database = await openCatalogAt(url)
  await importInto(database, table, { batchSize })
  return await dumpCatalog(database)
}

export async function dumpAt(url: string): Promise<string> {
  await using database = await openCatalogDatabase(url, 'read')
  return await dumpCatalog(database)
}

/** The view may show only whole versions. */
export async function expectWholeVersions(url: string): Promise<void> {
  await using database = await openCatalogDatabase(url, 'read')
  const names = await database.all(dialectOf(database).objectNames)
  if (!names.some(([name]) => name === 'delta_active_files')) return
  const rows = await database.all(
    `SELECT t.current_version, t.num_files, t.num_bytes, count(f.file_no), coalesce(sum(f.size), 0)
     FROM delta_tables t LEFT JOIN delta_active_files f ON f.table_id = t.table_id GROUP BY t.table_id, t.current_version, t.num_files, t.num_bytes`,
  )
  for (const [version, files, bytes, seen, seenBytes] of rows) {
    if (version === null) expect(seen).toBe(0)
    else expect([seen, seenBytes]).toEqual([files, bytes])
  }
}

/**
 * Checks every form of a failure: thrown errors with their causes, printed text, rows that record failures and
 * commands.
 */
export async function expectNoSecret({ secrets }: FaultServer, shown: readonly unknown[], url?: string): Promise<void> {
  const texts = shown.map((one) => (typeof one === 'string' ? one : `${String(one)}\n${said(one)}`))
  if (url !== undefined) {
    await using database = await openCatalogDatabase(url, 'read')
    for (const relation of ['catalog_audit', 'migration_status', 'catalog_leases', 'delta_tables']) {
      const rows = await database.all(`SELECT * FROM ${relation}`)
      texts.push(inspect(rows, { depth: 5, maxStringLength: null, maxArrayLength: null }))
    }
  }
  for (const text of texts) for (const secret of secrets) expect(text).not.toContain(secret)
}

function said(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error, { depth: 10, maxStringLength: null })
  const own = 'info' in error && typeof error.info === 'function' ? JSON.stringify(error.info()) : ''
  return `${error.stack ?? ''}\n${own}\n${error.cause === undefined ? '' : said(error.cause)}`
}

/** A log of `versions` commits that add, remove and add again: every kind of row, few of each. */
export function writeHistory(table: string, versions: number, filesEach: number, statsBytes = 0): void {
  const commits: Line[][] = []
  for (let version = 0; version < versions; version++) {
    const lines: Line[] = version === 0 ? [PROTOCOL, METADATA] : [{ txn: { appId: 'app', version } }]
    for (let file = 0; file < filesEach; file++) {
      const partitionValues = { day: `2024-01-${String(1 + ((version + file) % 5)).padStart(2, '0')}` }
      const more = statsBytes === 0 ? {} : { stats: stats(version * filesEach + file, statsBytes) }
      lines.push(add(`${version}-${file}.parquet`, { size: 1 + file, partitionValues, ...more }))
    }
    if (version > 0) lines.push(remove(`${version - 1}-0.parquet`))
    if (version > 1) lines.push(add(`${version - 2}-0.parquet`, { size: 77 }))
    commits.push(lines)
  }
  writeLog(table, commits)
}

/** Data that no database can compress well. */
function stats(seed: number, bytes: number): string {
  let state = (seed + 1) * 2_654_435_761
  let text = ''
  while (text.length < bytes) {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) | 0
    text += (state >>> 0).toString(36)
  }
  return JSON.stringify({ numRecords: seed, minValues: { id: seed }, maxValues: { id: seed }, filler: text })
}
