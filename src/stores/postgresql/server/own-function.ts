/**
 * Creates functions whose names other roles can predict. CREATE OR REPLACE keeps the owner of an existing function, and
 * this owner could replace it again.
 */
import { literal } from './sql.ts'
import { isStranger, TRUSTED } from './trusted-roles.ts'

/**
 * Statements for one transaction that create or replace a function without arguments. They fail with SQLSTATE 42501 if
 * the function, or a relation of its name, belongs to an untrusted role. The check comes last, when no other role can
 * replace the function.
 * @param name in SQL
 * @param of OID of the table that calls it; the table's owner is trusted, because its triggers run in any case
 * @param declared the statement from RETURNS on
 */
export function ownFunctionSql(name: string, of: string, declared: string): readonly string[] {
  const body = `DECLARE found text; BEGIN
    ${TRUSTED}
    SELECT pg_catalog.concat(o.kind, ' ', ${literal(name)}, ', which belongs to the role ', pg_catalog.pg_get_userbyid(o.owner)) INTO found
    FROM (SELECT 'function' AS kind, p.proowner AS owner FROM pg_catalog.pg_proc p WHERE p.oid = ${literal(`${name}()`)}::pg_catalog.regprocedure::oid
      UNION ALL SELECT 'sequence', c.relowner FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass(${literal(name)})::oid) o
    WHERE ${isStranger('o.owner')} AND NOT EXISTS (SELECT FROM pg_catalog.pg_class t WHERE t.oid = ${of}::oid AND t.relowner = o.owner) LIMIT 1;
    IF found IS NOT NULL THEN RAISE insufficient_privilege USING MESSAGE = 'must be owner of ' || found; END IF;
  END`
  return [`CREATE OR REPLACE FUNCTION ${name}() ${declared}`, `DO ${literal(body)}`]
}
