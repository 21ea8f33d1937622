/** Maps SQLite's result codes to errors of copies. */
import { SluiceError, type ErrorCode, type ErrorKind } from '../../../shared/errors.ts'
import { fileHint } from '../../common/not-connected.ts'
import { missingFolder, sqliteError } from '../errors.ts'

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
  const { where } = known
  const folder = known.code === 'CONNECT_FAILED' ? missingFolder(label) : null
  return new SluiceError(known.code, words?.message ?? known.message, {
    kind: kindOn(side, known.kind),
    retryable: known.retryable,
    cause: thrown,
    where,
    ...reasonOf(folder === null ? undefined : `there is no folder ${folder}`),
    ...reasonOf(words?.reason ?? (words === undefined ? known.reason : undefined)),
    ...(words === undefined ? hintOf(known.hint) : { hint: words.hint }),
  })
}

/** True for errors of a single row: it is refused, and others may be accepted. */
export function isSqliteRowError(thrown: unknown): boolean {
  if (thrown instanceof RangeError) return /too (?:big|large|long)/i.test(thrown.message)
  const { code } = thrown as { readonly code?: unknown }
  return typeof code === 'string' && /^SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG)/.test(code)
}

function kindOn(side: SqliteCopySide, kind: ErrorKind): ErrorKind {
  return kind === 'target' ? side : kind
}

function reasonOf(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason }
}

function hintOf(hint: string | undefined): { readonly hint?: string } {
  return hint === undefined ? {} : { hint }
}
