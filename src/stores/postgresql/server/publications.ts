/** Which publications send the rows of a table. */

/**
 * SQL of the publications that send one of some tables, by its name, with its schema, or with all tables: the columns of
 * pg_publication, then `how` (`table`, `schema` or `all`) and `relation`, the named table; NULL unless `how` is `table`.
 * @param version of the server; publications of schemas exist from 15 on
 * @param oids SQL of the tables: one oid, a list, or a query
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
