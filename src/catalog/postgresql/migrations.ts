/** Later migrations of the catalog in PostgreSQL. */
import { rangesAndViews } from '../migration-2.ts'
import { fsckFindings } from '../migration-3.ts'
import { sqlLiteral } from '../../shared/sql-text.ts'
import { STATUS_TIMES, TIME_TEXT } from '../migration-4.ts'
import { leaseOwners } from '../migration-5.ts'
import type { Migration } from '../dialect-port.ts'

const RANGES_AND_VIEWS = rangesAndViews(
  {
    text: 'text COLLATE "C"',
    key: 'text COLLATE "C"',
    bound: 'bytea',
    small: 'smallint',
    int: 'integer',
    bigint: 'bigint',
    keys: true,
    end: '',
  },
  {
    create: 'CREATE OR REPLACE VIEW',
    iso: (ms) =>
      `to_char(timestamp '1970-01-01 00:00:00' + ${ms} * interval '1 millisecond', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    quotient: (a, b) => `(${a}) / ${b}`,
    // A sum of bigints is a numeric, whose quotients have fractions.
    whole: (sum) => `CAST(${sum} AS bigint)`,
    cardinality: (column) => `CAST(${column}::json ->> 'cardinality' AS bigint)`,
  },
)

const FSCK = fsckFindings({ text: 'text COLLATE "C"', key: 'text COLLATE "C"', bigint: 'bigint', end: '' })

const NAMES = STATUS_TIMES.map(sqlLiteral).join(', ')

/** The CASEs are nested, because a failed cast ends the statement, and AND has no fixed order. Sessions are in UTC. */
function timeOf(column: string): string {
  const text = `${column}::text`
  const lastDay = `make_date(substr(${text}, 1, 4)::int, substr(${text}, 6, 2)::int, 1) + interval '1 month' - interval '1 day'`
  return `CASE WHEN ${text} ~ ${TIME_TEXT}
    THEN CASE WHEN substr(${text}, 9, 2)::int <= extract(day FROM ${lastDay}) THEN ${text}::timestamptz END END`
}

const STATUS_TIMES_SQL = `ALTER TABLE migration_status ALTER COLUMN started_at DROP NOT NULL;
ALTER TABLE migration_status ${STATUS_TIMES.map((column) => `ALTER COLUMN ${column} TYPE timestamptz USING ${timeOf(column)}`).join(',\n  ')};
`

/** The server does not change a column's type while a view, rule, policy or trigger refers to it. */
const BLOCKERS = `SELECT DISTINCT coalesce('view ' || v.relname, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid))
  FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attname IN (${NAMES})
    LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
  WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'n'
    AND d.refobjid = pg_catalog.to_regclass(pg_catalog.quote_ident(current_schema()) || '.migration_status')
  ORDER BY 1`

const OWNERS = leaseOwners(
  `ALTER TABLE catalog_leases ADD COLUMN IF NOT EXISTS machine text, ADD COLUMN IF NOT EXISTS process_started text;
`,
)

/** Migrations 2 to 5. Never edited after a release. */
export const laterMigrations: readonly Migration[] = [
  { version: 2, name: 'ranges and views', sql: RANGES_AND_VIEWS, breaking: true },
  { version: 3, name: 'fsck', sql: FSCK, breaking: false },
  { version: 4, name: 'times of imports', sql: STATUS_TIMES_SQL, breaking: true, blockers: BLOCKERS },
  OWNERS,
]
