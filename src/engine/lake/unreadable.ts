/** Warning for tables that readers must refuse, but that a catalog may have (`import --allow-refused`). */
import type { ReadableTable } from '../../catalog/catalog.ts'
import { stateAt } from '../../catalog/query/state.ts'
import { readerRefusal } from '../../delta/features.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'
import type { Run } from '../run/run-context.ts'

/** Warns if the protocol of the version needs more than this reader supports. @param name as the user gave it */
export async function warnUnreadable(
  reader: SqlReader,
  { tableId, version }: ReadableTable,
  name: string,
  run: Run<'log'>,
): Promise<void> {
  const { protocol, metadata } = await stateAt(reader, tableId, version)
  const refusal = protocol === null || metadata === null ? null : readerRefusal(protocol)
  if (refusal === null) return
  const message = `readers must refuse version ${version} (${refusal.code}: ${refusal.message}): the catalog answers from the commits, which may differ from the table`
  run.emit({ type: 'log', level: 'warn', table: name, message })
}
