/** Regroups rows from a database's slices into batches of the requested size. */
import type { Row } from '../../model/copy/rows.ts'
import type { BatchSize, RowBatch } from '../../model/copy/source-port.ts'

export async function* regrouped(slices: AsyncIterable<RowBatch>, size: BatchSize): AsyncGenerator<RowBatch> {
  let rows: readonly Row[] = []
  let bytes = 0
  for await (const slice of slices) {
    rows = rows.length === 0 ? slice.rows : rows.concat(slice.rows)
    bytes += slice.bytes
    while (rows.length >= size.rows || (bytes >= size.bytes && rows.length > 0)) {
      const most = Math.min(rows.length, size.rows)
      const part = most === rows.length ? bytes : Math.ceil((bytes * most) / rows.length)
      yield { rows: most === rows.length ? rows : rows.slice(0, most), bytes: part }
      rows = rows.slice(most)
      bytes -= part
    }
  }
  if (rows.length > 0) yield { rows, bytes }
}
