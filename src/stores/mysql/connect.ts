/** Opens one connection: socket, encryption, login, and the settings that every session of sluice has. */
import { connect as connectSocket, type Socket } from 'node:net'
import { createConnection, type Connection, type ConnectionOptions } from 'mysql2'
import { SluiceError } from '../../shared/errors.ts'
import { binaryCollationOf, charsetSql } from './charset.ts'
import type { MysqlConfig } from './config.ts'
import { mysqlConnectError } from './errors.ts'
import { MysqlSession, type StillWorking } from './session.ts'
import { takeUserLock } from './user-lock.ts'

/** In `read` sessions the server refuses every write; `write` sessions run transactions one after the other. */
export type MysqlSessionPurpose = 'read' | 'write'

const SQL_MODE =
  'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION'
/** Session timeouts (wait_timeout, net_read_timeout, net_write_timeout), s: the caller may be slow. */
const SESSION_TIMEOUT_S = 28_800
/**
 * Maximum number of statements that the driver keeps prepared; the server's limit for all its clients is 16,382 by
 * default.
 */
const PREPARED = 100
const OLDEST = { mariadb: [10, 6, 0], mysql: [8, 0, 16] } as const

/** @throws SluiceError CONNECT_FAILED (retryable if the server may only be starting), TLS_FAILED */
export async function openMysqlSession(
  config: MysqlConfig,
  purpose: MysqlSessionPurpose,
  stillWorking: StillWorking = async () => false,
): Promise<MysqlSession> {
  try {
    return await open(config, purpose, stillWorking, config.tls.options !== null)
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (code !== 'HANDSHAKE_NO_SSL_SUPPORT' || config.tls.required) throw mysqlConnectError(error, config)
  }
  try {
    return await open(config, purpose, stillWorking, false)
  } catch (error) {
    throw mysqlConnectError(error, config)
  }
}

async function open(
  config: MysqlConfig,
  purpose: MysqlSessionPurpose,
  stillWorking: StillWorking,
  encrypted: boolean,
): Promise<MysqlSession> {
  const socket = await socketTo(config)
  const connection = createConnection(optionsOf(config, socket, encrypted))
  // Without a listener, a connection that breaks while idle would end the program.
  connection.on('error', () => undefined)
  let late = false
  const timer = setTimeout(() => {
    late = true
    socket.destroy(Object.assign(new Error('the server did not answer in time'), { code: 'ETIMEDOUT' }))
  }, config.connectMs)
  try {
    await login(connection, socket)
    const session = new MysqlSession(connection, socket, config, stillWorking)
    await prepareSession(session, purpose, config)
    return session
  } catch (error) {
    connection.destroy()
    socket.destroy()
    throw late ? Object.assign(new Error('the server did not answer in time'), { code: 'ETIMEDOUT' }) : error
  } finally {
    clearTimeout(timer)
  }
}

async function socketTo({ host, port, socket: path, route }: MysqlConfig): Promise<Socket> {
  const server = path === null ? { host, port } : { path }
  const socket = connectSocket({
    ...(route === undefined ? server : await route(server)),
    noDelay: true,
    keepAlive: true,
  })
  // The driver omits the TLS server name if the host is an address; Node would then check the name `localhost`.
  Object.defineProperty(socket, '_host', { value: host, writable: false, configurable: true })
  return socket
}

function optionsOf(config: MysqlConfig, socket: Socket, encrypted: boolean): ConnectionOptions {
  const { options, verifyHost } = config.tls
  return {
    host: config.host,
    port: config.port,
    user: config.user,
    password: config.password(),
    database: config.database,
    stream: () => socket,
    connectTimeout: 0,
    charset: 'UTF8MB4_GENERAL_CI',
    rowsAsArray: true,
    supportBigNumbers: true,
    dateStrings: true,
    jsonStrings: true,
    maxPreparedStatements: PREPARED,
    ...(config.socket === null ? {} : { socketPath: config.socket }),
    ...(encrypted && options !== null
      ? {
          ssl: {
            rejectUnauthorized: options.rejectUnauthorized ?? true,
            verifyIdentity: verifyHost,
            minVersion: 'TLSv1.2',
            ...pem('ca', options.ca),
            ...pem('cert', options.cert),
            ...pem('key', options.key),
          },
        }
      : {}),
  }
}

function pem(name: 'ca' | 'cert' | 'key', text: unknown): Partial<Record<'ca' | 'cert' | 'key', string>> {
  return typeof text === 'string' ? { [name]: text } : {}
}

async function login(connection: Connection, socket: Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error === null ? resolve() : reject(error)))
    socket.once('close', () =>
      reject(Object.assign(new Error('the server closed the connection'), { code: 'PROTOCOL_CONNECTION_LOST' })),
    )
  })
}

async function prepareSession(
  session: MysqlSession,
  purpose: MysqlSessionPurpose,
  { label, frozenMs }: Pick<MysqlConfig, 'label' | 'frozenMs'>,
): Promise<void> {
  const [[version, packet, localInfile, id, folding, explicit] = []] = await session.rows(
    'SELECT VERSION(), @@max_allowed_packet, @@local_infile, CONNECTION_ID(), @@lower_case_table_names, ' +
      '@@explicit_defaults_for_timestamp',
  )
  const flavour = /mariadb/i.test(String(version)) ? 'mariadb' : 'mysql'
  refuseOldServer(String(version), flavour, label)
  session.facts = {
    flavour,
    version: String(version),
    maxPacket: Number(packet),
    localInfile: Number(localInfile) === 1,
    id: Number(id),
    foldsTables: Number(folding) !== 0,
    impliesTimes: Number(explicit) === 0 && !(purpose === 'write' && (await leaveTimes(session))),
    binaryCollation: binaryCollationOf(flavour),
  }
  const settings = [
    // Results of CAST and literals compare exactly too, as columns of the catalog do.
    `NAMES ${charsetSql(session.facts.binaryCollation)}`,
    `SESSION sql_mode = '${SQL_MODE}'`,
    `SESSION time_zone = '+00:00'`,
    'SESSION innodb_lock_wait_timeout = 30',
    'SESSION lock_wait_timeout = 60',
    'SESSION group_concat_max_len = 1073741824',
    // An administrator may have set these globally; each would change or limit the results of the catalog's statements.
    'SESSION sql_select_limit = 18446744073709551615',
    'SESSION sql_safe_updates = 0',
    'SESSION sql_big_selects = 1',
    'SESSION sql_auto_is_null = 0',
    // Definitions are parsed with the quotes around their names.
    'SESSION sql_quote_show_create = 1',
    "SESSION completion_type = 'NO_CHAIN'",
    // Let the server choose the algorithm that builds an index.
    `SESSION ${flavour === 'mariadb' ? "alter_algorithm = 'DEFAULT'" : 'old_alter_table = 0'}`,
    'SESSION default_storage_engine = InnoDB',
    `SESSION ${flavour === 'mariadb' ? 'max_statement_time' : 'max_execution_time'} = 0`,
    // Otherwise an administrator's setting would make every statement read versioned tables as of the past.
    ...(flavour === 'mariadb' ? ['SESSION system_versioning_asof = DEFAULT'] : []),
    ...(flavour === 'mariadb' && frozenMs !== undefined
      ? [`SESSION idle_transaction_timeout = ${Math.ceil(frozenMs / 1000)}`]
      : []),
    `SESSION wait_timeout = ${SESSION_TIMEOUT_S}`,
    `SESSION net_write_timeout = ${SESSION_TIMEOUT_S}`,
    `SESSION net_read_timeout = ${SESSION_TIMEOUT_S}`,
    // After a statement that commits by itself, such as DDL, the next statements must still run in a transaction.
    `SESSION autocommit = ${purpose === 'write' ? 0 : 1}`,
  ]
  await session.command(`SET ${settings.join(', ')}`)
  if (purpose === 'read') await session.command('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
  else {
    await session.command('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED')
    await mark(session)
  }
}

/**
 * Otherwise a new TIMESTAMP that is NOT NULL gets a default, and the first one the time of each UPDATE.
 * @returns false where sessions may not change this: without a right in MySQL, and in MariaDB before 10.6.9
 */
async function leaveTimes(session: MysqlSession): Promise<boolean> {
  try {
    await session.command('SET SESSION explicit_defaults_for_timestamp = 1')
    return true
  } catch (error) {
    if (session.broken !== null) throw error
    return false
  }
}

async function mark(session: MysqlSession): Promise<void> {
  session.mark = await takeUserLock(session)
  await session.command('COMMIT')
}

function refuseOldServer(version: string, flavour: 'mariadb' | 'mysql', label: string): void {
  const numbers = /(\d+)\.(\d+)\.(\d+)/.exec(version.replace(/^5\.5\.5-/, ''))
  const oldest = OLDEST[flavour]
  const found = numbers === null ? [0, 0, 0] : numbers.slice(1, 4).map(Number)
  for (let i = 0; i < 3; i++) {
    const [have = 0, need = 0] = [found[i], oldest[i]]
    if (have > need) return
    if (have < need) break
    if (i === 2) return
  }
  throw new SluiceError('CONNECT_FAILED', `this server is too old: ${version}`, {
    where: label,
    reason: 'sluice needs MariaDB 10.6 or MySQL 8.0.16, or newer',
    hint: 'upgrade the server, or use another one',
  })
}
