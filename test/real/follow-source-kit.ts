/** Helpers for a database whose changes are followed. */
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeSource, FollowedTable, FollowPreflight } from '../../src/model/follow/port.ts'
import { asThemselves, SIGNAL } from './copy-postgresql-kit.ts'

/** Servers with logical replication, for tests of streams. */
export const LOGICAL = [
  'wal_level=logical',
  'max_replication_slots=12',
  'max_wal_senders=12',
  'max_prepared_transactions=4',
]

export function changesOf(store: CopyStore): ChangeSource {
  const source = store.offers.slotChanges?.()
  if (source === undefined) throw new Error(`${store.label} tells no changes`)
  return source
}

/** Tables as a plan would follow them, without identities. */
export async function asked(store: CopyStore, ...names: readonly string[]): Promise<readonly FollowedTable[]> {
  const tables = await Promise.all(
    names.map(async (name) => {
      const [table] = await store.tables(name, SIGNAL)
      if (table === undefined) throw new Error(`there is no table ${name}`)
      return table
    }),
  )
  return tables.map((table) => ({
    table,
    columns: asThemselves(table).filter(({ column }) => column.generated !== true),
    identity: [],
  }))
}

function withIdentities(tables: readonly FollowedTable[], { identities }: FollowPreflight): readonly FollowedTable[] {
  return tables.map((table, at) => ({ ...table, identity: identities[at] ?? [] }))
}

/** Tables as they are followed after a preflight check without refusals. */
export async function followed(store: CopyStore, ...names: readonly string[]): Promise<readonly FollowedTable[]> {
  const tables = await asked(store, ...names)
  const preflight = await changesOf(store).inspect(tables, SIGNAL)
  if (preflight.refusals.length > 0) throw new Error(preflight.refusals.map(({ message }) => message).join('\n'))
  return withIdentities(tables, preflight)
}

/** Tables with their own keys as identities, without the preflight check, which takes a second. */
export async function keyed(store: CopyStore, ...names: readonly string[]): Promise<readonly FollowedTable[]> {
  return (await asked(store, ...names)).map((one) => ({ ...one, identity: one.table.key }))
}
