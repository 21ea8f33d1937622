/** Rows of a statement of better-sqlite3. */
import type Database from 'better-sqlite3'
import type { SqlRow } from '../../../model/run/sql-port.ts'

/** Runs a statement: its rows, without column names; none if it returns no rows. Integers are numbers if exact. */
export function answerOf(statement: Database.Statement, parameters: SqlRow): readonly SqlRow[] {
  if (!statement.reader) {
    statement.run(...parameters)
    return []
  }
  const wide = statement.raw(true).safeIntegers(true)
  return (wide.all(...parameters) as readonly SqlRow[]).map((row) => row.map(narrowed))
}

function narrowed(value: SqlRow[number]): SqlRow[number] {
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value
}
