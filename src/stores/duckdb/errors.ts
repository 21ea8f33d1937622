/**
 * Classifies DuckDB's errors for catalogs, copies and files by their cause: the machine, a row or a statement. DuckDB
 * has no error codes, so messages are classified by their first words. The caller adds the context.
 */
import { SluiceError, type ErrorCode } from '../../shared/errors.ts'
import { connectionFailed, databaseMissing, permissionDenied, spaceExhausted } from '../../shared/guide-errors.ts'
import { fileHint } from '../common/not-connected.ts'
import { rowRefused, tableRefused } from '../common/refusals.ts'

export type DuckdbCopySide = 'source' | 'target'

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** First line of an error about data: later lines may contain the row, which sluice must not print. */
export function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] ?? ''
}

/** The message as one line, without the copy of the statement and its caret. */
export function duckdbErrorLine(error: unknown): string {
  return (messageOf(error).split(/\n+LINE \d+:/)[0] ?? '').replaceAll(/\s*\n\s*/g, ' ').trim()
}

/** True if a disk is full, or the spill limit is reached. */
export function isDiskFull(error: unknown): boolean {
  return /no space left|max_temp_directory_size/i.test(messageOf(error))
}

/** True if the file system denies access. */
export function isDuckdbDenied(error: unknown): boolean {
  return /permission denied|read-only file system/i.test(messageOf(error))
}

/** True for errors about values: a row is refused, and others may be accepted. */
export function isDuckdbRowError(error: unknown): boolean {
  return /^(?:Constraint|Conversion|Out of Range|Invalid Input|Overflow) Error|^(?:TransactionContext Error: )?Failed to commit: .*(?:[Cc]onstraint|[Dd]uplicate)/.test(
    duckdbErrorLine(error),
  )
}

/** True for a mistake in a user's SQL expression. */
export function isExpressionError(error: unknown): boolean {
  return /^(?:Parser|Binder|Catalog|Conversion|Invalid Input|Out of Range|Not implemented|Invalid|Missing Extension) Error/.test(
    duckdbErrorLine(error),
  )
}

/** Error for a file that cannot be opened. @param label URL of the database */
export function duckdbConnectFailed(cause: unknown, label: string): SluiceError {
  const details = { where: `${label}: ${messageOf(cause)}`, cause }
  if (!/no such file/i.test(messageOf(cause))) return new SluiceError(...connectionFailed(details))
  const hint = 'Check database URL; the first import creates the catalog, in an existing folder'
  return new SluiceError(...databaseMissing('The file or its folder does not exist', hint, details))
}

/** Why this DuckDB cannot read a file, and a hint; null for any other error. */
function unreadableFile(message: string): readonly [message: string, hint: string] | null {
  const [, version, readable] = /database file with version number (\d+), .* versions (.+)\./.exec(message) ?? []
  if (version !== undefined && readable !== undefined) {
    return [
      `the file has the storage version ${version} of another DuckDB; this one reads the storage versions ${readable}`,
      `EXPORT DATABASE 'folder' with the DuckDB that wrote it, then IMPORT DATABASE 'folder' with a DuckDB that writes one of these storage versions`,
    ]
  }
  if (/Cannot open encrypted database/.test(message)) {
    return [
      'the file is encrypted, and sluice cannot open encrypted files',
      'ATTACH it with its key in DuckDB, and COPY FROM DATABASE to a file without one',
    ]
  }
  if (/sqlite_scanner/.test(message))
    return ['the file is a SQLite database, not one of DuckDB', 'use sqlite:///file.db for it']
  // Errors about rows and statements may contain these words: a column or a value may be named checksum.
  if (isDuckdbRowError(message) || /^(?:Parser|Binder) Error/.test(message)) return null
  return /not a valid DuckDB database|Corrupt database|Serialization Error|checksum|Could not read enough bytes|replaying WAL/i.test(
    message,
  )
    ? ['the file is damaged or is not a DuckDB database', 'restore it from a backup, or name another file']
    : null
}

/** Maps an error of a database file. Unknown errors are returned unchanged. */
export function duckdbError(error: unknown, label: string): unknown {
  const known = engineError(error, label)
  if (known instanceof SluiceError) return known
  const message = messageOf(error)
  const unreadable = unreadableFile(message)
  if (unreadable !== null) {
    const [said, hint] = unreadable
    return new SluiceError('TARGET_CORRUPT', said, { where: `${label}: ${firstLine(error)}`, hint, cause: error })
  }
  if (/^IO Error: Cannot open file|No such file or directory|Is a directory/.test(message))
    return duckdbConnectFailed(error, label)
  return error
}

/** Maps an error of a session, with or without a database file. Unknown errors are returned unchanged. */
export function engineError(error: unknown, label: string): unknown {
  if (error instanceof SluiceError) return error
  const message = messageOf(error)
  const where = `${label}: ${message}`
  if (/Could not set lock on file/.test(message)) {
    const pid = /\(PID (\d+)\)/.exec(message)?.[1]
    return new SluiceError('TARGET_BUSY', 'the DuckDB file is open in another program', {
      where,
      reason: `only one program at a time can open a DuckDB file${pid === undefined ? '' : `, now the one with PID ${pid}`}`,
      hint: 'wait until it ends or close it, then run the same command again',
      retryable: true,
      cause: error,
    })
  }
  if (/^TransactionContext Error: .*[Cc]onflict/.test(message)) {
    return new SluiceError('TARGET_BUSY', 'two writers changed the same rows', {
      where,
      hint: 'run the same command again',
      retryable: true,
      cause: error,
    })
  }
  if (isDiskFull(error) || /Out of Memory Error|failed to offload/i.test(message)) {
    const [code, , details] = spaceExhausted({ where, cause: error }, ', then run the same command again')
    return new SluiceError(code, 'DuckDB ran out of memory or of disk space', details)
  }
  if (/Permission denied|read-only/i.test(message)) {
    return new SluiceError(...permissionDenied('TARGET_DENIED', { where, cause: error }))
  }
  return error
}

const OF_COPIES: Partial<Readonly<Record<ErrorCode, string>>> = {
  CONNECT_FAILED: 'the database file cannot be opened',
}

/** Maps an error of a copy. @returns a SluiceError of this side; unknown errors are returned unchanged */
export function duckdbCopyError(thrown: unknown, label: string, side: DuckdbCopySide): unknown {
  const known = duckdbError(thrown, label)
  if (!(known instanceof SluiceError) || known === thrown) return known
  const { where, reason, hint } = known
  return new SluiceError(known.code, OF_COPIES[known.code] ?? known.message, {
    kind: known.kind === 'target' ? side : known.kind,
    retryable: known.retryable,
    cause: thrown,
    where,
    reason: known.code in OF_COPIES ? undefined : reason,
    hint: known.code === 'CONNECT_FAILED' ? fileHint('duckdb') : hint,
  })
}

/** An error while rows of a table were written. */
export function duckdbRefusal(error: unknown, label: string, table: string): unknown {
  const message = duckdbErrorLine(error)
  const refused = { system: 'DuckDB', label, table, message, cause: error }
  if (/^(?:Binder|Catalog) Error/.test(message)) return tableRefused(refused)
  if (error instanceof SluiceError || !isDuckdbRowError(error)) return duckdbCopyError(error, label, 'target')
  return rowRefused(refused, undefined, /\bduplicate key\b/i.test(message))
}
