/**
 * Which database the catalogs of a test live in: SQLite, or what `SLUICE_TEST_BACKEND` says. Tests name a catalog by a file; on a server that is a
 * database or a schema of its own. `vitest.config.ts` runs the catalog's suites once a backend.
 */
import { createHash } from 'node:crypto'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { PLANTED } from './servers/planted.ts'
import type { OpenMode, SqlDatabase, SqlDialect } from '../../src/model/run/sql-port.ts'

export const BACKEND = (process.env['SLUICE_TEST_BACKEND'] ?? 'sqlite') as SqlDialect
/** Plants stand behind the search_path of a database, and not beside a schema that is named. */
const IN_SCHEMAS = BACKEND === 'postgresql' && !PLANTED
export const ON_SERVER = BACKEND === 'postgresql' || BACKEND === 'mysql'

/** `SLUICE_TEST_ALL=1` runs every case of every suite, which takes most of an hour on two cores. */
export const ALL = Boolean(process.env['SLUICE_TEST_ALL'])

/** Every nth of many like cases that are slow, so that a run stays within a quarter of an hour; all with `SLUICE_TEST_ALL`. */
export function someOf<T>(cases: readonly T[], every: number): readonly T[] {
  return ALL ? cases : cases.filter((_, i) => i % every === 0)
}

/** Each backend but SQLite, which does all, takes another share of many like cases. */
const SHARES: Readonly<Record<SqlDialect, number>> = { sqlite: 0, postgresql: 0, mysql: 1, duckdb: 2 }

/** All of many like cases on SQLite, every nth elsewhere: what differs between databases shows in few of them, and a run has an end. */
export function shareOf<T>(cases: readonly T[], every: number): readonly T[] {
  return BACKEND === 'sqlite' || ALL ? cases : cases.filter((_, i) => i % every === SHARES[BACKEND] % every)
}

export type Moment = readonly [when: 'before' | 'after', at: number]

/**
 * Moments of a run of `writes` transactions at which it is killed, right before or after the COMMIT of one of them: the beginning, the end, and
 * every nth between. After one COMMIT lies on disk what lies there before the next, so that the two kinds take turns. Each backend has another
 * share, and those beside SQLite a smaller one. All of them with `SLUICE_TEST_ALL`.
 */
export function killMoments(writes: number, every: number, elsewhere: number): readonly Moment[] {
  const all = Array.from({ length: writes }, (_, i) => i + 1)
  const half = (n: number): number => Math.floor(n / 2)
  const [step, from] = BACKEND === 'sqlite' ? [every, 0] : [elsewhere, 1 + SHARES[BACKEND]]
  const isBefore = (at: number): boolean => ALL || at % step === from || (BACKEND === 'sqlite' && at <= 2)
  const isAfter = (at: number): boolean => ALL || at === writes || at % step === (from + half(step)) % step
  return [
    ...all.filter(isBefore).map((at) => ['before', at] as const),
    ...all.filter(isAfter).map((at) => ['after', at] as const),
  ]
}

/** Runs of a property: so many on SQLite, a share of them elsewhere, and `all` everywhere with `SLUICE_TEST_ALL`. */
export function runsOf(sqlite: number, elsewhere: number, all: number): number {
  return ALL ? all : BACKEND === 'sqlite' ? sqlite : elsewhere
}

const made = new Set<string>()
/** Those of PostgreSQL, which cannot be asked for one that may be there. */
const databases = new Set<string>()

/** The URL of the catalog that `file` stands for. Of a server, `SLUICE_TEST_SERVER` holds the address (test/setup). */
export function catalogUrl(file: string): string {
  if (!ON_SERVER) return `${BACKEND}:///${file}`
  const name = `t_${createHash('sha256').update(file).digest('hex').slice(0, 16)}`
  made.add(name)
  const server = new URL(process.env['SLUICE_TEST_SERVER'] ?? '')
  if (IN_SCHEMAS) server.searchParams.set('schema', name)
  else server.pathname = `/${name}`
  return server.href
}

/** Opens the catalog that `file` stands for; for writing it is made. */
export async function openAt(file: string, mode: OpenMode): Promise<SqlDatabase> {
  const url = catalogUrl(file)
  if (ON_SERVER && !IN_SCHEMAS && mode === 'write') await makeDatabase(new URL(url).pathname.slice(1))
  return openCatalogDatabase(url, mode)
}

/** Makes the database of a catalog that a child program is going to open. */
export async function makeRoom(file: string): Promise<string> {
  const url = catalogUrl(file)
  if (ON_SERVER && !IN_SCHEMAS) await makeDatabase(new URL(url).pathname.slice(1))
  return url
}

/** Removes what the tests of one file made on a server. */
export async function dropMade(): Promise<void> {
  if (made.size === 0) return
  const names = [...made]
  made.clear()
  const drop = (name: string): string =>
    BACKEND === 'mysql'
      ? `DROP DATABASE IF EXISTS \`${name}\``
      : IN_SCHEMAS
        ? `DROP SCHEMA IF EXISTS "${name}" CASCADE`
        : `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`
  await administrate(process.env['SLUICE_TEST_SERVER'] ?? '', names.map(drop))
}

async function makeDatabase(name: string): Promise<void> {
  const server = process.env['SLUICE_TEST_SERVER'] ?? ''
  if (BACKEND === 'mysql') return await administrate(server, [`CREATE DATABASE IF NOT EXISTS \`${name}\``])
  if (databases.has(name)) return
  databases.add(name)
  await administrate(server, [`CREATE DATABASE "${name}"`])
}

/** Runs statements at a server, past the program. @param url of PostgreSQL, MySQL or MariaDB */
export async function administrate(url: string, statements: readonly string[]): Promise<void> {
  if (/^postgres(?:ql)?:/.test(url)) {
    const { Client } = (await import('pg')).default
    const client = new Client({ connectionString: url })
    await client.connect()
    try {
      for (const statement of statements) await client.query(statement)
    } finally {
      await client.end()
    }
    return
  }
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection(url)
  try {
    for (const statement of statements) await connection.query(statement)
  } finally {
    await connection.end()
  }
}
