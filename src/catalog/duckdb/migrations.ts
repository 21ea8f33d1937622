/** Later migrations of the catalog in DuckDB. */
import { rangesAndViews } from '../migration-2.ts'
import { fsckFindings } from '../migration-3.ts'
import { STATUS_TIMES, TIME_TEXT } from '../migration-4.ts'
import { leaseOwners } from '../migration-5.ts'
import type { Migration } from '../dialect-port.ts'

/** Migration 2 of the DuckDB catalog; ranges have no keys, like its other large relations. */
const RANGES_AND_VIEWS = rangesAndViews(
  {
    text: 'VARCHAR',
    key: 'VARCHAR',
    bound: 'BLOB',
    small: 'BIGINT',
    int: 'BIGINT',
    bigint: 'BIGINT',
    keys: false,
    end: '',
  },
  {
    create: 'CREATE OR REPLACE VIEW',
    iso: (ms) => `strftime(make_timestamp(${ms} * 1000), '%Y-%m-%dT%H:%M:%S.%gZ')`,
    quotient: (a, b) => `(${a}) // ${b}`,
    // A sum of BIGINTs is a HUGEINT.
    whole: (sum) => `CAST(${sum} AS BIGINT)`,
    cardinality: (column) => `CAST(json_extract_string(${column}, '$.cardinality') AS BIGINT)`,
  },
)

const FSCK = fsckFindings({ text: 'VARCHAR', key: 'VARCHAR', bigint: 'BIGINT', end: '' })

/**
 * SQL that converts a text to a time. Adds `Z` to a text without a zone, as DuckDB would use the zone of this machine.
 */
function timeOf(column: string): string {
  const text = `CAST(${column} AS VARCHAR)`
  const zoned = `CASE WHEN regexp_matches(${text}, '(Z|[+-][0-9:]+)$') THEN ${text} ELSE ${text} || 'Z' END`
  return `CASE WHEN regexp_matches(${text}, ${TIME_TEXT}) THEN TRY_CAST(${zoned} AS TIMESTAMPTZ) END`
}

const values = STATUS_TIMES.map(timeOf)

/**
 * Migration 4 of the DuckDB catalog. Creates the table again, because ALTER TYPE with function calls is unsafe: after a
 * kill DuckDB 1.5.5 cannot replay it, and the file can never be opened again.
 */
const STATUS_TIMES_SQL = `CREATE TABLE migration_status_before AS SELECT * FROM migration_status;
DROP TABLE migration_status;
CREATE TABLE migration_status (
  import_id BIGINT NOT NULL, table_id VARCHAR NOT NULL, status VARCHAR NOT NULL, version BIGINT, files_processed BIGINT NOT NULL DEFAULT 0,
  started_at TIMESTAMPTZ, completed_at TIMESTAMPTZ, error_message VARCHAR, PRIMARY KEY (import_id)
);
INSERT INTO migration_status SELECT import_id, table_id, status, version, files_processed, ${values.join(',\n  ')},
  error_message FROM migration_status_before;
DROP TABLE migration_status_before;
`

const OWNERS = leaseOwners(
  `ALTER TABLE catalog_leases ADD COLUMN IF NOT EXISTS machine VARCHAR;
ALTER TABLE catalog_leases ADD COLUMN IF NOT EXISTS process_started VARCHAR;
`,
)

/** Migrations 2 to 5. Never edited after a release. */
export const laterMigrations: readonly Migration[] = [
  { version: 2, name: 'ranges and views', sql: RANGES_AND_VIEWS, breaking: true },
  { version: 3, name: 'fsck', sql: FSCK, breaking: false },
  { version: 4, name: 'times of imports', sql: STATUS_TIMES_SQL, breaking: true },
  OWNERS,
]
