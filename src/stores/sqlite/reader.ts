/** Connections that read a file, and the rows of statements. */
import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { SqlRow } from '../../model/run/sql-port.ts'
import { sqliteCode } from './errors.ts'

export const BUSY_TIMEOUT_MS = 10_000

/**
 * Returns the path if the file exists.
 * @throws an error with the driver's code if the file is missing; the driver itself would create the file
 */
export function existing(file: string): string {
  if (!existsSync(file)) throw Object.assign(new Error('there is no such file'), { code: 'SQLITE_CANTOPEN' })
  return file
}

/**
 * A connection for reading. It is opened read-only only if the file or its folder cannot be written: if the last
 * connection to a file is read-only, SQLite leaves the -wal and -shm files behind.
 */
export function openReader(file: string): Database.Database {
  const open = (options: Database.Options): Database.Database => {
    const connection = new Database(file, { ...options, timeout: BUSY_TIMEOUT_MS })
    try {
      connection.pragma('query_only = ON')
      connection.pragma('cache_size = -32768')
      connection.prepare('SELECT count(*) FROM sqlite_schema').get()
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }
  try {
    return open({ fileMustExist: true })
  } catch (error) {
    if (!/^SQLITE_(READONLY|CANTOPEN|PERM)/.test(sqliteCode(error))) throw error
    return open({ readonly: true })
  }
}

/** All rows of a statement, as arrays of values without column names; integers are numbers. */
export function rowsOf(connection: Database.Database, sql: string, parameters: SqlRow = []): readonly SqlRow[] {
  const statement = connection.prepare(sql).raw(true)
  return statement.all(...parameters) as readonly SqlRow[]
}

/** As `rowsOf`, but integers are bigints. */
export function wideRowsOf(connection: Database.Database, sql: string, parameters: SqlRow = []): readonly SqlRow[] {
  const statement = connection.prepare(sql).raw(true).safeIntegers(true)
  return statement.all(...parameters) as readonly SqlRow[]
}
