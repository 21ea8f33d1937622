/** Sets one column of many rows, each to its own value. */
import type { SqlTransaction } from '../../model/run/sql-port.ts'
import { inLists } from '../in-lists.ts'

/** Many rows per statement, because a server's reply takes longer than the change itself. */
const ROWS_A_STATEMENT = 200

type Column = {
  readonly relation: 'delta_files' | 'delta_commits' | 'delta_partitions'
  readonly key: 'file_no' | 'version' | 'partition_no'
  readonly column: string
  readonly tableId: string
}

/** Sets whole numbers in existing rows. @param values key of the row and its new value */
export async function setMany(
  transaction: SqlTransaction,
  { relation, key, column, tableId }: Column,
  values: readonly (readonly [key: number, value: number])[],
): Promise<void> {
  for (const { some, marks } of inLists(values, ROWS_A_STATEMENT)) {
    const cases = some.map(() => 'WHEN ? THEN ?').join(' ')
    await transaction.run(
      `UPDATE ${relation} SET ${column} = CASE ${key} ${cases} ELSE ${column} END WHERE table_id = ? AND ${key} IN (${marks})`,
      [...some.flat(), tableId, ...some.map(([row]) => row)],
    )
  }
}
