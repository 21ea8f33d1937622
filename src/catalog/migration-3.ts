/**
 * Migration 3: findings of the last `fsck` of each table. Never edited after a release; later changes are new
 * migrations.
 */

type FindingTypes = {
  readonly text: string
  /** Type of a text column that has an index. */
  readonly key: string
  readonly bigint: string
  /** SQL after the closing bracket of CREATE TABLE. */
  readonly end: string
}

/** The statements in the types of one dialect. Every CREATE can run again. */
export function fsckFindings(t: FindingTypes): string {
  return `CREATE TABLE IF NOT EXISTS catalog_fsck (
  table_id ${t.key} NOT NULL, run_id ${t.bigint} NOT NULL, checked_at ${t.bigint} NOT NULL, version ${t.bigint} NOT NULL,
  line ${t.bigint} NOT NULL, level ${t.key} NOT NULL, finding ${t.key} NOT NULL, path ${t.text}, column_name ${t.text},
  log_says ${t.text}, found ${t.text}, detail ${t.text} NOT NULL, bytes ${t.bigint}, PRIMARY KEY (table_id, line)
)${t.end};
`
}
