/** How long partitions took, by the history of the ledger. */
import type { TableName } from '../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../model/copy/port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { textOf } from './cells.ts'
import { ledgerColumns } from './schema.ts'

/**
 * How long partitions took from their export to where the archive answers for them, ms by label: of those that went there at one go, the last time that they did.
 * Without the last step where they were left in the table.
 */
export async function takenMs(
  database: LedgerDatabase,
  { schema, name }: TableName,
): Promise<ReadonlyMap<string, number>> {
  if ((await ledgerColumns(database, 'migration_archive_history')).size === 0) return new Map()
  const { castText } = ledgerDialect(database.dialect).types
  const rows = await database.all(
    `SELECT partition_name, CAST(fence AS ${castText}), state, CAST(at_ms AS ${castText}) FROM migration_archive_history WHERE schema_name = ? AND table_name = ?`,
    [schema ?? '', name],
  )
  const times = new Map<string, Map<string, number>>()
  for (const [label, fence, state, at] of rows.map((row) => row.map(textOf))) {
    const key = JSON.stringify([label, fence])
    times.set(key, (times.get(key) ?? new Map<string, number>()).set(state ?? '', Number(at)))
  }
  const taken = new Map<string, { readonly since: number; readonly ms: number }>()
  for (const [key, states] of times) {
    const [since, end] = [states.get('EXPORTING'), states.get('DETACHED') ?? states.get('PUBLISHED')]
    const [label = ''] = JSON.parse(key) as readonly string[]
    if (since === undefined || end === undefined || end < since || (taken.get(label)?.since ?? 0) > since) continue
    taken.set(label, { since, ms: end - since })
  }
  return new Map([...taken].map(([label, { ms }]) => [label, ms]))
}
