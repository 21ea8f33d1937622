/** Finds the publications that send the rows of a table. */

/**
 * SQL of the publications that send at least one of some tables. Columns: all columns of pg_publication, then `how` and
 * `relation`. `how` is `table`, `schema` or `all`; `relation` is the named table, or NULL unless `how` is `table`.
 * @param version of the server; publications of schemas exist from PostgreSQL 15 on
 * @param oids SQL of the tables: one OID, a list, or a query
 */
export function publishedBySql(version: number, oids: string): string {
  const bySchema =
    version < 150_000
      ? ''
      : `UNION ALL SELECT p.*, 'schema', NULL::oid FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_namespace n ON n.pnpubid = p.oid
         WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.pnnspid AND c.oid IN (${oids}))`
  return `
      SELECT p.*, 'table' AS how, r.prrelid AS relation FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
        WHERE r.prrelid IN (${oids})
      UNION ALL SELECT p.*, 'all', NULL::oid FROM pg_catalog.pg_publication p WHERE p.puballtables
      ${bySchema}`
}
