/** Smallest and largest timestamp of a table: read row by row, because no release finds the ends of a column. */
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { TimeExtent } from '../../../model/archive/values-port.ts'
import { compareCanonicalTimes } from '../../common/time-bounds.ts'

const SIZE = { rows: 5000, bytes: 2 ** 20 }

/** @throws as `SourceView.read` */
export async function cassandraTimeExtent(
  view: SourceView,
  table: TableSpec,
  column: Column,
  signal: AbortSignal,
): Promise<TimeExtent> {
  const columns = [{ name: column.name, as: column.type, column }]
  const request = { table, columns, range: { by: 'all' }, where: null, ordered: false } as const
  let low: string | null = null
  let high: string | null = null
  let nulls = 0n
  for await (const { rows } of view.read(request, SIZE, signal)) {
    for (const [value] of rows) {
      if (typeof value !== 'string') nulls++
      else {
        if (low === null || compareCanonicalTimes(value, low) < 0) low = value
        if (high === null || compareCanonicalTimes(value, high) > 0) high = value
      }
    }
  }
  return { low, high, nulls }
}
