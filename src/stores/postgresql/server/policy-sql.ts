/**
 * SQL expression: what `CREATE POLICY name ON table` needs behind the name of the table.
 * @param policy alias of `pg_policy`
 */
export const policySql = (policy: string): string =>
  `pg_catalog.format('AS %s FOR %s TO %s%s%s', CASE WHEN ${policy}.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    CASE ${policy}.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    (SELECT pg_catalog.string_agg(g.name, ', ' ORDER BY g.name COLLATE pg_catalog."C") FROM (SELECT CASE role WHEN 0::oid THEN 'PUBLIC'
      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role)) END AS name FROM pg_catalog.unnest(${policy}.polroles) role) g),
    ' USING (' || pg_catalog.pg_get_expr(${policy}.polqual, ${policy}.polrelid) || ')',
    ' WITH CHECK (' || pg_catalog.pg_get_expr(${policy}.polwithcheck, ${policy}.polrelid) || ')')`
