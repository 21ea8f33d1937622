/** Maps SQLite's result codes to SluiceError, with the texts of shared/guide-errors.ts where they fit. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'
import { isFolderPath } from '../../shared/folder.ts'
import { connectionFailed, databaseMissing, permissionDenied, spaceExhausted } from '../../shared/guide-errors.ts'

/** The driver's code of an error; empty if it has none. */
export function sqliteCode(thrown: unknown): string {
  const { code } = thrown as { readonly code?: unknown }
  return typeof code === 'string' ? code : ''
}

type Coded = { readonly code?: unknown; readonly message?: unknown }

type Access = 'no folder' | 'missing' | 'denied' | 'there'

/** Reason and hint for a file that does not exist. */
const NOT_THERE: Partial<Readonly<Record<Access, readonly [reason: string, hint: string]>>> = {
  missing: ['The file does not exist', 'Check database URL; the first import creates the catalog'],
}

/** Reason and hint for a missing folder. Three slashes begin a relative path, but users often mean the root. */
function folderMissing(label: string): readonly [reason: string, hint: string] {
  const path = label.slice('sqlite:///'.length)
  const hint = 'Check database URL; the folder of the file must exist'
  const isMeant = !path.startsWith('/') && isFolderPath(dirname(`/${path}`)) && dirname(`/${path}`) !== '/'
  return [
    `The folder of the file does not exist: ${missingFolder(label) ?? ''}`,
    isMeant ? `${hint}. sqlite:///${path} starts at this folder, sqlite:////${path} at the root` : hint,
  ]
}

/**
 * The absolute folder of a database file, if this folder does not exist; null otherwise.
 * @param label URL of the database
 */
export function missingFolder(label: string): string | null {
  const folder = dirname(resolve(label.replace(/^\w+:\/\/\//, '')))
  return isFolderPath(folder) ? null : folder
}

/** The absolute path of the database file; null if the database is not a file. @param label URL of the database */
function fileOf(label: string): string | null {
  return label.startsWith('sqlite:///') ? resolve(label.slice('sqlite:///'.length)) : null
}

/**
 * Reason why a database file cannot be opened: SQLite does not report the reason. Reading, too, needs a writable
 * folder, because of the WAL files.
 */
function accessOf(label: string): Access {
  const file = fileOf(label)
  if (file === null) return 'there'
  const folder = dirname(file)
  if (!isFolderPath(folder)) return 'no folder'
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    if (!existsSync(file)) return 'missing'
    accessSync(file, constants.R_OK | constants.W_OK)
    return 'there'
  } catch {
    return 'denied'
  }
}

/** Bytes of the shared memory file in WAL mode; if the disk has no space for it, SQLite reports an I/O error. */
const SHM_BYTES = 32_768

/** True if the disk has no free space for the files that SQLite keeps next to the database. */
function isDiskFull(label: string): boolean {
  const file = fileOf(label)
  if (file === null) return false
  try {
    const { bavail, bsize } = statfsSync(dirname(file))
    return bavail * bsize < SHM_BYTES
  } catch {
    return false
  }
}

/** @returns a SluiceError with a code for a target; an error that is not SQLite's is returned unchanged */
export function sqliteError(thrown: unknown, label: string): unknown {
  if (thrown instanceof SluiceError) return thrown
  const { message } = thrown as Coded
  let { code } = thrown as Coded
  // The driver checks the folder itself, and its error has no code.
  if (thrown instanceof TypeError && thrown.message.startsWith('Cannot open database')) code = 'SQLITE_CANTOPEN'
  if (typeof code !== 'string' || !(code.startsWith('SQLITE_') || code.startsWith('E'))) return thrown
  const where = `${label}: ${String(message)} (${code})`
  const isIo = code.startsWith('SQLITE_IOERR')
  if (
    code === 'SQLITE_FULL' ||
    code === 'ENOSPC' ||
    /disk is full|no space/i.test(String(message)) ||
    (isIo && isDiskFull(label))
  ) {
    const more = ', then run the same command again: it continues where it stopped'
    return new SluiceError(...spaceExhausted({ where, cause: thrown }, more))
  }
  const opening = /^(SQLITE_CANTOPEN|ENOENT|ENOTDIR|EISDIR)/.test(code)
  const there = opening ? accessOf(label) : 'missing'
  if (there === 'denied' || /^(SQLITE_READONLY|SQLITE_PERM|SQLITE_AUTH|EACCES|EPERM|EROFS)/.test(code)) {
    return new SluiceError(...permissionDenied('TARGET_DENIED', { where, cause: thrown }))
  }
  if (/^(SQLITE_BUSY|SQLITE_LOCKED)/.test(code)) {
    return new SluiceError('TARGET_BUSY', 'the catalog is locked by another program', {
      where,
      reason: 'another process holds a write transaction on this file',
      hint: 'wait until it ends, then run the same command again',
      retryable: true,
      cause: thrown,
    })
  }
  if (/^(SQLITE_CORRUPT|SQLITE_NOTADB)/.test(code)) {
    return new SluiceError('TARGET_CORRUPT', 'the catalog file is damaged or is not a SQLite database', {
      where,
      hint: 'restore it from a backup, or name another file and import again: the Delta logs still have all data',
      cause: thrown,
    })
  }
  if (opening) {
    const missing = there === 'no folder' ? folderMissing(label) : NOT_THERE[there]
    const details = { where, cause: thrown }
    return new SluiceError(
      ...(missing === undefined ? connectionFailed(details) : databaseMissing(...missing, details)),
    )
  }
  if (isIo) {
    return new SluiceError('TARGET_IO', 'reading or writing the catalog file failed', {
      where,
      hint: 'check the disk, then run the same command again: it continues where it stopped',
      retryable: true,
      cause: thrown,
    })
  }
  return thrown
}
