/** An index that the table which is going to be opened lacks, as the statement that makes it. */
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import { withColumn } from '../../partition/plan/list-text.ts'

type Lacking = {
  readonly name: string
  /** From its method on. */
  readonly what: string
  readonly columns: readonly string[]
}

/** Column that partitions of the table with this number are ranges of; NULL of a table without any. */
export const partitionColumnSql = (oid: string): string =>
  `(SELECT a.attname FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = ${oid}::oid)`

/** A partitioned table takes a unique index only with the column of its partitions. @param by that column; null of a plain table */
export function makeUnique(sql: string, { name, what, columns }: Lacking, by: string | null): string {
  const tail = by === null || columns.includes(by) ? what : withColumn(what, quoteName(by))
  return `CREATE UNIQUE INDEX ${quoteName(suffixed(name, 'p'))} ON ${sql} ${tail}`
}
