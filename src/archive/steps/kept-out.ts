/** Archived rows that a table does not take by its key, although none stands in it under theirs. */
import { rowKeyOf } from '../../model/copy/row-key.ts'
import type { Row } from '../../model/copy/rows.ts'
import { withWriter } from '../../stores/common/with-writer.ts'
import { Naming, type NamedRows } from './named-rows.ts'
import type { KeyedTable } from './one-key.ts'

/**
 * The rows that the table leaves out, each tried by itself in a transaction that is rolled back.
 * @param rows whose keys are free in the table
 * @throws SluiceError ROW_REFUSED, CONNECTION_LOST …
 */
export async function findKeptOut(
  rows: readonly Row[],
  { target, table, columns, pastTriggers = false, signal }: KeyedTable,
): Promise<NamedRows> {
  const places = table.key.map((name) => columns.findIndex((one) => one.name === name))
  const kept = new Naming()
  const keys = rows.map((row) => rowKeyOf(row, places))
  const request = {
    table,
    columns,
    range: { by: 'keys', keys } as const,
    onExisting: 'append' as const,
    careful: false,
    pastTriggers,
    cursor: null,
    signal,
  }
  await withWriter(target, request, async (writer) => {
    for (const [at, row] of rows.entries()) if ((await writer.write([row])) === 0) kept.add(keys[at] ?? [])
  })
  return kept.named()
}
