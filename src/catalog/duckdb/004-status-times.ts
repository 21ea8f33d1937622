/** Migration 4 of the DuckDB catalog. */
import { STATUS_TIMES, TIME_TEXT } from '../migration-4.ts'

/** A text without a zone would be of the zone that this machine is in. */
function timeOf(column: string): string {
  const text = `CAST(${column} AS VARCHAR)`
  const zoned = `CASE WHEN regexp_matches(${text}, '(Z|[+-][0-9:]+)$') THEN ${text} ELSE ${text} || 'Z' END`
  return `CASE WHEN regexp_matches(${text}, ${TIME_TEXT}) THEN TRY_CAST(${zoned} AS TIMESTAMPTZ) END`
}

export const sql = `ALTER TABLE migration_status ALTER COLUMN started_at DROP NOT NULL;
${STATUS_TIMES.map((column) => `ALTER TABLE migration_status ALTER COLUMN ${column} SET DATA TYPE TIMESTAMPTZ USING ${timeOf(column)};\n`).join('')}`
