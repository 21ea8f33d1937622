/** Standing alerts as a file of SQLite. Every call is one statement, and so atomic; another program that writes is waited for. */
import Database from 'better-sqlite3'
import type { AlertMemory } from '../../model/run/alert-memory.ts'

const BUSY_MS = 2000

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS standing (
    scope TEXT NOT NULL, cause TEXT NOT NULL, subject TEXT NOT NULL, since_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, cause, subject)) WITHOUT ROWID`

/** No row comes back where one is there already. */
const BEGIN =
  'INSERT INTO standing (scope, cause, subject, since_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING since_ms'
const SINCE = 'SELECT since_ms FROM standing WHERE scope = ? AND cause = ? AND subject = ?'
const END = 'DELETE FROM standing WHERE scope = ? AND cause = ? AND subject = ? RETURNING since_ms'

type Row = { readonly since_ms: number }

/** @throws the driver's error, as all of its calls */
export function sqliteAlertMemory(file: string): AlertMemory {
  const database = new Database(file, { timeout: BUSY_MS })
  try {
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.exec(SCHEMA)
  } catch (error) {
    database.close()
    throw error
  }
  return {
    begin: async ({ scope, cause, table }, at) => {
      const noted = database.prepare(BEGIN).get(scope, cause, table, Math.round(at)) as Row | undefined
      if (noted !== undefined) return { is: 'new', since: noted.since_ms }
      const known = database.prepare(SINCE).get(scope, cause, table) as Row | undefined
      // Ended by another program between the two: it stood a moment ago.
      return { is: 'stands', since: known?.since_ms ?? Math.round(at) }
    },
    end: async ({ scope, cause, table }) => {
      const gone = database.prepare(END).get(scope, cause, table) as Row | undefined
      return gone === undefined ? { is: 'none' } : { is: 'cleared', since: gone.since_ms }
    },
    [Symbol.asyncDispose]: async () => void database.close(),
  }
}
