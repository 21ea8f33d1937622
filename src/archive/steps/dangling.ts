/** Rows that came back, and refer by a foreign key to rows that are gone: a system that enforces keys refuses them. */
import { tableText } from '../../model/copy/column-type.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import type { Place } from './rows-now.ts'

/** Warns of such rows, by key; they stay, since the archive holds no other form of them. */
export async function warnOfDangling(
  { store, name, emit, interrupt }: ArchiveContext,
  { label }: ArchivedPartition,
  { table, where }: Place,
): Promise<void> {
  const found = (await store.referrers?.().dangling?.(table.table, where, interrupt.abort)) ?? []
  for (const { columns, to, rows } of found) {
    emit({
      type: 'log',
      level: 'warn',
      table: name,
      message: `${label}: ${rows} ${rows === 1n ? 'row refers' : 'rows refer'} by (${columns.join(', ')}) to rows of ${tableText(to)} that are gone`,
      hint: `bring those rows of ${tableText(to)} back, too: ${store.system} does not ask for them here`,
    })
  }
}
