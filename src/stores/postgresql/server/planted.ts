/**
 * Functions and operators that another role has put where names without a schema are looked up. One that fits the arguments better than the server's own of that name is
 * taken instead of it, and runs as the login that asks (CVE-2018-1058). Those with the very arguments of the server's own, and types, are never taken: pg_catalog is the first schema of
 * every session (`connect.ts`). The statement names each function and operator by its schema, since it runs first.
 */
import { SluiceError } from '../../../shared/errors.ts'
import { literal } from '../../../shared/sql-text.ts'
import { isStranger, TRUSTED } from './trusted-roles.ts'

/** One that was found: as DROP names it, its schema, and its owner. */
export type Planted = readonly [what: string, schema: string, owner: string]

/** The schema pg_catalog. */
const OWN_SCHEMA = '11::pg_catalog.oid'

/**
 * Functions that statements for all systems call without a schema, and with arguments of any type: those for PostgreSQL alone name pg_catalog. Test: `test/arch/functions-by-schema`.
 */
export const UNQUALIFIED =
  'array_agg count floor lag length lower max md5 min replace row_number string_agg substr sum to_char unnest upper'.split(
    ' ',
  )

type Catalog = {
  readonly relation: string
  /** Its columns begin so: `oprname`, `oprnamespace`, `oprowner`. */
  readonly prefix: string
  /** SQL over `s`, the schema, and `o`, the object. */
  readonly dropped: string
  /** SQL over `o` and `b`, one of the server's own of that name: the server's own is taken wherever it is found first. */
  readonly same: string
  /** SQL over `o`: whether a statement of ours can call it. */
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
    called: `o.proname OPERATOR(pg_catalog.=) ANY (ARRAY[${UNQUALIFIED.map(literal).join(', ')}]::pg_catalog.name[])`,
  },
]

/**
 * A query of one row at most, for a session whose search_path is the server's or, where it is given, `schema` alone.
 * @returns rows as `Planted`
 */
export function plantedSql(schema: string | null): string {
  const path = schema === null ? 'pg_catalog.current_schemas(true)' : `ARRAY[${literal(schema)}]::pg_catalog.name[]`
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

/** @returns a SluiceError TARGET_DENIED that names what is there, and what takes it away */
export function plantedError([what, schema, owner]: Planted, user: string, label: string): SluiceError {
  return new SluiceError('TARGET_DENIED', `the role ${owner} has put ${what} where statements of ${user} find it`, {
    where: label,
    reason: `it has a name of the server's own, the search_path has its schema, and it would run with the rights of ${user}`,
    hint: `DROP ${what}, where it is not yours, and keep others from the schema: REVOKE CREATE ON SCHEMA ${schema} FROM PUBLIC; else let ${user}, the database's owner or a superuser own it`,
  })
}
