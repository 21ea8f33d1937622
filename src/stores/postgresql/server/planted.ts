/**
 * Finds functions and operators that another role planted in the search path. A planted one that fits the arguments
 * better than the built-in would run as this login (CVE-2018-1058). Planted types, and objects with exactly the
 * arguments of a built-in, are never used: pg_catalog is first in every session (`connect.ts`). The query that
 * finds planted objects qualifies every function and operator, because it runs before any check.
 */
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { isStranger, TRUSTED } from './trusted-roles.ts'

/** A planted object: its text for DROP, its schema and its owner. */
export type Planted = readonly [what: string, schema: string, owner: string]

/** The schema pg_catalog. */
const OWN_SCHEMA = '11::pg_catalog.oid'

/**
 * Names of functions that statements for all systems call without a schema; their arguments may have any type.
 * PostgreSQL's own statements qualify them with pg_catalog. Test: `test/arch/functions-by-schema`.
 */
export const UNQUALIFIED =
  'array_agg count floor lag length lower max md5 min replace row_number string_agg substr sum to_char unnest upper'.split(
    ' ',
  )

type Catalog = {
  readonly relation: string
  /** Prefix of the columns of the catalog, as in `oprname`, `oprnamespace` and `oprowner`. */
  readonly prefix: string
  /** SQL expression over the schema `s` and the object `o`: the text that names the object in DROP. */
  readonly dropped: string
  /**
   * SQL condition over `o` and a built-in `b` of the same name: equal arguments, so that the server uses the built-in.
   */
  readonly same: string
  /** SQL condition over `o`: a statement of sluice can call it. */
  readonly called: string
}

const CATALOGS: readonly Catalog[] = [
  {
    relation: 'pg_operator',
    prefix: 'opr',
    dropped: `pg_catalog.format('OPERATOR %I.%s (%s, %s)', s.name, o.oprname,
      CASE WHEN o.oprleft OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN pg_catalog.format_type(o.oprleft, NULL) ELSE 'NONE' END,
      pg_catalog.format_type(o.oprright, NULL))`,
    same: 'b.oprleft OPERATOR(pg_catalog.=) o.oprleft AND b.oprright OPERATOR(pg_catalog.=) o.oprright',
    called: 'true',
  },
  {
    relation: 'pg_proc',
    prefix: 'pro',
    dropped: `pg_catalog.format('ROUTINE %I.%I(%s)', s.name, o.proname, pg_catalog.pg_get_function_identity_arguments(o.oid))`,
    same: 'b.proargtypes OPERATOR(pg_catalog.=) o.proargtypes',
    called: `o.proname OPERATOR(pg_catalog.=) ANY (ARRAY[${UNQUALIFIED.map(sqlLiteral).join(', ')}]::pg_catalog.name[])`,
  },
]

/**
 * SQL that returns at most one planted object, as `Planted`.
 * @param schema only schema of the search_path; null for the path of the session
 */
export function plantedSql(schema: string | null): string {
  const path = schema === null ? 'pg_catalog.current_schemas(true)' : `ARRAY[${sqlLiteral(schema)}]::pg_catalog.name[]`
  return `${TRUSTED},
  path (oid, name) AS (
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
    WHERE n.nspname OPERATOR(pg_catalog.=) ANY (${path}) AND n.oid OPERATOR(pg_catalog.<>) ${OWN_SCHEMA})
  SELECT found.what, found.schema, pg_catalog.pg_get_userbyid(found.owner) FROM (${CATALOGS.map(foundSql).join(' UNION ALL ')}) found LIMIT 1`
}

function foundSql({ relation, prefix, dropped, same, called }: Catalog): string {
  const own = `FROM pg_catalog.${relation} b
      WHERE b.${prefix}name OPERATOR(pg_catalog.=) o.${prefix}name AND b.${prefix}namespace OPERATOR(pg_catalog.=) ${OWN_SCHEMA}`
  return `SELECT ${dropped} AS what, s.name AS schema, o.${prefix}owner AS owner
    FROM path s JOIN pg_catalog.${relation} o ON o.${prefix}namespace OPERATOR(pg_catalog.=) s.oid
    WHERE ${isStranger(`o.${prefix}owner`)} AND EXISTS (SELECT ${own})
      AND ${called} AND NOT EXISTS (SELECT ${own} AND ${same})`
}

/** @returns a SluiceError TARGET_DENIED that names the object, and the statement that removes it */
export function plantedError([what, schema, owner]: Planted, user: string, label: string): SluiceError {
  return new SluiceError(
    'TARGET_DENIED',
    `the role ${owner} has created ${what}, which statements of ${user} would use instead of a built-in object`,
    {
      where: label,
      reason: `it has the name of the built-in object, its schema is in the search_path, and it would run with the rights of ${user}`,
      hint: `if you do not need this object, DROP ${what} and REVOKE CREATE ON SCHEMA ${schema} FROM PUBLIC; otherwise change its owner to ${user}, to the owner of the database or to a superuser`,
    },
  )
}
