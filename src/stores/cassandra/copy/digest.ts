/** What stands in a range, added up row by row: no Cassandra can do it itself. */
import { RowSum } from '../../../model/copy/row-hash.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import type { RowBatch } from '../../../model/copy/port.ts'

export async function digestOfRows(batches: AsyncIterable<RowBatch>): Promise<Digest> {
  const sum = new RowSum()
  for await (const { rows } of batches) for (const row of rows) sum.add(row)
  return sum.digest()
}
