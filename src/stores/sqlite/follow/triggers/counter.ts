/**
 * The counter of a stream, in the source file. SQLite has one writer at a time, so all writes have one order. To take a
 * catch-up position, a separate transaction adds 1. A batch takes the write lock, opens its snapshot, adds 1 and
 * commits: nothing is committed between the snapshot and the number. So the snapshot shows exactly what was committed
 * before that number. A batch with a larger number than a catch-up position therefore includes all changes that were
 * visible when the position was taken. Changes are on disk before they are reported. With `synchronous = NORMAL`, which
 * most programs use in WAL mode, a power cut may lose a commit; with FULL the WAL is synced after the commit
 * (sqlite.org/pragma.html#pragma_synchronous: "FULL … in WAL mode … the WAL file is synced after each transaction
 * commit"). A WAL is only appended to, and is recovered from its beginning up to the first incomplete frame
 * (sqlite.org/walformat.html). So once a commit of sluice is synced, every commit before it, of any program, is on disk
 * too. Earlier checkpoints were synced by the program that made them, unless it uses `synchronous = OFF`.
 */
import Database from 'better-sqlite3'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { sqliteProgressTable } from './log.ts'
import { existing } from '../../reader.ts'
import { definitionOf } from '../../copy/shape.ts'

/** Lock timeout, ms. It is short, because the driver blocks this whole process while it waits for a lock. */
const LOCK_MS = 50

/** A connection that writes the stream's tables, with durable commits. @throws the driver's errors */
export function openNoter(file: string): Database.Database {
  const connection = new Database(existing(file), { timeout: LOCK_MS, fileMustExist: true })
  connection.pragma('synchronous = FULL')
  return connection
}

/**
 * Adds 1 to the counter; must run within a write transaction.
 * @returns the new number; null if the row does not exist
 */
export function counted(connection: Database.Database, stream: string): LogPosition | null {
  const sql = `UPDATE ${quote(sqliteProgressTable(stream))} SET counter = counter + 1 WHERE one = 1 RETURNING counter`
  return (connection.prepare(sql).pluck().safeIntegers(true).get() as bigint | undefined) ?? null
}

export type CountedPosition = {
  readonly token: string
  readonly counter: LogPosition
  readonly forgotten: LogPosition | null
}

/** Reads the counter. @returns null if the table or its row does not exist */
export function counterNow(connection: Database.Database, stream: string): CountedPosition | null {
  const name = sqliteProgressTable(stream)
  if (definitionOf(connection, name) === null) return null
  const sql = `SELECT token, counter, forgotten FROM ${quote(name)} WHERE one = 1`
  return (connection.prepare(sql).safeIntegers(true).get() as CountedPosition | undefined) ?? null
}
