/**
 * Which roles a login trusts. The statements name every function and operator by its schema, since they run before anything in the database is trusted.
 */

/** The login, roles that it is a member of, the database's owner, and superusers: these can do to the login what they like already. */
export const TRUSTED = `WITH RECURSIVE mine (role) AS (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user
    UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN mine ON m.member OPERATOR(pg_catalog.=) mine.role),
  trusted (role) AS (
    SELECT role FROM mine
    UNION SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
    UNION SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolsuper)`

/** SQL behind `TRUSTED`: whether a role is none of these. @param owner the expression of its OID */
export const isStranger = (owner: string): string =>
  `NOT EXISTS (SELECT FROM trusted t WHERE t.role OPERATOR(pg_catalog.=) ${owner})`

/** SQL: the reason why what a role owns is not used. @param owner the expression of its OID */
export const belongs = (owner: string): string =>
  `pg_catalog.concat('it belongs to the role ', pg_catalog.pg_get_userbyid(${owner}))`
