/** SQL expression: names of the roles of a policy, quoted. @param policy alias of `pg_policy` */
export const policyRolesSql = (policy: string): string =>
  `ARRAY(SELECT g.name FROM (SELECT CASE role WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role)) END AS name
    FROM pg_catalog.unnest(${policy}.polroles) role) g ORDER BY g.name COLLATE pg_catalog."C")`

/**
 * SQL expression: the part of `CREATE POLICY name ON table` after the name of the table.
 * @param policy alias of `pg_policy`
 * @param roles a list of roles, in SQL
 */
export const policySql = (
  policy: string,
  roles = `pg_catalog.array_to_string(${policyRolesSql(policy)}, ', ')`,
): string =>
  `pg_catalog.format('AS %s FOR %s TO %s%s%s', CASE WHEN ${policy}.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    CASE ${policy}.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    ${roles},
    ' USING (' || pg_catalog.pg_get_expr(${policy}.polqual, ${policy}.polrelid) || ')',
    ' WITH CHECK (' || pg_catalog.pg_get_expr(${policy}.polwithcheck, ${policy}.polrelid) || ')')`
