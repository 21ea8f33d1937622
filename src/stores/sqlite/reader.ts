/** Connections for reading. */
import Database from 'better-sqlite3'

export const BUSY_TIMEOUT_MS = 10_000

/**
 * A connection that may not write, yet may tidy up: the last one to close a file opened strictly for reading leaves its -wal and -shm files
 * behind. Where the file or its folder cannot be written, reading strictly is all there is.
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
    const { code } = error as { readonly code?: unknown }
    if (typeof code !== 'string' || !/^SQLITE_(READONLY|CANTOPEN|PERM)/.test(code)) throw error
    return open({ readonly: true })
  }
}
