/** Migration 4 of the PostgreSQL catalog. */
import { literal } from '../../shared/sql-text.ts'
import { STATUS_TIMES, TIME_TEXT } from '../migration-4.ts'

const NAMES = STATUS_TIMES.map(literal).join(', ')

/** Nested, because a failed cast ends the statement, and AND has no fixed order. Sessions are in UTC. */
function timeOf(column: string): string {
  const text = `${column}::text`
  const lastDay = `make_date(substr(${text}, 1, 4)::int, substr(${text}, 6, 2)::int, 1) + interval '1 month' - interval '1 day'`
  return `CASE WHEN ${text} ~ ${TIME_TEXT}
    THEN CASE WHEN substr(${text}, 9, 2)::int <= extract(day FROM ${lastDay}) THEN ${text}::timestamptz END END`
}

export const sql = `ALTER TABLE migration_status ALTER COLUMN started_at DROP NOT NULL;
ALTER TABLE migration_status ${STATUS_TIMES.map((column) => `ALTER COLUMN ${column} TYPE timestamptz USING ${timeOf(column)}`).join(',\n  ')};
`

/** The server does not change a column's type while a view, rule, policy or trigger refers to it. */
export const blockers = `SELECT DISTINCT coalesce('view ' || v.relname, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid))
  FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attname IN (${NAMES})
    LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
  WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'n'
    AND d.refobjid = pg_catalog.to_regclass(pg_catalog.quote_ident(current_schema()) || '.migration_status')
  ORDER BY 1`
