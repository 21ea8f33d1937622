/** Classifies errors of a copy: by side (source or target), and by cause (a row, a table or the server). */
import { tableText } from '../../../model/copy/column-type.ts'
import { conditionHint } from '../../common/query-errors.ts'
import { StoredKeyError } from '../../common/as-stored.ts'
import { MemberRefused, ValueTaken } from '../../common/refusals.ts'
import { SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import { isPostgresReadOnly, lacksIdentity, postgresError, sqlStateOf } from './server-errors.ts'
import { missingRight } from './missing-right.ts'
import type { PostgresSettings } from './settings.ts'
import { literal } from './sql.ts'

/** Fields of a server's error. */
export type ServerError = {
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  readonly where?: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly constraint?: string
  readonly routine?: string
}

const OF_SOURCE: Partial<Record<ErrorCode, ErrorCode>> = {
  TARGET_DENIED: 'SOURCE_DENIED',
  TARGET_IO: 'SOURCE_IO',
  TARGET_BUSY: 'SOURCE_IO',
  TARGET_CORRUPT: 'SOURCE_IO',
}

/**
 * SQLSTATEs of a syntax error and of a missing column. Their hint says that a name in the condition may lack its
 * quotes.
 */
const NAMES: ReadonlySet<string> = new Set(['42601', '42703'])

/**
 * @param where the user's condition, if it was part of the statement: a mistake in the statement is then BAD_PREDICATE
 * @returns a SluiceError of the source, unless the error is not from the database
 */
export function postgresSourceError(thrown: unknown, settings: PostgresSettings, where: string | null = null): unknown {
  if (thrown instanceof StoredKeyError) return thrown
  const state = sqlStateOf(thrown)
  if (thrown instanceof SluiceError && state === null) return ofSource(thrown)
  const server = serverError(thrown)
  if (state !== null && server !== null) {
    if (where !== null && isMistake(state)) {
      return new SluiceError('BAD_PREDICATE', `the condition cannot be used: ${server.message}`, {
        where,
        ...(NAMES.has(state) ? { hint: conditionHint('PostgreSQL') } : {}),
        ...(server.hint === undefined ? {} : { reason: server.hint }),
        cause: thrown,
      })
    }
    if (state === '42501') return denied('SOURCE_DENIED', server, settings, thrown)
    if (state === '55P03') return locked(settings, thrown)
    if (/^42(?:P01|703|704)|^3F000/.test(state)) {
      return new SluiceError('SOURCE_GONE', server.message, {
        where: settings.label,
        reason: 'the table has changed since it was planned, or was dropped',
        hint: 'run the same command again',
        cause: thrown,
      })
    }
  }
  const known = postgresError(thrown, settings)
  if (known instanceof SluiceError) return ofSource(known, state !== null && /^(?:XX|58)/.test(state) ? server : null)
  if (server === null || state === null) return known
  return new SluiceError('SOURCE_IO', server.message, { where: `${settings.label} (${state})`, cause: thrown })
}

/** @returns a SluiceError, unless the error is not from the database */
export function postgresTargetError(thrown: unknown, settings: PostgresSettings, table: string): unknown {
  const state = sqlStateOf(thrown)
  const server = serverError(thrown)
  if (
    state === null ||
    server === null ||
    thrown instanceof SluiceError ||
    isPostgresReadOnly(thrown) ||
    lacksIdentity(thrown)
  )
    return postgresError(thrown, settings)
  if (/^2[23]|^P0|^(?:21000|44000|54000)$/.test(state)) {
    const details = {
      where: [table, server.where].filter((part) => part !== undefined && part !== '').join(': '),
      ...reasonOf(server),
      cause: thrown,
    }
    if (state === '23503')
      return new SluiceError('ROW_REFUSED', server.message, { ...details, hint: foreignKeyHint(server.message) })
    if (state === '23505' || state === '23P01') return new ValueTaken(server.message, details)
    if (server.routine === 'ExecFindPartition') {
      const hint = 'create a partition for it (CREATE TABLE … PARTITION OF …), then run the same command again'
      return new SluiceError('ROW_REFUSED', server.message, { ...details, hint })
    }
    const member = memberOf(server)
    if (member === null) return new SluiceError('ROW_REFUSED', server.message, details)
    return new MemberRefused(member, server.message, { ...details, hint: `at the target: ${member.add}${PLACE}` })
  }
  if (state === '42501') return denied('TARGET_DENIED', server, settings, thrown)
  if (state.startsWith('42') || state === '0A000' || state === '55000' || state === '3F000') {
    // 42P10: no unique index has exactly the columns of ON CONFLICT.
    const hint = state === '42P10' ? { hint: 'create a unique index on exactly the columns of the key' } : {}
    return new SluiceError('TABLE_REFUSED', server.message, {
      where: table,
      ...reasonOf(server),
      ...hint,
      cause: thrown,
    })
  }
  return postgresError(thrown, settings)
}

/** Error after a lock timeout of a reader: only an ACCESS EXCLUSIVE lock makes a reader wait. */
function locked({ label, lockWaitMs }: PostgresSettings, cause: unknown): SluiceError {
  const time = lockWaitMs === undefined ? 'too long' : `longer than ${(lockWaitMs / 1000).toFixed(1)} seconds`
  return new SluiceError('TARGET_BUSY', `other sessions lock a table for ${time}`, {
    where: label,
    reason: 'a table that is altered or locked by another session cannot be read',
    hint: 'end the long open transaction (SELECT pid, query FROM pg_stat_activity ORDER BY xact_start), then run the same command again',
    retryable: true,
    cause,
  })
}

/** Error if the snapshot, or the session that held it, is lost: the source must be read from a new snapshot. */
export function viewLost(settings: PostgresSettings, cause: unknown): SluiceError {
  return new SluiceError('CONNECTION_LOST', 'the snapshot of the source was lost', {
    where: settings.label,
    reason: 'the connection that held it broke, or the server was restarted',
    hint: 'run the same command again: it continues where it stopped',
    kind: 'source',
    retryable: true,
    cause,
  })
}

/**
 * Error after all sessions of a snapshot were closed, because another session waits for an exclusive lock.
 * @param table as the server spells it
 */
export function tableWanted(settings: PostgresSettings, table: string): SluiceError {
  return new SluiceError(
    'SOURCE_BUSY',
    `another session waits for an exclusive lock on ${table} (TRUNCATE, ALTER TABLE, LOCK)`,
    {
      where: settings.label,
      reason: 'reads of the copy held a lock on the table, and all writers would have waited behind that session',
      hint: 'run the same command again: it continues where it stopped',
      retryable: true,
    },
  )
}

function ofSource(error: SluiceError, server: ServerError | null = null): SluiceError {
  if (error.kind !== 'target') return error
  return new SluiceError(OF_SOURCE[error.code] ?? error.code, server?.message ?? error.message, {
    kind: 'source',
    // A reader's session stays read-only, so a retry does not help.
    retryable: error.retryable && error.code !== 'TARGET_DENIED',
    where: error.where,
    reason: error.reason,
    // The hint for a damaged target does not apply to a source.
    ...(error.hint === undefined || error.code === 'TARGET_CORRUPT' ? {} : { hint: error.hint }),
    cause: error.cause,
  })
}

function denied(code: ErrorCode, server: ServerError, settings: PostgresSettings, cause: unknown): SluiceError {
  const hidden = server.message.includes('row-level security')
  const use = code === 'SOURCE_DENIED' ? 'read' : 'write'
  return new SluiceError(code, server.message, {
    where: settings.label,
    hint: hidden
      ? hiddenHint(server)
      : (missingRight(server.message, settings.user, use) ??
        `GRANT ${use === 'read' ? 'SELECT' : 'SELECT, INSERT, UPDATE, DELETE'} on the table, and USAGE on its schema`),
    cause,
  })
}

/** Hint for a table whose row policies apply to this role. The server's hint shows if they apply to the owner, too. */
export function hiddenHint({ hint = '' }: Pick<ServerError, 'hint'>): string {
  const owner = hint.includes('NO FORCE ROW LEVEL SECURITY')
    ? 'or, as its owner, ALTER TABLE … NO FORCE ROW LEVEL SECURITY first'
    : 'or as the owner of the table, unless its row security is forced'
  return `rows would be left out without an error: connect as a role with BYPASSRLS, ${owner}`
}

/** True if the text of a statement caused the error, not the state of the server. */
function isMistake(state: string): boolean {
  return /^(?:0A|21|22|25006|2F|38|39|42|P0)/.test(state) && state !== '42501'
}

const PLACE = ', with BEFORE or AFTER another value unless it is the last one in the source: the order sorts keys'

/** Type and value of a refused enum member, which only the server's message contains; null for other errors. */
function memberOf({ message }: ServerError): Pick<MemberRefused, 'what' | 'rename' | 'add'> | null {
  const [, type = '', value = ''] = /^invalid input value for enum (.+?): "(.*)"$/s.exec(message) ?? []
  if (type === '') return null
  const text = literal(value)
  return {
    what: `${text} is not a member of ${type}`,
    rename: `ALTER TYPE ${type} RENAME VALUE 'NEW_NAME' TO ${text}`,
    add: `ALTER TYPE ${type} ADD VALUE ${text}`,
  }
}

function reasonOf({ detail, constraint, column }: ServerError): { readonly reason?: string } {
  const parts = [
    ...(constraint === undefined ? [] : [`constraint ${constraint}`]),
    ...(column === undefined ? [] : [`column ${column}`]),
    ...(detail === undefined ? [] : [detail]),
  ]
  return parts.length === 0 ? {} : { reason: parts.join(': ') }
}

/**
 * The table that the server's error names; null if it names none. Errors of constraints checked at the commit name the
 * table.
 */
export function tableOfError(thrown: unknown): string | null {
  const { schema, table } = serverError(thrown) ?? {}
  return schema === undefined || table === undefined ? null : tableText({ schema, name: table })
}

function serverError(thrown: unknown): ServerError | null {
  return sqlStateOf(thrown) !== null && !(thrown instanceof SluiceError) ? (thrown as ServerError) : null
}

/**
 * Hint for a foreign key violation: a written row refers to a missing row, or other rows refer to a removed row. If
 * the message does not show which, the hint covers both.
 */
export function foreignKeyHint(message: string): string {
  const lacking =
    'these rows refer to a missing row: write that row first, or drop the foreign key, then run the same command again'
  const referred = 'rows of another table refer to these rows: archive or delete the referring rows first'
  if (message.startsWith('insert or update')) return lacking
  return message.startsWith('update or delete') ? referred : `${lacking}; or ${referred}`
}
