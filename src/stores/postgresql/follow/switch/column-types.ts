/** Types of the columns of a table in a cutover. */
import type { CopySession } from '../../server/session.ts'
import type { CutoverTable } from './sides.ts'

/** Types in which columns are compared; for a domain its base type. Without length: a length would truncate values. */
export async function columnTypes(session: CopySession, { oid }: CutoverTable): Promise<ReadonlyMap<string, string>> {
  const rows = await session.ask(
    `WITH RECURSIVE below AS (
       SELECT a.attnum, a.attname, a.atttypid AS type FROM pg_catalog.pg_attribute a WHERE a.attrelid = ${oid}::oid AND a.attnum > 0 AND NOT a.attisdropped
       UNION ALL SELECT b.attnum, b.attname, t.typbasetype FROM below b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd')
     SELECT b.attname, pg_catalog.format_type(b.type, -1) FROM below b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype <> 'd' ORDER BY b.attnum`,
  )
  return new Map(rows.map(([name, type]) => [name ?? '', type ?? '']))
}
