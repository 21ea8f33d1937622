/** Opens a connection to a PostgreSQL server: encrypted as requested, with the settings that a catalog relies on. */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Client, type ClientConfig } from 'pg'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { OpenMode } from '../../../model/run/sql-port.ts'
import type { Route } from '../../../model/run/route.ts'
import { tlsMissing } from '../../common/tls.ts'
import { DirectSocket } from './direct-socket.ts'
import { postgresConnectFailed, sqlStateOf } from './server-errors.ts'
import { plantedError, plantedSql, type Planted } from './planted.ts'
import type { PostgresSettings } from './settings.ts'
import { TYPES } from './values.ts'

const OLDEST = 130_000
const LOCK_TIMEOUT_MS = 30_000
const KEEPALIVE_MS = 30_000

/** With `replica`, foreign keys and triggers would be skipped. Sessions that need it set it later by themselves. */
const FIRING = 'session_replication_role TO origin'

/** Server process of a connection: pid and start time together are unique for all time. */
export type Backend = { readonly pid: number; readonly startedAt: string }

export type Connected = {
  readonly client: Client
  readonly socket: Duplex
  readonly backend: Backend
  /** As `server_version_num`. */
  readonly version: number
  /**
   * Statements that apply the settings to a transaction, if a pooler shares server processes between transactions: SET
   * for the session would affect other clients. Null if the session has the settings.
   */
  readonly local: string | null
}

/**
 * Settings of every session. With them each value and each name has one spelling and one meaning, whatever the role and
 * the database have set. Settings for storage only (tablespaces, compression, access methods) are left unchanged.
 */
const SPELLING: readonly (readonly [name: string, value: string])[] = [
  ['client_encoding', 'UTF8'],
  // Timestamps are written and read in UTC.
  ['TimeZone', 'UTC'],
  // Dates start with the year.
  ['DateStyle', 'ISO'],
  // `sql_standard` applies the sign of the first field to all fields.
  ['IntervalStyle', 'postgres'],
  ['bytea_output', 'hex'],
  // With values below 1, the server rounds its output.
  ['extra_float_digits', '1'],
  // The locale of `money` determines sign and decimal places, so it must be the same for printing and reading.
  ['lc_monetary', 'C'],
  // With `document`, a fragment of XML is invalid.
  ['xmloption', 'content'],
  // With `off`, NULL in an array is read as the text "NULL".
  ['array_nulls', 'on'],
  // With `off`, a backslash in literals of sluice would be an escape.
  ['standard_conforming_strings', 'on'],
  // With `on`, the server quotes every name, and the texts of one object differ.
  ['quote_all_identifiers', 'off'],
  // With `on`, `x = NULL` is true for NULL.
  ['transform_null_equals', 'off'],
  // With a limit, queries omit rows that a GIN index finds.
  ['gin_fuzzy_search_limit', '0'],
]

/**
 * Opens a connection and applies the settings. Checks first if another role planted an object that statements of sluice
 * would run, and if a pooler shares the server process.
 * @param purpose `replication`: opens a walsender, which accepts statements in the simple protocol only
 * @throws SluiceError CONNECT_FAILED (retryable if the server may come up by itself), TLS_FAILED, TARGET_DENIED
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
    throw postgresConnectFailed(error, settings)
  }
}

/**
 * Makes commits of the session, or of the transaction, wait for the disk, even if the role or the database has
 * `synchronous_commit = off`. Otherwise a crash could undo commits that other sessions saw. Such commits do not wait
 * for a standby. Settings other than `off` stay.
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
    // The driver has no error code for this reply.
    if (!(error instanceof Error) || error.message !== 'The server does not support SSL connections') {
      throw postgresConnectFailed(error, settings)
    }
    if (tls.required) throw tlsMissing(settings.label, tls.mode)
  }
  try {
    return await start(settings, purpose, false)
  } catch (error) {
    throw postgresConnectFailed(error, settings)
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
    // Never undefined: without a text, the driver would read the password file itself, and print a warning.
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

/** A socket that ignores the address from the driver and connects to the start of the route. */
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
  const { backend, version, path, isReplica } = await serverOf(client, settings)
  await refusePlanted(client, settings)
  const mustFire = isReplica && mode === 'write'
  if (mustFire) await refuseReplica(client, settings)
  const isPooled = await sharesProcesses(client, settings, purpose, backend.pid)
  const settled = [
    ...SPELLING.map(([name, value]) => `${name} TO '${value}'`),
    // With the default fraction, the planner would optimize a cursor for its first rows only.
    'cursor_tuple_fraction TO 1',
    `lock_timeout TO ${LOCK_TIMEOUT_MS}`,
    `idle_in_transaction_session_timeout TO ${settings.frozenMs ?? 0}`,
    // Without keepalives, locks of a client whose machine vanished could remain for hours.
    'tcp_keepalives_idle TO 30',
    'tcp_keepalives_interval TO 10',
    'tcp_keepalives_count TO 3',
    ...(settings.statementTimeoutMs === null ? [] : [`statement_timeout TO ${settings.statementTimeoutMs}`]),
    ...(settings.schema === null
      ? path === null
        ? []
        : [`search_path TO ${path}`]
      : [`search_path TO ${quoteName(settings.schema)}`]),
    ...(mustFire ? [FIRING] : []),
    ...(mode === 'read' ? [`${isPooled ? '' : 'default_'}transaction_read_only TO on`] : []),
  ]
  const statements = settled.map((one) => `${isPooled ? 'SET LOCAL' : 'SET'} ${one}`)
  if (settings.isDurable === true) statements.push(durableSql(isPooled ? 'transaction' : 'session'))
  const sql = statements.join(';')
  if (!isPooled) await client.query(sql)
  return { backend, version, local: isPooled ? sql : null }
}

/**
 * Tests if a login, whose session_replication_role is replica, may change the setting. Another role may have made it,
 * and then even RESET is refused.
 * @throws SluiceError TARGET_DENIED
 */
async function refuseReplica(client: Client, { user, label }: PostgresSettings): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL ${FIRING}`)
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error
    throw new SluiceError('TARGET_DENIED', `sessions of ${user} would write rows that violate foreign keys`, {
      where: label,
      reason: `session_replication_role is replica for ${user}, who may not change it`,
      hint: `as a superuser: ALTER ROLE ${quotedName(user)} RESET session_replication_role, or ALTER DATABASE … RESET it if the database has it`,
    })
  } finally {
    await client.query('ROLLBACK')
  }
}

/**
 * SQL expression for a search_path that names pg_catalog after another schema: the path without pg_catalog. NULL for
 * every other path. The server searches pg_catalog first if the path does not name it. New tables get the same schema
 * with both paths. pg_temp keeps its place in the path, because only this session can create objects in it.
 */
const PATH_BEHIND_CATALOG = `SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s.name), ', ' ORDER BY s.place) FROM ROWS FROM (pg_catalog.unnest(pg_catalog.current_schemas(false))) WITH ORDINALITY AS s (name, place)
  WHERE s.name OPERATOR(pg_catalog.<>) 'pg_catalog' AND pg_catalog.array_position(pg_catalog.current_schemas(false), 'pg_catalog'::pg_catalog.name) OPERATOR(pg_catalog.>) 1`

/**
 * Version and settings of the server.
 * @throws SluiceError CONNECT_FAILED if it is too old, or its database cannot store every text
 */
async function serverOf(
  client: Client,
  settings: PostgresSettings,
): Promise<Pick<Connected, 'backend' | 'version'> & { readonly path: string | null; readonly isReplica: boolean }> {
  const { rows } = await client.query<
    [version: number, encoding: string, pid: number, startedAt: string, path: string | null, firing: string]
  >({
    text: `SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.current_setting('server_encoding'), pg_catalog.pg_backend_pid(),
             (SELECT a.backend_start::pg_catalog.text FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a),
             (${PATH_BEHIND_CATALOG}), pg_catalog.current_setting('session_replication_role')`,
    rowMode: 'array',
  })
  const [row] = rows
  if (row === undefined) throw new Error('the server did not describe itself')
  const [version, encoding, pid, startedAt, path, firing] = row
  if (version < OLDEST) {
    throw new SluiceError('CONNECT_FAILED', 'this PostgreSQL server is too old', {
      where: settings.label,
      reason: `it is version ${Math.floor(version / 10_000)}; 13 is the oldest supported version`,
      hint: 'use a newer server',
    })
  }
  if (encoding !== 'UTF8') {
    throw new SluiceError('CONNECT_FAILED', 'this database cannot store all texts', {
      where: settings.label,
      reason: `database encoding is ${encoding}, and only UTF8 is supported`,
      hint: "move its tables into a database created with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0: pg_dump and psql convert them",
    })
  }
  return { backend: { pid, startedAt }, version, path, isReplica: firing === 'replica' }
}

/** @throws SluiceError TARGET_DENIED */
async function refusePlanted(client: Client, settings: PostgresSettings): Promise<void> {
  const { rows } = await client.query<[...Planted]>({ text: plantedSql(settings.schema), rowMode: 'array' })
  const [planted] = rows
  if (planted !== undefined) throw plantedError(planted, settings.user, settings.label)
}

/**
 * By database: true if its pooler shares processes between transactions. Contains only databases that this program has
 * tested.
 */
const sharedPoolers = new Map<string, boolean>()
/** Number of attempts: a pool in use may give two clients different processes by chance. */
const TRIES = 3

/**
 * True if a pooler may give the server process to another client between two transactions. Changes nothing. A pooler
 * invents the process id that a client receives when it connects; the server reports the real one.
 * @param pid process id on the server
 */
async function sharesProcesses(
  client: Client,
  settings: PostgresSettings,
  purpose: Purpose,
  pid: number,
): Promise<boolean> {
  const { processID } = client as Client & { readonly processID?: number | null }
  if (processID === pid) return false
  // `prepare=off` is documented only for poolers that share processes.
  if (!settings.prepare) return true
  const { host, port, database, user } = settings
  const pool = JSON.stringify([host, port, database, user])
  const known = sharedPoolers.get(pool)
  if (known !== undefined) return known
  const other = await connected(settings, purpose)
  try {
    let isPooled = false
    for (let tries = 0; tries < TRIES && !isPooled; tries++) {
      // Some pools give out the process that was returned last: then `other` gets the process of `client`. Other pools
      // give out the one that was returned first: then `client` gets another process.
      isPooled = (await processOf(client)) !== pid
      await other.query('BEGIN')
      isPooled ||= (await processOf(other)) === pid || (await processOf(client)) !== pid
      await other.query('ROLLBACK')
    }
    sharedPoolers.set(pool, isPooled)
    return isPooled
  } finally {
    void other.end().catch(() => undefined)
  }
}

async function processOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<[pid: number]>({ text: 'SELECT pg_catalog.pg_backend_pid()', rowMode: 'array' })
  return rows[0]?.[0]
}
