/** What people have written about columns. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { tableByName } from '../server/known.ts'

/** By name of the column; none for columns that nobody has written about, and where there is no such table. */
export async function columnComments(
  session: CopySession,
  table: TableName,
): Promise<Readonly<Record<string, string>>> {
  const found = await tableByName(session, table)
  if (found === null) return {}
  const rows = await session.ask(
    `SELECT a.attname, d.description FROM pg_catalog.pg_description d
     JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
     WHERE d.classoid = 'pg_catalog.pg_class'::regclass::oid AND d.objoid = ${literal(found.oid)}::oid AND d.objsubid > 0 AND NOT a.attisdropped
     ORDER BY a.attnum`,
  )
  return Object.fromEntries(rows.map(([name, text]) => [name ?? '', text ?? '']))
}
