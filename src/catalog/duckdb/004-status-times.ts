/**
 * Migration 4 of the DuckDB catalog. Creates the table again, because ALTER TYPE with function calls is unsafe: after a
 * kill DuckDB 1.5.5 cannot replay it, and the file can never be opened again.
 */
import { STATUS_TIMES, TIME_TEXT } from '../migration-4.ts'

/** Adds `Z` to a text without a zone; otherwise it would be read in the zone of this machine. */
function timeOf(column: string): string {
  const text = `CAST(${column} AS VARCHAR)`
  const zoned = `CASE WHEN regexp_matches(${text}, '(Z|[+-][0-9:]+)$') THEN ${text} ELSE ${text} || 'Z' END`
  return `CASE WHEN regexp_matches(${text}, ${TIME_TEXT}) THEN TRY_CAST(${zoned} AS TIMESTAMPTZ) END`
}

const values = STATUS_TIMES.map(timeOf)

export const sql = `CREATE TABLE migration_status_before AS SELECT * FROM migration_status;
DROP TABLE migration_status;
CREATE TABLE migration_status (
  import_id BIGINT NOT NULL, table_id VARCHAR NOT NULL, status VARCHAR NOT NULL, version BIGINT, files_processed BIGINT NOT NULL DEFAULT 0,
  started_at TIMESTAMPTZ, completed_at TIMESTAMPTZ, error_message VARCHAR, PRIMARY KEY (import_id)
);
INSERT INTO migration_status SELECT import_id, table_id, status, version, files_processed, ${values.join(',\n  ')},
  error_message FROM migration_status_before;
DROP TABLE migration_status_before;
`
