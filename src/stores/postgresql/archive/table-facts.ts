/** Facts about a table to archive, and whether the server writes commits to disk. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CrashRisk } from '../../../model/copy/durability-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
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

/**
 * Checks that commits reach the disk. The sessions wait for that (`durableSql`), but the server must also use fsync.
 * @returns TARGET_DENIED if `fsync` is off; else null
 */
export async function unsynced(session: CopySession, label: string): Promise<SluiceError | null> {
  const [row] = await session.ask("SELECT pg_catalog.current_setting('fsync')")
  if (row?.[0] !== 'off') return null
  return new SluiceError('TARGET_DENIED', 'the server does not write its commits to its disk', {
    where: label,
    reason: 'fsync is off: a crash of its machine may undo confirmed commits, and the next step cannot be undone',
    hint: 'ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf(); then run the same command again',
  })
}
