/** Constraints of PostgreSQL that are NOT VALID: the server has not checked the rows that existed before them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { UncheckedConstraint } from '../../../model/archive/constraints-port.ts'
import { danglingSql } from '../../common/referring-sql.ts'
import { quoteName } from '../server/connect.ts'
import { tableByName } from '../server/known.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { isStranger, TRUSTED } from '../server/trusted-roles.ts'
import { columnNamesSql, namesIn, operatorsSql } from './referrers.ts'

/** SQL condition: the constraint `k` uses a function or operator that an untrusted role owns. */
const RUNS_UNTRUSTED_CODE = `EXISTS (
       SELECT FROM pg_catalog.pg_depend d
         LEFT JOIN pg_catalog.pg_proc p ON d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass::oid AND p.oid = d.refobjid
         LEFT JOIN pg_catalog.pg_operator o ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass::oid AND o.oid = d.refobjid
       WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid AND d.objid = k.oid
         AND (p.oid IS NOT NULL OR o.oid IS NOT NULL) AND ${isStranger('coalesce(p.proowner, o.oprowner)')})`

/** Constraints that are NOT VALID. NOT ENFORCED constraints are left out, because they refuse no row. */
export async function postgresUnchecked(
  session: CopySession,
  table: TableName,
): Promise<readonly UncheckedConstraint[]> {
  const found = await tableByName(session, table)
  if (found === null) return []
  const rows = await session.ask(
    `${TRUSTED}
     SELECT k.conname, k.contype, ${columnNamesSql('k.conkey', 'k.conrelid')}, pg_catalog.pg_get_expr(k.conbin, k.conrelid),
       (SELECT CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END || pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = k.confrelid),
       ${columnNamesSql('k.confkey', 'k.confrelid')}, ${operatorsSql('k.conpfeqop')}, k.confmatchtype, ${RUNS_UNTRUSTED_CODE}
     FROM pg_catalog.pg_constraint k
     WHERE k.conrelid = ${literal(found.oid)}::oid AND k.contype IN ('c', 'f', 'n') AND NOT k.convalidated
       AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true) ORDER BY k.contype, k.conname`,
  )
  const ofTable = rows.map(([name, type, own, expression, parent, to, equal, match, ofStranger]) => {
    const columns = namesIn(own)
    if (ofStranger === 't') return { constraint: `${type === 'c' ? 'CHECK' : 'foreign key'} ${name}`, violated: null }
    if (type === 'c') return { constraint: `CHECK ${name}`, violated: `NOT (${expression})` }
    if (type === 'n') {
      return {
        constraint: `NOT NULL ${name}`,
        violated: columns.map((one) => `${quoteName(one)} IS NULL`).join(' OR '),
      }
    }
    const key = { columns, to: namesIn(to), equal: namesIn(equal) }
    return { constraint: `foreign key ${name}`, violated: danglingSql(key, parent ?? '', quoteName, match === 'f') }
  })
  return [...ofTable, ...(await ofDomains(session, found.oid))]
}

/** CHECKs that are NOT VALID, of domains that are the type of a column or of its array elements. */
async function ofDomains(session: CopySession, oid: string): Promise<readonly UncheckedConstraint[]> {
  const rows = await session.ask(
    `${TRUSTED}, typed AS (
       SELECT a.attnum, a.attname, a.atttypid AS type, false AS many FROM pg_catalog.pg_attribute a
       WHERE a.attrelid = ${literal(oid)}::oid AND a.attnum > 0 AND NOT a.attisdropped
       UNION SELECT t.attnum, t.attname, CASE y.typtype WHEN 'd' THEN y.typbasetype ELSE y.typelem END, t.many OR y.typtype <> 'd'
       FROM typed t JOIN pg_catalog.pg_type y ON y.oid = t.type AND (y.typtype = 'd' OR y.typcategory = 'A'))
     SELECT t.attname, y.typname, k.conname, t.many, pg_catalog.format_type(y.typbasetype, y.typtypmod), pg_catalog.pg_get_expr(k.conbin, 0::oid),
       ${RUNS_UNTRUSTED_CODE}
     FROM typed t JOIN pg_catalog.pg_type y ON y.oid = t.type JOIN pg_catalog.pg_constraint k ON k.contypid = y.oid
     WHERE k.contype = 'c' AND NOT k.convalidated ORDER BY t.attnum, k.conname`,
  )
  return rows.map(([column, domain, name, many, base, expression, ofStranger]) => {
    const own = quoteName(column ?? '')
    // In the expression, VALUE is the checked value; in a query it is a column name.
    const values = many === 't' ? `pg_catalog.unnest(${own}) AS x (value)` : `(SELECT ${own}::${base} AS value) AS x`
    return {
      constraint: `CHECK ${name} of domain ${domain} in ${column}`,
      ofType: true,
      violated: ofStranger === 't' ? null : `EXISTS (SELECT FROM ${values} WHERE NOT (${expression}))`,
    }
  })
}
