import type { LedgerDatabase } from '../../model/copy/port.ts'

/** A database that is open for reading takes no batches. What is read here stands in one row, or in rows of one statement. */
export function readingLedger(database: LedgerDatabase): LedgerDatabase {
  const batch: LedgerDatabase['batch'] = async (statements) => {
    const answers = []
    for (const { sql, parameters } of statements) answers.push(await database.all(sql, parameters))
    return answers
  }
  return {
    dialect: database.dialect,
    label: database.label,
    all: (sql, parameters) => database.all(sql, parameters),
    batch,
    endSession: (session) => database.endSession(session),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}
