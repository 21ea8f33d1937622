/** Tables of PostgreSQL that a crash of the server leaves empty. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { Losable } from '../../../model/copy/port.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'

/** UNLOGGED ones among these tables and the partitions below them. */
export async function losableTables(session: CopySession, tables: readonly TableName[]): Promise<readonly Losable[]> {
  if (tables.length === 0) return []
  const rows = await session.ask(
    `WITH RECURSIVE t (oid) AS (
       SELECT pg_catalog.to_regclass(n.name)::oid FROM pg_catalog.unnest(ARRAY[${tables.map((table) => literal(tableSql(table))).join(', ')}]) AS n (name)
       UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN t ON t.oid = i.inhparent)
     SELECT n.nspname, c.relname FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence = 'u' AND c.relkind = 'r' ORDER BY 1, 2`,
  )
  return rows.map(([schema, name]) => {
    const sql = tableSql({ schema: schema ?? '', name: name ?? '' })
    return { what: `${sql} is UNLOGGED`, remedy: `ALTER TABLE ${sql} SET LOGGED` }
  })
}
