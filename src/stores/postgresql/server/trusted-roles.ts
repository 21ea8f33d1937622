/** SQL for the roles that a login trusts. It qualifies each function and operator, because it runs before any check. */

/** The login, its roles, the database's owner, and superusers: these have full power over the login in any case. */
export const TRUSTED = `WITH RECURSIVE mine (role) AS (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user
    UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN mine ON m.member OPERATOR(pg_catalog.=) mine.role),
  trusted (role) AS (
    SELECT role FROM mine
    UNION SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
    UNION SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolsuper)`

/** SQL condition, used after `TRUSTED`: the role is not trusted. @param owner the expression of its OID */
export const isStranger = (owner: string): string =>
  `NOT EXISTS (SELECT FROM trusted t WHERE t.role OPERATOR(pg_catalog.=) ${owner})`

/** SQL expression: the reason not to use an object of a role. @param owner the expression of the role's OID */
export const belongs = (owner: string): string =>
  `pg_catalog.concat('it belongs to the role ', pg_catalog.pg_get_userbyid(${owner}))`
