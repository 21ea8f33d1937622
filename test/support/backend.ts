/**
 * The database of the catalogs in a test: SQLite, or what `SLUICE_TEST_BACKEND` names. Tests name a catalog by a file;
 * on a server each file becomes a database or a schema. `vitest.config.ts` runs the catalog's suites once per backend.
 */
import { createHash } from 'node:crypto'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { DAY } from '../setup/suites.ts'
import { PLANTED } from './servers/planted.ts'
import type { OpenMode, SqlDatabase, SqlDialect } from '../../src/model/run/sql-port.ts'

export const BACKEND = (process.env['SLUICE_TEST_BACKEND'] ?? 'sqlite') as SqlDialect
/** Plants are found through the search_path of a database, and do not work with a schema in the URL. */
const IN_SCHEMAS = BACKEND === 'postgresql' && !PLANTED
export const ON_SERVER = BACKEND === 'postgresql' || BACKEND === 'mysql'

/** `SLUICE_TEST_ALL=1` runs every case of every suite, which takes most of an hour on two cores. */
export const ALL = Boolean(process.env['SLUICE_TEST_ALL'])

/**
 * Every nth of many similar slow cases, so that a run stays within a quarter of an hour; all with `SLUICE_TEST_ALL`.
 */
export function someOf<T>(cases: readonly T[], every: number): readonly T[] {
  return ALL ? cases : cases.filter((_, i) => i % every === 0)
}

/**
 * Of slow cases that differ in the system only, while the tested code is shared: the first, and each day another one of
 * the others. All of them with `SLUICE_TEST_CI=all` and with `SLUICE_TEST_ALL`.
 */
export function firstAndToday<T>(cases: readonly T[]): readonly T[] {
  if (ALL || process.env['SLUICE_TEST_CI'] === 'all') return cases
  return cases.filter((_, i) => i === 0 || i === 1 + (DAY % (cases.length - 1)))
}

/** SQLite runs all cases; every other backend runs another share of them. */
const SHARES: Readonly<Record<SqlDialect, number>> = { sqlite: 0, postgresql: 0, mysql: 1, duckdb: 2 }

/**
 * All of many similar cases on SQLite, every nth on other backends: few of them show a difference between databases,
 * and the run time must stay limited.
 */
export function shareOf<T>(cases: readonly T[], every: number): readonly T[] {
  return BACKEND === 'sqlite' || ALL ? cases : cases.filter((_, i) => i % every === SHARES[BACKEND] % every)
}

export type Moment = readonly [when: 'before' | 'after', at: number]

/**
 * Points at which a run of `writes` transactions is killed, right before or after a COMMIT: the first, the last, and
 * every nth between. The state on disk after one COMMIT is the state before the next, so the two kinds alternate. Each
 * backend has another share, and those other than SQLite a smaller one. All points with `SLUICE_TEST_ALL`.
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

/**
 * Runs of a property test: `sqlite` on SQLite, `elsewhere` on other backends, and `all` everywhere with
 * `SLUICE_TEST_ALL`.
 */
export function runsOf(sqlite: number, elsewhere: number, all: number): number {
  return ALL ? all : BACKEND === 'sqlite' ? sqlite : elsewhere
}

const made = new Set<string>()
/** Databases that exist on PostgreSQL, which has no CREATE DATABASE IF NOT EXISTS. */
const databases = new Set<string>()

/** The URL of the catalog for `file`. For a server, `SLUICE_TEST_SERVER` holds the address (test/setup). */
export function catalogUrl(file: string): string {
  if (!ON_SERVER) return `${BACKEND}:///${file}`
  const name = `t_${createHash('sha256').update(file).digest('hex').slice(0, 16)}`
  made.add(name)
  const server = new URL(process.env['SLUICE_TEST_SERVER'] ?? '')
  if (IN_SCHEMAS) server.searchParams.set('schema', name)
  else server.pathname = `/${name}`
  return server.href
}

/** Opens the catalog for `file`; creates it if it is opened for writing. */
export async function openAt(file: string, mode: OpenMode): Promise<SqlDatabase> {
  const url = catalogUrl(file)
  if (ON_SERVER && !IN_SCHEMAS && mode === 'write') await makeDatabase(new URL(url).pathname.slice(1))
  return openCatalogDatabase(url, mode)
}

/** Creates the database of a catalog that a child program will open. */
export async function makeRoom(file: string): Promise<string> {
  const url = catalogUrl(file)
  if (ON_SERVER && !IN_SCHEMAS) await makeDatabase(new URL(url).pathname.slice(1))
  return url
}

/** Drops what the tests of one file created on a server. */
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

/** Runs statements at a server with a plain driver. @param url of PostgreSQL, MySQL or MariaDB */
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
