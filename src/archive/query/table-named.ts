/** Finds a table by the name in a query. */
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { noSuchTable } from '../../engine/copy/plan/no-such-table.ts'
import type { CopyStore } from '../../model/copy/port.ts'

/** @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE */
export async function queriedTable(store: CopyStore, name: string, signal: AbortSignal): Promise<TableSpec> {
  const found = await store.tables(name, signal)
  const [table] = found.length === 1 ? found : found.filter((one) => tableText(one.table) === name)
  if (table !== undefined) return table
  if (found.length > 1) {
    throw new SluiceError(
      'AMBIGUOUS_TABLE',
      `${name} matches more than one table: ${found.map((one) => tableText(one.table)).join(', ')}`,
      {
        where: store.label,
        hint: 'name one of them with its schema',
      },
    )
  }
  throw await noSuchTable(store, name, `the database has no table ${name}`)
}
