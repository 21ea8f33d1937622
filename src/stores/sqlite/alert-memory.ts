/** Active alerts in a SQLite file. Every call is one atomic statement, and waits while another program writes. */
import Database from 'better-sqlite3'
import { CONFIRM_MS, type AlertMemory } from '../../model/run/alert-memory.ts'
import { systemClock, type Clock } from '../../shared/clock.ts'

const BUSY_MS = 2000

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS standing (
    scope TEXT NOT NULL, cause TEXT NOT NULL, subject TEXT NOT NULL, since_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, cause, subject)) WITHOUT ROWID`

/** Columns that an older file lacks: time of the last unconfirmed message, and whether it ends the alert. */
const CONFIRMED = { unsent_ms: 'INTEGER', is_over: 'INTEGER NOT NULL DEFAULT 0' } as const

const KEY = 'scope = @scope AND cause = @cause AND subject = @table'
/**
 * Time read while the statement has the lock. A time read before the wait for the lock is too early: rows that another
 * program wrote during the wait would then be in the future.
 */
const NOW = 'sluice_now()'
/**
 * SQL condition: the last message was not confirmed within `CONFIRM_MS`. A time in the future counts as expired, too: a
 * clock that was set back must not delay the alert.
 */
const UNCONFIRMED = `(unsent_ms NOT BETWEEN ${NOW} - ${CONFIRM_MS} AND ${NOW})`
/** Returns no row if the alert is open, and its sender has confirmed it or may still confirm it. */
const BEGIN = `INSERT INTO standing (scope, cause, subject, since_ms, unsent_ms) VALUES (@scope, @cause, @table, @at, ${NOW})
  ON CONFLICT DO UPDATE SET since_ms = CASE WHEN is_over = 1 THEN excluded.since_ms ELSE since_ms END, unsent_ms = ${NOW}, is_over = 0
  WHERE is_over = 1 OR ${UNCONFIRMED} RETURNING since_ms`
const SINCE = `SELECT since_ms FROM standing WHERE ${KEY}`
const END = `UPDATE standing SET unsent_ms = ${NOW}, is_over = 1 WHERE ${KEY} AND (is_over = 0 OR ${UNCONFIRMED}) RETURNING since_ms`
const SENT = {
  raised: `UPDATE standing SET unsent_ms = NULL WHERE ${KEY} AND is_over = 0`,
  cleared: `DELETE FROM standing WHERE ${KEY} AND is_over = 1`,
} as const

type Row = { readonly since_ms: number }

/** @throws the driver's error; all methods of the returned object throw it, too */
export function sqliteAlertMemory(file: string, clock: Pick<Clock, 'now'> = systemClock): AlertMemory {
  const database = new Database(file, { timeout: BUSY_MS })
  try {
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.exec(SCHEMA)
    addConfirmed(database)
    database.function('sluice_now', { deterministic: false }, () => Math.round(clock.now()))
  } catch (error) {
    database.close()
    throw error
  }
  return {
    begin: async (key, at) => {
      const noted = database.prepare(BEGIN).get({ ...key, at: Math.round(at) }) as Row | undefined
      if (noted !== undefined) return { is: 'new', since: noted.since_ms }
      const known = database.prepare(SINCE).get(key) as Row | undefined
      // Another program ended the alert between the two statements, so it was active at the first one.
      return { is: 'stands', since: known?.since_ms ?? Math.round(at) }
    },
    end: async (key) => {
      const ended = database.prepare(END).get(key) as Row | undefined
      return ended === undefined ? { is: 'none' } : { is: 'cleared', since: ended.since_ms }
    },
    sent: async (key, state) => void database.prepare(SENT[state]).run(key),
    [Symbol.asyncDispose]: async () => void database.close(),
  }
}

function addConfirmed(database: Database.Database): void {
  const has = (name: string): boolean =>
    (database.pragma('table_info(standing)') as readonly { readonly name: string }[]).some((one) => one.name === name)
  for (const [name, type] of Object.entries(CONFIRMED)) {
    if (has(name)) continue
    try {
      database.exec(`ALTER TABLE standing ADD COLUMN ${name} ${type}`)
    } catch (error) {
      // Another program may have added the column in between.
      if (!has(name)) throw error
    }
  }
}
