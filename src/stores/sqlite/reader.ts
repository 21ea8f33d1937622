import Database from 'better-sqlite3'

export const BUSY_TIMEOUT_MS = 10_000

/**
 * A connection that may not write rows, but may clean up: when the last connection to a file is read-only, it leaves
 * the -wal and -shm files behind. If the file or its folder cannot be written, it opens the file read-only.
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
