/** One connection to a PostgreSQL server, made ready: encrypted as asked, with settings that a catalog relies on. */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Client, type ClientConfig } from 'pg'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { OpenMode } from '../../../model/run/sql-port.ts'
import type { Route } from '../../../model/run/route.ts'
import { tlsMissing } from '../../common/tls.ts'
import { DirectSocket } from './direct-socket.ts'
import { connectFailed } from './server-errors.ts'
import { plantedError, plantedSql, type Planted } from './planted.ts'
import type { PostgresSettings } from './settings.ts'
import { TYPES } from './values.ts'

const OLDEST = 130_000
const LOCK_TIMEOUT_MS = 30_000
const KEEPALIVE_MS = 30_000

/** The server's process behind a connection; both together name it for all time. */
export type Backend = { readonly pid: number; readonly startedAt: string }

export type Connected = {
  readonly client: Client
  readonly socket: Duplex
  readonly backend: Backend
  /** As `server_version_num`. */
  readonly version: number
  /**
   * Statements that put the settings on a transaction, where a pooler lends the server's process by the transaction: a SET of the session would reach the other
   * clients of the pool. Null where the session has the settings.
   */
  readonly local: string | null
}

/**
 * Settings under which a value or a name has one spelling and one meaning. Roles and databases may have others. Of
 * every session; what only says where or how a table is stored (tablespaces, compression, access methods) stays as it
 * is set.
 */
const SPELLING: readonly (readonly [name: string, value: string])[] = [
  ['client_encoding', 'UTF8'],
  // Moments are written and read in it.
  ['TimeZone', 'UTC'],
  // Dates have the year first.
  ['DateStyle', 'ISO'],
  // `sql_standard` reads the sign of a first field for that of all.
  ['IntervalStyle', 'postgres'],
  ['bytea_output', 'hex'],
  // Numbers below 1 round what is written.
  ['extra_float_digits', '1'],
  // Money is written and read with its signs and places.
  ['lc_monetary', 'C'],
  // Without it a fragment of XML is no value.
  ['xmloption', 'content'],
  // Without it NULL in an array is read as the text "NULL".
  ['array_nulls', 'on'],
  // Without it a backslash in our literals would be an escape.
  ['standard_conforming_strings', 'on'],
  // With it the server quotes each name that it writes, and texts of one thing differ.
  ['quote_all_identifiers', 'off'],
  // With it `x = NULL` is true.
  ['transform_null_equals', 'off'],
  // Another limit leaves out rows that an index of its kind finds.
  ['gin_fuzzy_search_limit', '0'],
]

/**
 * A connection with its settings. Nothing is set before it is known whether a pooler lends the server's process to others, and whether another role has put
 * something where our statements would run it.
 * @param purpose `replication`: the server answers with a walsender, which takes statements in the simple protocol only
 * @throws SluiceError CONNECT_FAILED (retryable where the server may come up by itself), TLS_FAILED, TARGET_DENIED
 */
export async function connect(
  settings: PostgresSettings,
  mode: OpenMode,
  purpose: Purpose = 'statements',
): Promise<Connected> {
  const client = await connected(settings, purpose)
  try {
    const server = await prepare(client, settings, mode, purpose)
    return { client, socket: client.connection.stream, ...server }
  } catch (error) {
    void client.end().catch(() => undefined)
    throw connectFailed(error, settings)
  }
}

/**
 * Commits of the session, or of the transaction, are waited for until they are on the disk, also where role or database have `synchronous_commit = off`: a crash takes those back that
 * others have seen. A standby is not waited for by that; a higher setting stays.
 */
export function durableSql(scope: 'session' | 'transaction'): string {
  return `SELECT pg_catalog.set_config('synchronous_commit', 'local', ${scope === 'transaction'}) WHERE pg_catalog.current_setting('synchronous_commit') = 'off'`
}

type Purpose = 'statements' | 'replication'

export const quoteName = quotedName

async function connected(settings: PostgresSettings, purpose: Purpose): Promise<Client> {
  const { tls } = settings
  try {
    return await start(settings, purpose, tls.options === null ? false : { ...tls.options, host: settings.host })
  } catch (error) {
    // The driver has no code for this answer of the server.
    if (!(error instanceof Error) || error.message !== 'The server does not support SSL connections') {
      throw connectFailed(error, settings)
    }
    if (tls.required) throw tlsMissing(settings.label, tls.mode)
  }
  try {
    return await start(settings, purpose, false)
  } catch (error) {
    throw connectFailed(error, settings)
  }
}

async function start(
  settings: PostgresSettings,
  purpose: Purpose,
  ssl: NonNullable<ClientConfig['ssl']>,
): Promise<Client> {
  const detour = settings.route === undefined ? null : await detourTo(settings, settings.route)
  const client = new Client({
    host: settings.host,
    port: settings.port,
    user: settings.user,
    database: settings.database,
    // The driver asks for a text, and would read the password file by itself, with a warning, where there is none.
    password: settings.password() ?? '',
    application_name: settings.applicationName,
    ssl,
    types: TYPES,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_MS,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    ...(purpose === 'replication' ? { replication: 'database' } : {}),
    ...(detour !== null
      ? { stream: () => detour }
      : purpose === 'replication' && ssl === false
        ? { stream: () => new DirectSocket() }
        : {}),
  })
  // Without a listener, a connection that breaks between two statements would end the program.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** A socket that the driver tells to connect to the server, and that connects to where the way to it begins. */
async function detourTo({ host, port }: PostgresSettings, route: Route): Promise<Socket> {
  const by = await route(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  const socket = new Socket()
  const connectTo = socket.connect.bind(socket)
  socket.connect = () => connectTo(by)
  return socket
}

async function prepare(
  client: Client,
  settings: PostgresSettings,
  mode: OpenMode,
  purpose: Purpose,
): Promise<Pick<Connected, 'backend' | 'version' | 'local'>> {
  const { backend, version, path } = await serverOf(client, settings)
  await refusePlanted(client, settings)
  const isLent = await lends(client, settings, purpose, backend.pid)
  const settled = [
    ...SPELLING.map(([name, value]) => `${name} TO '${value}'`),
    // Without a fraction the planner takes a cursor for a question whose first rows matter most.
    'cursor_tuple_fraction TO 1',
    `lock_timeout TO ${LOCK_TIMEOUT_MS}`,
    `idle_in_transaction_session_timeout TO ${settings.frozenMs ?? 0}`,
    // So that the locks of a client whose machine vanished do not outlive it for hours.
    'tcp_keepalives_idle TO 30',
    'tcp_keepalives_interval TO 10',
    'tcp_keepalives_count TO 3',
    ...(settings.statementTimeoutMs === null ? [] : [`statement_timeout TO ${settings.statementTimeoutMs}`]),
    ...(settings.schema === null
      ? path === null
        ? []
        : [`search_path TO ${path}`]
      : [`search_path TO ${quoteName(settings.schema)}`]),
    ...(mode === 'read' ? [`${isLent ? '' : 'default_'}transaction_read_only TO on`] : []),
  ]
  const statements = settled.map((one) => `${isLent ? 'SET LOCAL' : 'SET'} ${one}`)
  if (settings.isDurable === true) statements.push(durableSql(isLent ? 'transaction' : 'session'))
  const sql = statements.join(';')
  if (!isLent) await client.query(sql)
  return { backend, version, local: isLent ? sql : null }
}

/**
 * The schemas of a search_path that names pg_catalog behind others, without it: the server looks there first then, and the schema in which tables are made stays the same. Null where
 * pg_catalog is the first one already. pg_temp is left as it is: what a session finds there it has made itself, and no other table comes before it.
 */
const PATH_BEHIND_CATALOG = `SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s.name), ', ' ORDER BY s.place) FROM ROWS FROM (pg_catalog.unnest(pg_catalog.current_schemas(false))) WITH ORDINALITY AS s (name, place)
  WHERE s.name OPERATOR(pg_catalog.<>) 'pg_catalog' AND pg_catalog.array_position(pg_catalog.current_schemas(false), 'pg_catalog'::pg_catalog.name) OPERATOR(pg_catalog.>) 1`

/** What the server says of itself. @throws SluiceError CONNECT_FAILED where it is too old, or its database cannot hold every text */
async function serverOf(
  client: Client,
  settings: PostgresSettings,
): Promise<Pick<Connected, 'backend' | 'version'> & { readonly path: string | null }> {
  const { rows } = await client.query<
    [version: number, encoding: string, pid: number, startedAt: string, path: string | null]
  >({
    text: `SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.current_setting('server_encoding'), pg_catalog.pg_backend_pid(),
             (SELECT a.backend_start::pg_catalog.text FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a),
             (${PATH_BEHIND_CATALOG})`,
    rowMode: 'array',
  })
  const [row] = rows
  if (row === undefined) throw new Error('the server said nothing about itself')
  const [version, encoding, pid, startedAt, path] = row
  if (version < OLDEST) {
    throw new SluiceError('CONNECT_FAILED', 'this PostgreSQL server is too old', {
      where: settings.label,
      reason: `it is version ${Math.floor(version / 10_000)}; 13 is the oldest that is read or written`,
      hint: 'name a newer server',
    })
  }
  if (encoding !== 'UTF8') {
    throw new SluiceError('CONNECT_FAILED', 'this database cannot hold every text', {
      where: settings.label,
      reason: `database encoding is ${encoding}, and only UTF8 is read or written`,
      hint: "bring its tables into a database made with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0: pg_dump and psql convert them",
    })
  }
  return { backend: { pid, startedAt }, version, path }
}

/** @throws SluiceError TARGET_DENIED */
async function refusePlanted(client: Client, settings: PostgresSettings): Promise<void> {
  const { rows } = await client.query<[...Planted]>({ text: plantedSql(settings.schema), rowMode: 'array' })
  const [planted] = rows
  if (planted !== undefined) throw plantedError(planted, settings.user, settings.label)
}

/** Whether the pooler in front of a database lends processes by the transaction, as this program has found out. */
const lenders = new Map<string, boolean>()
/** A pool in use may give two clients different processes, so it is asked more than once. */
const TRIES = 3

/**
 * Whether a pooler may give the process of the server to another client between two transactions. Only asks.
 * A pooler makes up the number of a process that a client is told when it connects; the server tells its own.
 * @param pid by which the server knows the process
 */
async function lends(client: Client, settings: PostgresSettings, purpose: Purpose, pid: number): Promise<boolean> {
  const { processID } = client as Client & { readonly processID?: number | null }
  if (processID === pid) return false
  // `prepare=off` is documented for such poolers alone.
  if (!settings.prepare) return true
  const { host, port, database, user } = settings
  const pool = JSON.stringify([host, port, database, user])
  const known = lenders.get(pool)
  if (known !== undefined) return known
  const other = await connected(settings, purpose)
  try {
    let isLent = false
    for (let tries = 0; tries < TRIES && !isLent; tries++) {
      // A pool lends either what came back last, which the other one gets then, or what came back first, which this one gets.
      isLent = (await processOf(client)) !== pid
      await other.query('BEGIN')
      isLent ||= (await processOf(other)) === pid || (await processOf(client)) !== pid
      await other.query('ROLLBACK')
    }
    lenders.set(pool, isLent)
    return isLent
  } finally {
    void other.end().catch(() => undefined)
  }
}

async function processOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<[pid: number]>({ text: 'SELECT pg_catalog.pg_backend_pid()', rowMode: 'array' })
  return rows[0]?.[0]
}
