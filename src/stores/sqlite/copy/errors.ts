/** Maps SQLite's result codes to errors of copies. */
import { SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import { fileHint } from '../../common/not-connected.ts'
import { rowRefused, tableRefused } from '../../common/refusals.ts'
import { missingFolder, sqliteCode, sqliteError } from '../errors.ts'

export type SqliteCopySide = 'source' | 'target'

type Words = { readonly message: string; readonly reason?: string; readonly hint: string }

const AGAIN = 'then run the same command again: it continues where it stopped'

const WORDS: Partial<Readonly<Record<ErrorCode, Words>>> = {
  TARGET_BUSY: {
    message: 'the database is locked by another program',
    reason: 'SQLite has one writer at a time, and without WAL other sessions cannot read during a write',
    hint: `wait until it ends, ${AGAIN}`,
  },
  TARGET_CORRUPT: {
    message: 'the file is damaged or is not a SQLite database',
    hint: 'restore it from a backup, or name another file',
  },
  TARGET_IO: { message: 'reading or writing the database file failed', hint: `check the disk, ${AGAIN}` },
  TARGET_DENIED: {
    message: 'this user has too few rights on the database file',
    reason:
      'a copy needs to read its source and to write its target, and also their folders, for the files next to the database',
    hint: 'check the rights of the file and of its folder',
  },
  CONNECT_FAILED: {
    message: 'the database file cannot be opened',
    hint: fileHint('sqlite'),
  },
}

/** @returns a SluiceError of that side; an error that is not SQLite's is returned unchanged */
export function sqliteCopyError(thrown: unknown, label: string, side: SqliteCopySide): unknown {
  const known = sqliteError(thrown, label)
  if (!(known instanceof SluiceError) || known === thrown) return known
  const words = WORDS[known.code]
  const folder = known.code === 'CONNECT_FAILED' ? missingFolder(label) : null
  return new SluiceError(known.code, words?.message ?? known.message, {
    kind: known.kind === 'target' ? side : known.kind,
    retryable: known.retryable,
    cause: thrown,
    where: known.where,
    reason:
      (words === undefined ? known.reason : words.reason) ??
      (folder === null ? undefined : `there is no folder ${folder}`),
    hint: words === undefined ? known.hint : words.hint,
  })
}

/** True for errors of a single row: this row is refused, but other rows may be accepted. */
export function isSqliteRowError(thrown: unknown): boolean {
  if (thrown instanceof RangeError) return /too (?:big|large|long)/i.test(thrown.message)
  return /^SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG)/.test(sqliteCode(thrown))
}

/** An error while rows of a table were written. @param table empty for an error that is about no table */
export function sqliteRefusal(error: unknown, label: string, table: string): unknown {
  const { message } = error as { readonly message: string }
  const code = sqliteCode(error)
  const refused = { system: 'SQLite', label, table, message, cause: error }
  if (table !== '' && code === 'SQLITE_ERROR') return tableRefused(refused)
  if (error instanceof SluiceError || !isSqliteRowError(error)) return sqliteCopyError(error, label, 'target')
  return rowRefused(refused, code === '' ? undefined : code, code === 'SQLITE_CONSTRAINT_UNIQUE')
}
