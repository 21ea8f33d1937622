/** Checks the order of a table's columns within the request for its rows, because D1 has no other transactions. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { refuseReordered } from '../../common/column-order.ts'
import type { D1Client, D1Result, D1Statement } from '../client.ts'

type Planned = Pick<TableSpec, 'table' | 'columns'>

/** Statement that reads the names of the table's columns for `refuseUnordered`. */
export function namesInOrder({ table }: Pick<Planned, 'table'>): D1Statement {
  return { sql: 'SELECT name FROM pragma_table_xinfo(?) ORDER BY cid', params: [table.name] }
}

/** @param names answer to `namesInOrder` @throws SluiceError SOURCE_GONE, TABLE_REFUSED if the order has changed */
export function refuseUnordered(
  planned: Planned,
  names: D1Result | undefined,
  side: 'source' | 'target',
  { settings }: D1Client,
): void {
  refuseReordered(planned, names?.rows.map(([name]) => String(name)) ?? [], side, settings.label)
}

/** Fails its batch if planned columns have another order: only an error rolls back a request. */
export function orderGuard({ table, columns }: Planned): D1Statement {
  return {
    sql: `SELECT CASE WHEN EXISTS(SELECT 1 FROM (SELECT x.cid, lag(x.cid) OVER (ORDER BY j.key) AS before
            FROM json_each(?) AS j JOIN pragma_table_xinfo(?) AS x ON x.name = j.value) WHERE cid < before) THEN json('reordered') ELSE 1 END`,
    params: [JSON.stringify(columns.map(({ name }) => name)), table.name],
  }
}

/**
 * Reads the table itself to find out whether `orderGuard` failed a batch: broken JSON in a row gives the same error.
 * @throws SluiceError TABLE_REFUSED
 */
export async function refuseByGuard(client: D1Client, planned: Planned, signal: AbortSignal): Promise<void> {
  const [names] = await client.read([namesInOrder(planned)], { signal })
  refuseUnordered(planned, names, 'target', client)
}
