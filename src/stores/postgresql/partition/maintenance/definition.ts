/** Detects changes of a table's definition during a copy: grants, triggers, policies, indexes, columns, comments. */
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/**
 * Digest of the transaction ids of the tables' catalog rows: changes with every change of their definition. Statistics
 * are updated in place and do not change it.
 * @param oids of the tables
 */
export async function definitionFingerprint(session: CopySession, oids: readonly string[]): Promise<string> {
  const tables = `${literal(`{${oids.join(',')}}`)}::oid[]`
  const of = (catalog: string, column: string, more = 'true'): string =>
    `SELECT ${literal(catalog)} || ' ' || ctid::text || ' ' || xmin::text FROM pg_catalog.${catalog} WHERE ${column} = ANY (${tables}) AND ${more}`
  const ofTables = `'pg_catalog.pg_class'::pg_catalog.regclass::oid`
  const [row] = await session.ask(
    `SELECT pg_catalog.md5(pg_catalog.string_agg(one, ',' ORDER BY one)) FROM (
       SELECT 'table ' || oid::text || ' ' || xmin::text FROM pg_catalog.pg_class WHERE oid = ANY (${tables})
       UNION ALL SELECT 'index ' || c.oid::text || ' ' || c.xmin::text || ' ' || i.xmin::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = ANY (${tables})
       UNION ALL ${of('pg_attribute', 'attrelid', 'attnum > 0')}
       UNION ALL ${of('pg_attrdef', 'adrelid')}
       UNION ALL ${of('pg_constraint', 'conrelid')}
       UNION ALL ${of('pg_trigger', 'tgrelid')}
       UNION ALL ${of('pg_policy', 'polrelid')}
       UNION ALL ${of('pg_rewrite', 'ev_class')}
       UNION ALL ${of('pg_statistic_ext', 'stxrelid')}
       UNION ALL ${of('pg_publication_rel', 'prrelid')}
       UNION ALL ${of('pg_description', 'objoid', `classoid = ${ofTables}`)}
       UNION ALL ${of('pg_depend', 'refobjid', `refclassid = ${ofTables}`)}
     ) AS all_rows (one)`,
  )
  return row?.[0] ?? ''
}
