/** What people have written about the columns of a table. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { Session } from '../session.ts'

/** By the name of the column; only those that somebody wrote something about. */
export async function commentsOf(
  session: Session,
  { table: { schema, name } }: TableSpec,
): Promise<Readonly<Record<string, string>>> {
  const rows = await session.rows(
    `SELECT COLUMN_NAME, COLUMN_COMMENT FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND COLUMN_COMMENT <> ''`,
    [schema ?? null, name],
  )
  return Object.fromEntries(rows.map(([column, comment]) => [String(column), String(comment)]))
}
