/** Statement that creates a unique index that is missing on the table to which writers move. */
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import { withColumn } from '../../partition/plan/list-text.ts'

type Lacking = {
  readonly name: string
  /** Definition, from the index method on. */
  readonly what: string
  readonly columns: readonly string[]
}

/** SQL: column by whose ranges the table with this OID is partitioned; NULL for a table without partitions. */
export const partitionColumnSql = (oid: string): string =>
  `(SELECT a.attname FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = ${oid}::oid)`

/** A partitioned table's unique index needs its partition column. @param by that column; null for a plain table */
export function makeUnique(sql: string, { name, what, columns }: Lacking, by: string | null): string {
  const tail = by === null || columns.includes(by) ? what : withColumn(what, quoteName(by))
  return `CREATE UNIQUE INDEX ${quoteName(suffixed(name, 'p'))} ON ${sql} ${tail}`
}
