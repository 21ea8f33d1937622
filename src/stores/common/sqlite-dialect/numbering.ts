/** Next numbers of AUTOINCREMENT, in SQLite's SQL. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import type { SqliteListQuery } from './object-list.ts'

export type Numbering = {
  /** Statements that set the table's counter, in this order; none of them lowers it. */
  readonly statements: readonly SqliteListQuery[]
  /** Messages about sequences of the source that SQLite cannot continue in the same way. */
  readonly notes: readonly string[]
}

/**
 * @param autoincrement true if the table numbers rows by AUTOINCREMENT
 * @param sequences positions in the source, by names of this table's columns
 */
export function numberingOf(table: TableSpec, autoincrement: boolean, sequences: readonly ColumnSequence[]): Numbering {
  const statements: SqliteListQuery[] = []
  const notes: string[] = []
  for (const { column, next, options } of sequences) {
    if (next === null) continue
    if (options !== undefined && options.increment !== 1n) {
      notes.push(
        `${column} counts by ${options.increment} in the source, where ${next} is next; SQLite counts up by 1 from the largest number`,
      )
      continue
    }
    if (!autoincrement) {
      notes.push(
        `${column} of ${tableText(table.table)} has no AUTOINCREMENT: the target continues after the largest number, the source at ${next}`,
      )
      continue
    }
    const { name } = table.table
    // SQLite uses the larger of this number and the largest rowid.
    statements.push(
      {
        sql: `INSERT INTO sqlite_sequence (name, seq) SELECT s.name, 0 FROM sqlite_schema AS s WHERE s.type = 'table'
              AND lower(s.name) = lower(?) AND NOT EXISTS (SELECT 1 FROM sqlite_sequence AS q WHERE q.name = s.name)`,
        parameters: [name],
      },
      {
        sql: `UPDATE sqlite_sequence SET seq = CAST(? AS INTEGER) WHERE lower(name) = lower(?) AND seq < CAST(? AS INTEGER)`,
        parameters: [String(next - 1n), name, String(next - 1n)],
      },
    )
  }
  return { statements, notes }
}
