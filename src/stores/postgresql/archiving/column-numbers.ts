/** Numbers of columns, which stay what they are when a column gets another name. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopySession } from '../copy/session.ts'
import { literal } from '../copy/sql.ts'
import { tableByName } from './known.ts'

/** `attnum` by name, and the oid of the table; null where there is no such table. */
export async function columnNumbers(
  session: CopySession,
  table: TableName,
): Promise<{ readonly of: string; readonly numbers: ReadonlyMap<string, number> } | null> {
  const found = await tableByName(session, table)
  if (found === null) return null
  const rows = await session.ask(
    `SELECT attname, attnum FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(found.oid)}::oid AND attnum > 0 AND NOT attisdropped`,
  )
  return { of: found.oid, numbers: new Map(rows.map(([name, number]) => [name ?? '', Number(number)])) }
}
