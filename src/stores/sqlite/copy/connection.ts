/** The connection that writes a target. */
import { existsSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { Turn } from '../../../model/run/turn.ts'
import type { ListRows } from '../../common/sqlite-dialect/object-list.ts'
import { BUSY_TIMEOUT_MS, rowsOf } from '../reader.ts'
import { useWal } from '../sql-database.ts'
import { sqliteCopyError, type SqliteCopySide } from './errors.ts'
import { sqliteCode } from '../errors.ts'

const POLL_MS = 25

/** Shared by all parts of a store that is a database file. */
export type SqliteParts = {
  readonly reader: () => Database.Database
  /** Called for each transaction. @throws Error if the database was opened for reading; SluiceError of `OpenPath` */
  readonly writer: () => Database.Database
  /** Lock that is taken while the writer is in a transaction. */
  readonly turn: Turn
  readonly label: string
  readonly side: SqliteCopySide
}

export type SqliteWriter = { readonly connection: Database.Database; readonly restore: () => void }

/**
 * Opens a file for writing, and creates a missing one. In WAL mode, readers see the last commit while a chunk is
 * written. `synchronous = NORMAL` waits for the disk only at checkpoints, so a power cut may lose the last commits, but
 * only whole ones. Rows and ledger are in one file, so they stay consistent: chunks that were lost are missing in the
 * ledger too, and are copied again.
 */
export function openSqliteWriter(file: string): SqliteWriter {
  const fresh = !existsSync(file) || statSync(file).size === 0
  // Short, because the driver blocks this whole process while it waits for a lock; writers wait in `beginWrite`.
  const connection = new Database(file, { timeout: 200 })
  try {
    if (fresh) connection.pragma('page_size = 8192')
    const before = String(connection.pragma('journal_mode', { simple: true }))
    useWal(connection)
    connection.pragma('synchronous = NORMAL')
    connection.pragma('wal_autocheckpoint = 4000')
    connection.pragma('cache_size = -32768')
    // Tables are copied one after the other: a row may come before the row it refers to, and deleting a range must not
    // delete rows of other tables.
    connection.pragma('foreign_keys = OFF')
    return { connection, restore: () => restoreMode(connection, before) }
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Restores the journal mode, so that the database is one file again; has no effect if another program has it open. */
function restoreMode(connection: Database.Database, before: string): void {
  if (before === 'wal') return
  try {
    connection.pragma(`journal_mode = ${before}`)
  } catch {
    // The file stays in WAL mode. It can be read and written in this mode, too.
  }
}

/** Begins a write transaction as soon as no other program has one. @throws the driver's error after ten seconds */
export async function beginWrite(connection: Database.Database, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + BUSY_TIMEOUT_MS
  for (;;) {
    if (signal !== undefined) throwIfAborted(signal)
    try {
      connection.exec('BEGIN IMMEDIATE')
      return
    } catch (error) {
      if (!sqliteCode(error).startsWith('SQLITE_BUSY') || performance.now() > deadline) throw error
    }
    await sleep(POLL_MS)
  }
}

/** Rolls back, unless the transaction has already ended by itself, as after an error for a full disk. */
export function rollBack(connection: Database.Database): void {
  if (connection.inTransaction) connection.exec('ROLLBACK')
}

/**
 * Runs the body in its own write transaction; the body is synchronous, so nothing else runs meanwhile. @throws the
 * driver's error after ten seconds without the lock
 */
export async function written<T>(connection: Database.Database, body: () => T, signal?: AbortSignal): Promise<T> {
  await beginWrite(connection, signal)
  try {
    const result = body()
    connection.exec('COMMIT')
    return result
  } finally {
    rollBack(connection)
  }
}

/** As `written`, with the writer of a store, after its earlier transactions have ended. @throws as for a target */
export async function writtenInTurn<T>(
  { writer, turn, label }: SqliteParts,
  body: (connection: Database.Database) => T,
  signal?: AbortSignal,
): Promise<T> {
  return await turn.take(async () => {
    if (signal !== undefined) throwIfAborted(signal)
    try {
      const connection = writer()
      return await written(connection, () => body(connection), signal)
    } catch (error) {
      throw sqliteCopyError(error, label, 'target')
    }
  })
}

/** Returns a function that runs queries on the reading connection of a store. */
export function sqliteListRows({ reader, label, side }: SqliteParts): ListRows {
  return async (queries, signal) => {
    throwIfAborted(signal)
    try {
      return queries.map(({ sql, parameters }) => rowsOf(reader(), sql, parameters))
    } catch (error) {
      throw sqliteCopyError(error, label, side)
    }
  }
}

/** Runs the body with a connection that is closed afterwards. @throws SluiceError of a source */
export async function withConnection<T>(
  open: () => Database.Database,
  label: string,
  signal: AbortSignal,
  body: (connection: Database.Database) => T | Promise<T>,
): Promise<T> {
  throwIfAborted(signal)
  try {
    const connection = open()
    try {
      return await body(connection)
    } finally {
      connection.close()
    }
  } catch (error) {
    throw sqliteCopyError(error, label, 'source')
  }
}

/** Runs the statements that close a chunk. @returns false if the first one changes no row: the chunk is fenced */
export function closesChunk(connection: Database.Database, statements: readonly Statement[]): boolean {
  for (const [i, { sql, parameters }] of statements.entries()) {
    const statement = connection.prepare(sql)
    const changed = statement.reader ? statement.all(...parameters).length : statement.run(...parameters).changes
    if (i === 0 && changed !== 1) return false
  }
  return true
}
