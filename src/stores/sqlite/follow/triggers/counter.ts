/**
 * The counter of a stream in the file that it follows.
 *
 * SQLite has one writer at a time, and so everything is in one order. A fence adds 1 in a transaction of its own. A round takes the write lock, opens its
 * snapshot, adds 1 and commits: nobody commits between the snapshot and the number, so the snapshot shows exactly what was committed before that number, and a
 * round with a greater number than a fence shows all that was visible when the fence was taken.
 *
 * What is told is on the disk before it is told. With `synchronous = NORMAL`, which most programs use in WAL mode, a commit may be lost with the power; with FULL the
 * WAL is synced behind the commit (sqlite.org/pragma.html#pragma_synchronous: "FULL … in WAL mode … the WAL file is synced after each transaction commit"). A
 * WAL is one file that is only appended to and recovered from its beginning up to the first frame that is not whole (sqlite.org/walformat.html), so a synced commit of
 * ours has every commit before it on the disk, too, whoever wrote it; what was checkpointed before had been synced by whoever did that, unless with `synchronous = OFF`.
 */
import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { beginWrite, rollback } from '../../copy/connection.ts'
import { progressTable } from './log.ts'

/** The driver waits for locks within the call, and nothing else would run meanwhile. */
const LOCK_MS = 50

/** A connection that writes what a stream keeps, and whose commits are durable. @throws what the driver says */
export function openNoter(file: string): Database.Database {
  if (!existsSync(file)) throw Object.assign(new Error('there is no such file'), { code: 'SQLITE_CANTOPEN' })
  const connection = new Database(file, { timeout: LOCK_MS, fileMustExist: true })
  connection.pragma('synchronous = FULL')
  return connection
}

/** Does something in a write transaction of its own, without giving way to anybody meanwhile. @throws the driver's error after ten seconds without the lock */
export async function written<T>(connection: Database.Database, body: () => T, signal?: AbortSignal): Promise<T> {
  await beginWrite(connection, signal)
  try {
    const result = body()
    connection.exec('COMMIT')
    return result
  } finally {
    rollback(connection)
  }
}

/** Within a write transaction. @returns the new number; null where the row is gone */
export function counted(connection: Database.Database, stream: string): LogPosition | null {
  const sql = `UPDATE ${quote(progressTable(stream))} SET counter = counter + 1 WHERE one = 1 RETURNING counter`
  return (connection.prepare(sql).pluck().safeIntegers(true).get() as bigint | undefined) ?? null
}

export type Counted = { readonly token: string; readonly counter: LogPosition; readonly forgotten: LogPosition | null }

/** @returns null where table or row are gone */
export function counterNow(connection: Database.Database, stream: string): Counted | null {
  const name = progressTable(stream)
  const there = connection.prepare(`SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?`).get(name)
  if (there === undefined) return null
  const sql = `SELECT token, counter, forgotten FROM ${quote(name)} WHERE one = 1`
  return (connection.prepare(sql).safeIntegers(true).get() as Counted | undefined) ?? null
}
