/** Maps errors during a copy: by side, and by whether a row, a table or the server is the cause. */
import { StoredKeyError } from '../../common/as-stored.ts'
import { ValueTaken } from '../../common/refusals.ts'
import { SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import { mysqlFailure, isConnectionGone, isLockLost } from '../error-numbers.ts'

/** Error numbers: the table was altered since the snapshot, or does not exist. */
const GONE = new Set([1049, 1146, 1412])
/** Error numbers: a statement was killed, or exceeded a limit of the server. */
const INTERRUPTED = new Set([1028, 1317, 1969, 3024])
/** Error numbers: a row is at fault, because of a constraint, a type, a size, or a trigger that refuses it. */
const OF_ROW = new Set([
  139, 1048, 1062, 1118, 1138, 1153, 1216, 1217, 1264, 1265, 1292, 1300, 1365, 1366, 1367, 1406, 1411, 1416, 1451, 1452,
  1526, 1644, 1690, 1713, 1748, 3140, 3141, 3156, 3157, 3819, 3854, 3988, 4025, 4078,
])
const DUPLICATE = 1062
const DIVISION = 1365
const LOCK_WAIT = 1205
/** Error number if the server reads a `?` in a user's condition as a parameter. */
const WRONG_ARGUMENTS = 1210

const OF_SOURCE: Partial<Record<ErrorCode, ErrorCode>> = {
  TARGET_DENIED: 'SOURCE_DENIED',
  TARGET_IO: 'SOURCE_IO',
  TARGET_CORRUPT: 'SOURCE_IO',
  NO_SPACE: 'SOURCE_IO',
}

type ServerFailure = { readonly errno: number; readonly state: string; readonly message: string }

/** The server's error, also if it is the cause of a SluiceError. */
function serverFailureOf(thrown: unknown): ServerFailure | null {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const { errno, sqlState, sqlMessage } = error as {
      readonly errno?: unknown
      readonly sqlState?: unknown
      readonly sqlMessage?: unknown
    }
    if (typeof errno === 'number' && errno > 0 && typeof sqlMessage === 'string') {
      return { errno, state: typeof sqlState === 'string' ? sqlState : '', message: sqlMessage }
    }
  }
  return null
}

/**
 * @param condition of the user, if the statement has one: if the server refuses the statement, the error names it
 * @returns a SluiceError of the source's kind, or the error unchanged if it is not of the database
 */
export function mysqlSourceError(thrown: unknown, where: string, condition: string | null = null): unknown {
  if (isOwn(thrown) || thrown instanceof StoredKeyError) return thrown
  const failure = mysqlFailure(thrown instanceof SluiceError ? thrown.cause : thrown)
  const server = serverFailureOf(thrown)
  if (failure !== null && isConnectionGone(failure)) return sourceLost(where, thrown)
  if (server === null) return ofSource(thrown, where)
  const { errno, state, message } = server
  if (GONE.has(errno)) {
    return new SluiceError('SOURCE_GONE', message, {
      where,
      reason: 'the table was altered or dropped since it was planned',
      hint: 'run the same command again',
      cause: thrown,
    })
  }
  if (errno === LOCK_WAIT) {
    return new SluiceError('TARGET_BUSY', 'other sessions lock a table for too long', {
      where,
      reason: 'a table that is altered or locked by another session cannot be read',
      hint: 'end the session that locks the table (SHOW FULL PROCESSLIST lists the sessions), then run the same command again',
      retryable: true,
      cause: thrown,
    })
  }
  const passing = (failure !== null && isLockLost(failure)) || INTERRUPTED.has(errno)
  if (passing) return new SluiceError('SOURCE_IO', message, { where, retryable: true, cause: thrown })
  const denied = thrown instanceof SluiceError && thrown.code === 'TARGET_DENIED'
  if (condition !== null && !denied && (/^(?:21|22|42)/.test(state) || errno === WRONG_ARGUMENTS)) {
    return new SluiceError('BAD_PREDICATE', `the condition cannot be used: ${message}`, {
      where: condition,
      hint: 'write it in the SQL of the source, with names in double quotes and texts in single quotes',
      cause: thrown,
    })
  }
  return ofSource(thrown, where)
}

/** @returns a SluiceError, or the error unchanged if it is not of the database */
export function mysqlTargetError(thrown: unknown, where: string): unknown {
  if (isOwn(thrown))
    return thrown instanceof SluiceError && thrown.code === 'VALUE_REFUSED' ? asRow(thrown, where) : thrown
  const failure = mysqlFailure(thrown instanceof SluiceError ? thrown.cause : thrown)
  const server = serverFailureOf(thrown)
  if (server === null || failure === null || isConnectionGone(failure)) return thrown
  const { errno, state, message } = server
  if (isLockLost(failure) || INTERRUPTED.has(errno)) {
    return new SluiceError('TARGET_BUSY', message, {
      where,
      reason: 'another transaction locks the same rows, or another user ended the statement',
      retryable: true,
      cause: thrown,
    })
  }
  if (OF_ROW.has(errno)) {
    const details = { where, reason: `error ${errno} of the server`, hint: rowHint(errno), cause: thrown }
    return errno === DUPLICATE ? new ValueTaken(message, details) : new SluiceError('ROW_REFUSED', message, details)
  }
  if (thrown instanceof SluiceError && thrown.code !== 'TARGET_CORRUPT') return thrown
  const code = state.startsWith('42') || state === 'HY000' ? 'TABLE_REFUSED' : 'TARGET_IO'
  return new SluiceError(code, message, { where, reason: `error ${errno} of the server`, cause: thrown })
}

/**
 * Advice for a row that the server refused. 1216 and 1217 replace 1452 and 1451 for a login without a right on the
 * other table.
 * @param errno of the error or the warning
 */
export function rowHint(errno: number | undefined): string {
  if (errno === 1452 || errno === 1216)
    return 'the row refers to a missing row: write that row first, or drop the foreign key, then run the same command again'
  if (errno === 1526)
    return 'create a partition for it (ALTER TABLE … ADD PARTITION, or REORGANIZE PARTITION), then run the same command again'
  if (errno === 1451 || errno === 1217) return 'rows of another table refer to it: archive or delete those first'
  return 'compare the value with the type, the keys and the constraints of the table'
}

/** The snapshot is lost with its connection: a new view of the source is needed. */
export function sourceLost(where: string, cause: unknown): SluiceError {
  return new SluiceError('CONNECTION_LOST', 'the snapshot of the source was lost', {
    where,
    reason: 'a connection that held a snapshot broke, or the server was restarted',
    hint: 'run the same command again: it continues where it stopped',
    kind: 'source',
    retryable: true,
    cause,
  })
}

/**
 * Error of an upsert that divides by zero where a row with another key has a unique value of the row. Other errors are
 * returned unchanged.
 */
export function mysqlUpsertError(thrown: unknown, where: string): unknown {
  if (serverFailureOf(thrown)?.errno !== DIVISION) return thrown
  return new ValueTaken('a row with another key has a value of this row that must be unique', {
    where,
    hint: rowHint(DUPLICATE),
  })
}

export function mysqlRowRefused(message: string, where: string, hint?: string): SluiceError {
  return new SluiceError('ROW_REFUSED', message, { where, hint })
}

/** True for an error that was created here, not by a server. */
function isOwn(thrown: unknown): boolean {
  return thrown instanceof SluiceError && thrown.cause === undefined
}

function asRow({ message, reason, hint }: SluiceError, where: string): SluiceError {
  return new SluiceError('ROW_REFUSED', message, { where, reason, hint })
}

function ofSource(thrown: unknown, where: string): unknown {
  if (!(thrown instanceof SluiceError)) {
    const server = serverFailureOf(thrown)
    if (server === null) return thrown
    return new SluiceError('SOURCE_IO', server.message, {
      where,
      reason: `error ${server.errno} of the server`,
      cause: thrown,
    })
  }
  if (thrown.kind !== 'target') return thrown
  return new SluiceError(OF_SOURCE[thrown.code] ?? thrown.code, serverFailureOf(thrown)?.message ?? thrown.message, {
    where,
    kind: 'source',
    // Not retryable if a right is missing: a session for reading stays read-only.
    retryable: thrown.retryable && thrown.code !== 'TARGET_DENIED',
    reason: thrown.reason,
    cause: thrown,
  })
}
