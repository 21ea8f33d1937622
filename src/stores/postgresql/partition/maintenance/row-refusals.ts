/**
 * Reasons for which the server always refuses to write rows of a default partition again, so that a retry is useless.
 */
import { sqlStateOf } from '../../server/server-errors.ts'
import type { KnownTable } from '../../server/locks.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { isMark } from './names.ts'
import { unmovable, type Why } from './refusals.ts'

/** SQLSTATEs for a missing function, table, column, type or schema. */
const NOT_FOUND: ReadonlySet<string> = new Set(['42883', '42P01', '42703', '42704', '3F000'])
const CHECK_BROKEN = '23514'

type Said = { readonly message: string; readonly where?: string; readonly constraint?: string }

/** @returns a SluiceError TABLE_REFUSED if the rows can never be written; otherwise the error itself */
export function rowRefusal(error: unknown, rest: KnownTable): unknown {
  const state = sqlStateOf(error)
  if (state === null) return error
  const { message, where = '', constraint } = error as Said
  const called = /(?:PL\/\w+|SQL) function "?([^\s"(]+(?:\([^)]*\))?)/.exec(where)?.[1]
  if (NOT_FOUND.has(state) && called !== undefined) {
    return unmovable(rest, {
      reason: `a rule or a generated column of it calls the function ${called}, which uses names without a schema (${message}): rows are copied with an empty search_path, in which the server does not find these names`,
      hint: `ALTER FUNCTION ${called} SET search_path TO the schemas that it needs, then run the same command again`,
    })
  }
  // A violated partition bound has no constraint name.
  if (state === CHECK_BROKEN && constraint !== undefined && !isMark(constraint)) {
    return unmovable(rest, {
      reason: `a row of it violates the constraint ${constraint} (${message}): the condition has changed since the row was written`,
      hint: `correct the rows that violate ${quoteName(constraint)}, or drop that constraint, then run the same command again`,
    })
  }
  return error
}

/**
 * Finds generated values that differ from the present result of their expression: copies would differ.
 * @param condition SQL over the rows to read
 * @returns null if there is none
 */
export async function staleGenerated(session: CopySession, rest: KnownTable, condition = 'true'): Promise<Why | null> {
  const columns = await session.ask(
    `SELECT a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid),
       (SELECT pg_catalog.min(b.attname::text) FROM pg_catalog.pg_depend e JOIN pg_catalog.pg_attribute b ON b.attrelid = e.refobjid AND b.attnum = e.refobjsubid
        WHERE e.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND e.objid = d.oid AND e.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
          AND e.refobjid = a.attrelid AND e.refobjsubid <> a.attnum)
     FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = ${literal(rest.oid)}::oid AND a.attgenerated = 's' AND NOT a.attisdropped ORDER BY a.attnum`,
  )
  for (const [name, expression, base] of columns) {
    const column = quoteName(name ?? '')
    const [row] = await session.ask(
      `SELECT count(*) FROM ONLY ${tableSql(rest.name)} AS d WHERE (${condition}) AND d.${column}::text IS DISTINCT FROM (${expression})::text`,
    )
    if (row === undefined || row[0] === '0') continue
    // The server computes the value again only if an UPDATE sets a column that it depends on.
    const made = quoteName(base ?? name ?? '')
    return {
      reason: `${row[0]} of its rows have a value in the generated column ${name} that differs from its expression ${expression}: a function in it was replaced, and copies of these rows would have other values`,
      hint: `rewrite them: UPDATE ONLY ${tableSql(rest.name)} SET ${made} = ${made}; or restore the earlier function`,
    }
  }
  return null
}
