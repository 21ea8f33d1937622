/** Classifies error numbers and codes of MySQL, MariaDB and the driver. */

/** Error numbers: the server gave up the transaction; the same transaction may succeed if it is run again. */
const LOCK_LOST = new Set([
  1020, // MariaDB: the row changed since the snapshot
  1205, // lock wait timeout
  1213, // deadlock
  1615, // statement has to be prepared again
])
const CONNECTION_GONE = new Set([
  1053, // shutdown in progress
  1077, // normal shutdown
  1079, // shutdown complete
  1152, // aborted connection
  1158, // network read error
  1159, // network read timeout
  1160, // network write error
  1161, // network write timeout
  1927, // MariaDB: connection was killed
  2006,
  2013,
  3169, // MySQL: session was killed
  4031, // MySQL: disconnected for inactivity
])
const TOO_MANY_CONNECTIONS = new Set([1040, 1203])

const LOST = 'PROTOCOL_CONNECTION_LOST'
const NETWORK = new Set([
  LOST,
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'PROTOCOL_ERROR',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'PROTOCOL_UNEXPECTED_PACKET',
])
/** Codes after which retrying does not help. A refused connection is not among them: the server may be restarting. */
const LASTING = new Set(['ENOTFOUND'])

type Failure = { readonly code: string; readonly errno: number | null; readonly message: string }

/** Number of the server's error, also if it is the cause of a SluiceError; null for other errors. */
export function mysqlErrorNumber(thrown: unknown): number | null {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const { errno, code } = error as { readonly errno?: unknown; readonly code?: unknown }
    // Errors of the operating system have numbers too, below zero.
    if (typeof errno === 'number' && errno > 0 && typeof code === 'string') return errno
  }
  return null
}

/** @returns null unless the error is of the server, the driver or the network */
export function mysqlFailure(thrown: unknown): Failure | null {
  if (!(thrown instanceof Error)) return null
  const { code, fatal } = thrown as { readonly code?: unknown; readonly fatal?: unknown }
  // After a connection was cut, the driver's error has no code, and is only marked as fatal.
  if (code === undefined && fatal === true) return { code: LOST, errno: null, message: thrown.message }
  if (typeof code !== 'string') return null
  // Node tries all addresses of a name and reports each in `errors`, with an empty message.
  const message = thrown instanceof AggregateError ? thrown.errors.map(String).join('; ') : thrown.message
  return { code, errno: mysqlErrorNumber(thrown), message }
}

/** True if the server gave up the transaction, which may succeed if it is run again. */
export function isLockLost({ errno }: Failure): boolean {
  return errno !== null && LOCK_LOST.has(errno)
}

export function isConnectionGone({ code, errno }: Failure): boolean {
  return errno === null ? NETWORK.has(code) : CONNECTION_GONE.has(errno)
}

/** True if the server is a read-only replica, which may be promoted. 1290: any option that forbids a statement. */
export function isMysqlReadOnly({ errno, message }: Failure): boolean {
  return errno === 1836 || (errno === 1290 && /--(?:\w+-)?read-only/.test(message))
}

/** True if connecting failed but may succeed later. */
export function isTransientOnConnect({ code, errno }: Failure): boolean {
  if (errno !== null) return CONNECTION_GONE.has(errno) || TOO_MANY_CONNECTIONS.has(errno)
  return NETWORK.has(code) && !LASTING.has(code)
}
