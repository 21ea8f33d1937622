/** Streams that write into a table, in any ledger of its database. */
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { knowingLedgers } from './elsewhere.ts'
import type { TableKey } from './owner.ts'
import { streamsIntoTables } from './streams.ts'
import type { StreamRow } from './stream-row.ts'

/** Streams that have not ended: of the own ledger, else of the first other one that counts for a table and has any. */
export async function streamsInto(
  store: CopyStore,
  { database, signal }: { readonly database: LedgerDatabase; readonly signal: AbortSignal },
  keys: readonly TableKey[],
): Promise<readonly StreamRow[]> {
  const own = await streamsIntoTables(database, keys)
  if (own.length > 0) return own
  for (const key of keys) {
    const table = { ...(key.schema === '' ? {} : { schema: key.schema }), name: key.name }
    await using others = await knowingLedgers(store, database, table, signal)
    for (const other of others.places) {
      const found = await streamsIntoTables(other.database, [key])
      if (found.length > 0) return found
    }
  }
  return []
}
