/** Counts rows of a relation. */
import type { SqlRow, SqlTransaction } from '../model/run/sql-port.ts'

/** @param from relation, or anything that may follow FROM */
export async function countOf(
  reader: Pick<SqlTransaction, 'all'>,
  from: string,
  parameters: SqlRow = [],
): Promise<number> {
  return Number((await reader.all(`SELECT count(*) FROM ${from}`, parameters))[0]?.[0] ?? 0)
}
