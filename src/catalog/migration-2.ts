/**
 * Migration 2: ranges of chosen columns, and views for frequent queries, in the types and functions of each dialect.
 * Never edited after a release; later changes are new migrations.
 */
import { viewsSql, type ViewFunctions } from './migration-2-views.ts'

export type RangeTypes = {
  readonly text: string
  /** Type of a text column in a key. */
  readonly key: string
  /** Type of the bounds: at most 80 bytes, compared by memcmp. */
  readonly bound: string
  readonly small: string
  readonly int: string
  readonly bigint: string
  /** False if the tables get no primary keys, because keys cost more than they save. */
  readonly keys: boolean
  /** SQL after the closing bracket of CREATE TABLE. */
  readonly end: string
}

/** The statements in the types of one dialect. Every CREATE can run again. */
export function rangesAndViews(t: RangeTypes, functions: ViewFunctions): string {
  const table = (name: string, body: string, key: string): string =>
    `CREATE TABLE IF NOT EXISTS ${name} (\n  ${body}${t.keys ? `,\n  PRIMARY KEY (${key})` : ''}\n)${t.end};\n`
  const bounds = `min_key ${t.bound}, max_key ${t.bound}, has_nulls ${t.small} NOT NULL, has_values ${t.small} NOT NULL`
  return [
    table(
      'delta_range_columns',
      `table_id ${t.key} NOT NULL, column_no ${t.int} NOT NULL, name ${t.text} NOT NULL, physical_path ${t.text} NOT NULL,
  kind ${t.text} NOT NULL, built_to ${t.bigint} NOT NULL, built_version ${t.bigint} NOT NULL, created_at ${t.text} NOT NULL`,
      'table_id, column_no',
    ),
    table(
      'delta_range_zones',
      `table_id ${t.key} NOT NULL, column_no ${t.int} NOT NULL, zone_no ${t.int} NOT NULL, ${bounds}`,
      'table_id, column_no, zone_no',
    ),
    table(
      'delta_file_ranges',
      `table_id ${t.key} NOT NULL, column_no ${t.int} NOT NULL, zone_no ${t.int} NOT NULL, file_no ${t.bigint} NOT NULL, ${bounds}`,
      'table_id, column_no, zone_no, file_no',
    ),
    viewsSql(functions),
  ].join('')
}
