/** The connection that writes a target. */
import { existsSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { throwIfAborted } from '../../../shared/abort.ts'
import { BUSY_TIMEOUT_MS } from '../reader.ts'
import { useWal } from '../sql-database.ts'

const LOOK_MS = 25

export type Writer = { readonly connection: Database.Database; readonly restore: () => void }

/**
 * Opens a file for writing, and makes it where it is missing. In WAL mode readers see the last commit while a chunk is written, and
 * `synchronous = NORMAL` waits for the disk at checkpoints only: a power cut may take the last commits, but takes them whole, and since rows and
 * ledger are one file they stay in step. What the ledger then lacks is copied again.
 */
export function openWriter(file: string): Writer {
  const fresh = !existsSync(file) || statSync(file).size === 0
  // The driver waits for locks within the call, and nothing else would run meanwhile: whoever writes waits outside (`beginWrite`).
  const connection = new Database(file, { timeout: 200 })
  try {
    if (fresh) connection.pragma('page_size = 8192')
    const before = String(connection.pragma('journal_mode', { simple: true }))
    useWal(connection)
    connection.pragma('synchronous = NORMAL')
    connection.pragma('wal_autocheckpoint = 4000')
    connection.pragma('cache_size = -32768')
    // Tables come one after the other: a row may be there before the row it points to, and removing a range must not remove rows of other tables.
    connection.pragma('foreign_keys = OFF')
    return { connection, restore: () => restoreMode(connection, before) }
  } catch (error) {
    connection.close()
    throw error
  }
}

/** A database leaves in the journal mode it came in, so that it is one file again; unless somebody else has it open. */
function restoreMode(connection: Database.Database, before: string): void {
  if (before === 'wal') return
  try {
    connection.pragma(`journal_mode = ${before}`)
  } catch {
    // It stays in WAL mode, in which it can be read and written just as well.
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
      const { code } = error as { readonly code?: unknown }
      if (typeof code !== 'string' || !code.startsWith('SQLITE_BUSY') || performance.now() > deadline) throw error
    }
    await sleep(LOOK_MS)
  }
}

/** Where it has not ended by itself, as it does when the disk is full. */
export function rollback(connection: Database.Database): void {
  if (connection.inTransaction) connection.exec('ROLLBACK')
}
