/** A ledger in an SQLite file that several programs use at the same time: unlike `openCopyStore`, it takes no lock. */
import Database from 'better-sqlite3'

/** @param {string} file */
export function sharedLedger(file) {
  const database = new Database(file, { timeout: 30_000 })
  database.pragma('journal_mode = WAL')
  const ask = (sql, parameters = []) => {
    const statement = database.prepare(sql)
    if (statement.reader) return statement.raw().all(...parameters)
    statement.run(...parameters)
    return []
  }
  return {
    dialect: 'sqlite',
    label: file,
    all: async (sql, parameters) => ask(sql, parameters),
    batch: async (statements) =>
      database.transaction(() => statements.map(({ sql, parameters }) => ask(sql, parameters))).immediate(),
    endSession: async () => undefined,
    async [Symbol.asyncDispose]() {
      database.close()
    },
  }
}
