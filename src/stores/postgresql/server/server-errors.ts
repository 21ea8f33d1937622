/** Maps errors of PostgreSQL and of the connection to SluiceErrors, with the guide's texts where it has some. */
import { SluiceError, type ErrorCode, type ErrorDetails } from '../../../shared/errors.ts'
import { connectionFailed, databaseMissing, permissionDenied, spaceExhausted } from '../../../shared/guide-errors.ts'
import { redactText } from '../../../shared/redact.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { missingRight } from './missing-right.ts'
import { networkCause, networkCodeOf, type NoConnectionCause } from '../../common/not-connected.ts'
import { tlsError } from '../../common/tls.ts'
import type { PostgresSettings } from './settings.ts'

type Raw = {
  readonly code?: unknown
  readonly message?: unknown
  readonly severity?: unknown
  readonly routine?: unknown
  readonly cause?: unknown
}

/** Codes of SluiceErrors that only wrap a failure of server or connection. Other errors are final: no retry helps. */
const WRAPPERS: ReadonlySet<ErrorCode> = new Set(['CONNECTION_LOST', 'CONNECT_FAILED', 'TARGET_BUSY', 'TARGET_IO'])

/** Error codes of a broken network. ENOENT: the socket file does not exist while the server restarts. */
const NETWORK =
  /^(?:ECONNRESET|EPIPE|ETIMEDOUT|ECONNREFUSED|ECONNABORTED|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EAI_AGAIN|ENOENT)$/
const BROKEN =
  /^(?:Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|timeout exceeded when trying to connect|Query read timeout)/
const STARTING = /^57P0[123]$/
/**
 * SQLSTATEs of a session that the server ended, because it was idle, or its transaction took too long. The transaction
 * is not committed.
 */
const ENDED = /^(?:25P03|25P04|57P05)$/
const NO_RETRY_HINT = 'run the same command again: it continues where it stopped'

/** SQLSTATE of an error of the server, or of the server's error that is its cause; null for other errors. */
export function sqlStateOf(error: unknown): string | null {
  const { code, severity } = rawOf(error) ?? {}
  return typeof code === 'string' && typeof severity === 'string' && /^[\dA-Z]{5}$/.test(code) ? code : null
}

/** True if the login lacks a right. */
export function isDenied(error: unknown): boolean {
  return sqlStateOf(error) === '42501'
}

/** True if the connection is lost or could not be made, or if the server is unavailable now. */
export function isConnectionLoss(error: unknown): boolean {
  const state = sqlStateOf(error)
  const raw = rawOf(error)
  // A protocol violation is a fault of sluice, unless it ends the session: poolers report a lost server this way.
  if (state === '08P01') return raw?.severity === 'FATAL'
  if (state !== null) return STARTING.test(state) || ENDED.test(state) || state.startsWith('08') || state === '53300'
  if (raw === null) return false
  if (typeof raw.code === 'string' && NETWORK.test(raw.code)) return true
  return BROKEN.test(String(raw.message))
}

/** True if a table changed since its statement was prepared; a new statement name works. */
export function isStalePlan(error: unknown): boolean {
  return sqlStateOf(error) === '0A000' && /cached plan/.test(String(rawOf(error)?.message))
}

/** True if another transaction stopped the statement: a lock, a deadlock, or a change of the same catalog entry. */
export function isBlocked(error: unknown): boolean {
  const state = sqlStateOf(error)
  if (state === 'XX000') return String(rawOf(error)?.message).startsWith('tuple concurrently ')
  return state === '40P01' || state === '55P03'
}

function isOvertaken(error: unknown): boolean {
  return isBlocked(error) || sqlStateOf(error) === '40001'
}

/** True if the same transaction may succeed when it is run again. */
export function isTransient(error: unknown): boolean {
  return isOvertaken(error) || isConnectionLoss(error) || isStalePlan(error)
}

/** True if the server refuses writes for now: it is a standby, which may be promoted, or read-only by default. */
export function isPostgresReadOnly(error: unknown): boolean {
  const raw = error instanceof SluiceError && error.code === 'TARGET_DENIED' ? error.cause : error
  const state = sqlStateOf(raw)
  // A standby refuses BEGIN … READ WRITE as a value of the setting transaction_read_only.
  return state === '25006' || (state === '0A000' && rawOf(raw)?.routine === 'call_bool_check_hook')
}

/** True if the publications of a table do not allow the statement. */
export function failsIdentityCheck(error: unknown): boolean {
  return rawOf(error)?.routine === 'CheckCmdReplicaIdentity'
}

/** True if a publication has the table, but no replica identity identifies the rows that a statement changes. */
export function lacksIdentity(error: unknown): boolean {
  return sqlStateOf(error) === '55000' && failsIdentityCheck(error)
}

/** Reason and hint of `lacksIdentity`. */
export const LACKS_IDENTITY = {
  reason: 'a publication (perhaps FOR ALL TABLES) has this table, but a primary key does not identify its rows',
  hint: 'give the table a primary key, or ALTER TABLE … REPLICA IDENTITY FULL; or remove it from the publication',
} as const

/**
 * @returns a SluiceError of the target. Errors without a case here, such as most SQL mistakes (class 42), are returned
 * unchanged.
 */
export function postgresError(thrown: unknown, settings: PostgresSettings): unknown {
  if (thrown instanceof SluiceError) return thrown
  const state = sqlStateOf(thrown)
  const make = (code: ErrorCode, message: string, details: ErrorDetails): SluiceError =>
    new SluiceError(code, message, { ...details, where: whereOf(thrown, settings), cause: thrown })
  if (state === null) {
    if (!isConnectionLoss(thrown)) return tlsError(thrown, settings.label) ?? thrown
    return connectionLost(thrown, settings)
  }
  if (isConnectionLoss(thrown)) return connectionLost(thrown, settings)
  if (state.startsWith('28') || state === '3D000') return postgresConnectFailed(thrown, settings)
  if (state === '42501') {
    const { message } = thrown as { readonly message: string }
    const hint = missingRight(message, settings.user, 'write')
    return make(...permissionDenied('TARGET_DENIED', { reason: message, ...(hint === null ? {} : { hint }) }))
  }
  // A missing USAGE on the first schema of search_path gives the same error as a missing schema.
  if (state === '3F000') {
    const { message } = thrown as { readonly message: string }
    const hint = `as its owner: GRANT USAGE, CREATE ON SCHEMA ${quotedName(settings.schema ?? 'public')} TO ${quotedName(settings.user)}${settings.schema === null ? '; or name another schema with schema=NAME in the URL' : ''}`
    return make(...permissionDenied('TARGET_DENIED', { reason: message, hint }))
  }
  if (lacksIdentity(thrown)) {
    const { message } = thrown as { readonly message: string }
    return make('TABLE_REFUSED', message, LACKS_IDENTITY)
  }
  if (isPostgresReadOnly(thrown)) {
    const reason = 'the server or the session is read-only: a standby, or default_transaction_read_only'
    const hint = 'use the primary server, or a database and user that may write'
    return make(...permissionDenied('TARGET_DENIED', { reason, hint, retryable: true }))
  }
  if (state === '53100' || state === '53200' || /no space left/i.test(String((thrown as Raw).message))) {
    if (state === '53200' && /shared memory/i.test(String((thrown as Raw).message))) {
      return make('TARGET_IO', 'the database server has no room for more locks', {
        hint: 'raise max_locks_per_transaction of the server, or copy with fewer --workers; then run the same command again',
        retryable: true,
      })
    }
    if (state === '53200') {
      return make('TARGET_IO', 'the database server ran out of memory', { retryable: true, hint: NO_RETRY_HINT })
    }
    return make(...spaceExhausted({}, `, then ${NO_RETRY_HINT}`))
  }
  if (isOvertaken(thrown)) {
    return make('TARGET_BUSY', 'the database is busy with another transaction on the same rows', {
      reason: state === '55P03' ? 'another session holds a lock' : 'two transactions blocked each other',
      hint: 'wait until the other one ends, then run the same command again',
      retryable: true,
    })
  }
  if (state === 'XX001' || state === 'XX002') {
    return make('TARGET_CORRUPT', 'the database reports damage', {
      hint: 'restore it from a backup, or name another database and import again: the Delta logs still have all data',
    })
  }
  if (state === 'XX000') {
    return make('TARGET_IO', 'the database server reports an internal error', {
      hint: `if it fails again, search the server's log for this error; else ${NO_RETRY_HINT}`,
    })
  }
  if (state === '22021' || state === '22P05') {
    return make('VALUE_REFUSED', 'the database cannot store a character of this value', {
      reason: 'PostgreSQL cannot store NUL characters or invalid UTF-8 in texts',
      hint: 'clean the value at its source',
    })
  }
  if (state === '57014') {
    return make('TARGET_IO', 'the database cancelled a statement', {
      reason: 'it reached statement_timeout, or an administrator cancelled it',
      hint: `raise statement_timeout, then ${NO_RETRY_HINT}`,
      retryable: true,
    })
  }
  if (state === '26000' || state === '42P05') {
    return make('TARGET_IO', 'a prepared statement was lost', {
      reason: 'a connection pooler gives out another session each time',
      hint: 'add prepare=off to the database URL',
    })
  }
  if (state.startsWith('58')) {
    return make('TARGET_IO', 'reading or writing failed at the database server', {
      hint: `check its disk, then ${NO_RETRY_HINT}`,
      retryable: true,
    })
  }
  return thrown
}

/** Final error of connecting, after the last try. */
export function postgresConnectFailed(thrown: unknown, settings: PostgresSettings): SluiceError {
  if (thrown instanceof SluiceError && thrown.code !== 'CONNECTION_LOST') return thrown
  const cause = thrown instanceof SluiceError ? thrown.cause : thrown
  const tls = tlsError(cause, settings.label)
  if (tls !== null) return tls
  const details = { where: whereOf(cause, settings), retryable: isConnectionLoss(cause), cause }
  const missing = missingIn(cause, settings)
  if (missing !== null) return new SluiceError(...databaseMissing(...missing, details))
  const why = whyNotConnected(cause, settings)
  const said = why === null ? {} : { reason: why[0], hint: why[1] }
  return new SluiceError(...connectionFailed({ ...said, ...details }))
}

function whyNotConnected(cause: unknown, settings: PostgresSettings): NoConnectionCause | null {
  const { host, port, user, connectTimeoutMs: waitedMs } = settings
  const place = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host.includes(':') ? `[${host}]` : host}:${port}`
  const message = String(rawOf(cause)?.message)
  const state = sqlStateOf(cause)
  // Without a password, the driver fails itself, or the server refuses the login.
  if (settings.password() === null && (state === '28P01' || /^SASL: .*password/.test(message)))
    return noPassword(settings)
  if (state === '28P01') {
    const hint = `the password is taken from the URL, a service (PGSERVICE), PGPASSWORD or the password file (.pgpass), in this order`
    return [`the server refuses the password of ${user}, or has no role of this name`, hint]
  }
  if (state === '28000' && message.startsWith('no pg_hba.conf entry')) {
    const hint = /(?:SSL off|no encryption)/.test(message)
      ? 'write sslmode=require if the server accepts only encrypted connections, or add a line to pg_hba.conf'
      : 'add a line to pg_hba.conf for this user, database and address'
    return [`the server refuses ${user} from this machine`, hint]
  }
  if (state === '53300') return ['the server has too many connections', 'wait, or raise its max_connections']
  if (state === '57P03') return ['the server is starting or stopping', 'wait until it is up']
  if (state !== null) return null
  const isLate = /^timeout ex(?:pired|ceeded)|due to connection timeout/.test(message)
  const isCut = message.startsWith('Connection terminated')
  const code = isLate ? 'ETIMEDOUT' : isCut ? 'ECONNRESET' : networkCodeOf(cause)
  return code === null ? null : networkCause({ code, place, waitedMs })
}

function noPassword({ host, port, user, database, ignoredPasswordFile }: PostgresSettings): NoConnectionCause {
  const reason = `the server asks for the password of ${user}, and none was given`
  if (ignoredPasswordFile !== null) {
    return [
      reason,
      `${ignoredPasswordFile} is ignored, because other users can read it: chmod 600 ${ignoredPasswordFile}`,
    ]
  }
  const line = `${host.startsWith('/') ? 'localhost' : host}:${port}:${database}:${user}:PASSWORD`
  return [reason, `set PGPASSWORD, or write ${line} into ~/.pgpass (mode 600), or a password into the URL`]
}

/**
 * Reason and hint if the server lacks the database, the role or its right to connect; null otherwise. With password
 * authentication, the server reports a missing role as a wrong password, by design.
 */
function missingIn(
  cause: unknown,
  { user, database }: PostgresSettings,
): readonly [reason: string, hint: string] | null {
  const state = sqlStateOf(cause)
  if (state === '42501' && String(rawOf(cause)?.message).startsWith('permission denied for database')) {
    return [
      `${user} may not connect to this database`,
      `as the owner of the database or a superuser: GRANT CONNECT ON DATABASE ${quotedName(database)} TO ${quotedName(user)}`,
    ]
  }
  if (state === '3D000') {
    return [
      'the server has no database of this name',
      'Check database URL: the database name follows the host; psql --list shows all databases',
    ]
  }
  if (state === '28000' && /^role .* does not exist$/.test(String(rawOf(cause)?.message))) {
    return [
      'the server has no role of this name',
      'Check database URL: the role is before the @; without one it is the name of your account here',
    ]
  }
  return null
}

export function connectionLost(thrown: unknown, settings: PostgresSettings): SluiceError {
  const isFull = sqlStateOf(thrown) === '53300'
  return new SluiceError('CONNECTION_LOST', 'the connection to the database broke', {
    where: whereOf(thrown, settings),
    reason: isFull ? 'the server has too many connections' : 'the server stopped or restarted, or the network failed',
    hint: `${isFull ? 'raise its max_connections, or use fewer workers' : 'check the server'}, then ${NO_RETRY_HINT}`,
    retryable: true,
    cause: thrown,
  })
}

/** The error of the driver, also if it is the cause of a SluiceError; null for other errors. */
function rawOf(error: unknown): Raw | null {
  let at: unknown = error
  while (at instanceof SluiceError) {
    if (!WRAPPERS.has(at.code)) return null
    at = at.cause
  }
  return at instanceof Error ? at : null
}

function whereOf(thrown: unknown, settings: PostgresSettings): string {
  const { code, message } = thrown as Raw
  // If all addresses of a host name fail, the AggregateError has no message of its own.
  const parts =
    thrown instanceof AggregateError ? (thrown.errors as readonly Raw[]).map((one) => one.message) : [message]
  const text = `${settings.label}: ${parts.map(String).join('; ')}${typeof code === 'string' ? ` (${code})` : ''}`
  return redactText(text, settings.secrets)
}

/** Error for a pooler that shares server processes. @param reason sentence that says why one process is needed */
export function pooled(settings: PostgresSettings, reason: string): SluiceError {
  return new SluiceError(
    'CONNECT_FAILED',
    'the connection pooler uses a different server session for each transaction',
    {
      where: settings.label,
      reason,
      hint: 'connect directly to the server, or through a pool in session mode',
    },
  )
}
