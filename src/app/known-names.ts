/** Names in a database, for completion. Read-only. */
import { tableText } from '../model/copy/column-type.ts'
import { isLedgerTable } from '../stores/common/ledger-tables.ts'
import { EVERY_TABLE } from '../engine/copy/operations/discover-database/declaration.ts'
import { openArchiveSource, recordsOf, type OpenSource } from '../archive/work/each-table.ts'
import { openSourceStore } from '../engine/copy/open-stores.ts'

/** @property meaning a short note; may be empty */
export type KnownName = { readonly name: string; readonly meaning: string }

/** `partition`: labels of archived partitions, and names of native ones. */
export type NamedKind = 'table' | 'column' | 'partition'

/**
 * @param url URL of a database @param tables names or patterns of the tables to search; empty for all tables
 * @throws SluiceError UNSUPPORTED_URL, CONNECT_FAILED, LEDGER_NEWER, NO_SUCH_TABLE
 */
export async function knownNames(
  url: string,
  kind: NamedKind,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<readonly KnownName[]> {
  if (kind === 'partition') {
    await using opened = await openArchiveSource(url, false)
    return await partitionNames(opened, tables, signal)
  }
  await using store = await openSourceStore(url)
  const found = new Map<string, string>()
  for (const pattern of tables.length === 0 || kind === 'table' ? EVERY_TABLE : tables) {
    const some = (await store.tables(pattern, signal)).filter(({ table }) => !isLedgerTable(table))
    if (kind === 'table') {
      for (const { table } of some) found.set(table.name, '').set(tableText(table), '')
    } else for (const { columns } of some) for (const { name, native } of columns) found.set(name, native)
  }
  return [...found].map(([name, meaning]) => ({ name, meaning }))
}

async function partitionNames(
  opened: OpenSource,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<readonly KnownName[]> {
  const found = new Map<string, string>()
  const archived = await recordsOf(opened, [], signal)
  const isMeant = new Set<string>()
  for (const pattern of tables) {
    for (const table of await opened.store.tables(pattern, signal)) {
      isMeant.add(tableText(table.table))
      // Ignore the error if archives do not support the partitioning: the plan reports it.
      const natives = await opened.store.offers.partitions?.list(table, signal).catch(() => null)
      for (const { table: part, isDefault } of natives?.partitions ?? []) {
        if (!isDefault) found.set(part.table.name, 'not archived')
      }
    }
  }
  for (const {
    name: table,
    record: { partitions },
  } of archived) {
    if (tables.length > 0 && !isMeant.has(tableText(table)) && !tables.includes(table.name)) continue
    for (const { label, native, state } of partitions) {
      if (native !== null) found.delete(native.table.name)
      found.set(label, state)
    }
  }
  return [...found].map(([name, meaning]) => ({ name, meaning }))
}
