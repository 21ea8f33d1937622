/** The tables that an operation on archives is about. */
import { prepareArchiveLedger, refuseNewer } from '../../archive/ledger/schema.ts'
import { archivedTables, readArchive, type ArchiveRecord } from '../../archive/ledger/record.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { namePattern } from '../../shared/name-pattern.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore, LedgerDatabase } from '../../stores/copy-port.ts'
import { isLedgerTable } from '../../stores/ledger-tables.ts'
import { noSuchTable } from '../copy/no-such-table.ts'
import { openExisting, openSourceStore } from '../copy/open-stores.ts'
import { readingLedger } from './reading-ledger.ts'

export type Opened = AsyncDisposable & { readonly store: CopyStore; readonly database: LedgerDatabase }

/**
 * A source with its ledger.
 * @param changes whether anything is going to be changed: then the ledger is created, or brought to this version
 * @throws SluiceError LEDGER_NEWER, CONNECT_FAILED
 */
export async function openSource(url: string, changes: boolean): Promise<Opened> {
  const store = changes ? await openExisting(url) : await openSourceStore(url)
  try {
    const ledger = await store.ledger()
    if (changes) await prepareArchiveLedger(ledger)
    else await refuseNewer(ledger)
    const database = changes ? ledger : readingLedger(ledger)
    return {
      store,
      database,
      async [Symbol.asyncDispose]() {
        await database[Symbol.asyncDispose]()
        await store[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

/** Tables of the source by names or patterns. @throws SluiceError NO_SUCH_TABLE */
export async function tablesOf(
  { store }: Pick<Opened, 'store'>,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<readonly TableSpec[]> {
  const found = new Map<string, TableSpec>()
  for (const pattern of patterns) {
    const tables = (await store.tables(pattern, signal)).filter(({ table }) => !isLedgerTable(table))
    if (tables.length === 0) throw await noSuchTable(store, pattern, `no table fits ${pattern}`)
    for (const table of tables) found.set(tableText(table.table), table)
  }
  return [...found.values()]
}

/**
 * One table that is archived.
 * @param hint what to do where nothing of it ever was
 * @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, PARTITION_STATE
 */
export async function archivedTable(
  opened: Opened,
  name: string,
  signal: AbortSignal,
  hint?: string,
): Promise<{ readonly table: TableSpec; readonly record: ArchiveRecord }> {
  const table = await tableNamed(opened, name, signal)
  const record = await readArchive(opened.database, table.table)
  if (record !== null) return { table, record }
  throw notArchived(table, opened.store, hint)
}

/** One table of the source. @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE */
export async function tableNamed(opened: Opened, name: string, signal: AbortSignal): Promise<TableSpec> {
  const [table, ...others] = await tablesOf(opened, [name], signal)
  if (table === undefined) throw await noSuchTable(opened.store, name, `no table fits ${name}`)
  if (others.length === 0) return table
  throw new SluiceError('AMBIGUOUS_TABLE', `${name} is more than one table`, { hint: 'name it with its schema' })
}

/** The table of an archive; one without columns where it is gone from the source, for which its archive is none the worse. */
export async function tableNow({ store }: Opened, { table }: ArchiveRecord, signal: AbortSignal): Promise<TableSpec> {
  const [found] = await store.tables(tableText(table), signal)
  return found ?? { table, identity: '', columns: [], key: [], primary: false, rows: 0n, bytes: 0n }
}

/** Archives by names or patterns of their tables, also of tables that are gone; all where no pattern is given. */
export async function recordsOf(
  { database, store }: Opened,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<readonly ArchiveRecord[]> {
  const all = await archivedTables(database)
  const chosen = new Set<ArchiveRecord>()
  for (const pattern of patterns.length === 0 ? ['*'] : patterns) {
    const fits = namePattern(pattern, store.can.folds?.tables ?? 'exact')
    const some = all.filter(({ table }) => fits(tableText(table)) || fits(table.name))
    if (some.length === 0 && patterns.length > 0) {
      const [table] = (await store.tables(pattern, signal)).filter((one) => !isLedgerTable(one.table))
      throw table === undefined
        ? await noSuchTable(store, pattern, `no table fits ${pattern}`)
        : notArchived(table, store)
    }
    for (const { table } of some) {
      const record = await readArchive(database, table)
      if (record !== null) chosen.add(record)
    }
  }
  return [...chosen]
}

export function notArchived(
  { table }: TableSpec,
  { label }: CopyStore,
  hint = 'sluice archive list shows what is',
): SluiceError {
  return new SluiceError('PARTITION_STATE', `nothing of ${tableText(table)} was ever archived`, {
    where: label,
    hint,
  })
}
