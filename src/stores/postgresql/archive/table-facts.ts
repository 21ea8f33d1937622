/** Facts about a table to archive. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CrashRisk } from '../../../model/copy/durability-port.ts'
import { tableByName } from '../server/known.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'

/** Comments on columns, by column name; empty if the table has none or does not exist. */
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

/** UNLOGGED tables among these and the partitions below them: a crash of the server empties them. */
export async function postgresLosableTables(
  session: CopySession,
  tables: readonly TableName[],
): Promise<readonly CrashRisk[]> {
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
