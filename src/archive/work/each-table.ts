/** Finds the tables of an archive operation. */
import { readArchive, type ArchivedTable, type ArchiveRecord } from '../ledger/record.ts'
import {
  calledExactly,
  quotedTable,
  tableText,
  tableTextBefore,
  type TableName,
  type TableSpec,
} from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { isLedgerTable } from '../../stores/common/ledger-tables.ts'
import { noSuchTable } from '../../engine/copy/plan/no-such-table.ts'
import { archiveOf, namesNow, otherArchivedTable, refuseMaybeRenamed } from './find-archive.ts'
import { requireRemoval } from '../plan/plan-refusals.ts'
import { refuseSwappedColumns } from '../plan/swapped-columns.ts'
import { openExisting, openSourceStore } from '../../engine/copy/open-stores.ts'
import { READ_HINT, Ledgers, type OpenedArchive } from './find-ledger.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { namePattern, type LetterCase } from '../../shared/name-pattern.ts'

export type { OpenedArchive } from './find-ledger.ts'

/** A database with its archive ledgers. `database` is the ledger that records streams and new archives. */
export type OpenSource = AsyncDisposable &
  OpenedArchive & {
    readonly ledgers: Ledgers
    /** @throws SluiceError as `Ledgers.of` */
    of(table: TableName, signal: AbortSignal): Promise<OpenedArchive>
  }

/**
 * Opens a source with its ledgers.
 * @param changes true if the command changes data: then the ledger of a table is created, or upgraded to this version,
 * when it is first requested
 * @throws SluiceError LEDGER_NEWER, CONNECT_FAILED; UNSUPPORTED_URL if `changes`, and the system cannot remove rows
 */
export async function openArchiveSource(url: string, changes: boolean): Promise<OpenSource> {
  const store = changes ? await openExisting(url) : await openSourceStore(url)
  try {
    if (changes) requireRemoval(store)
    const ledgers = await Ledgers.open(store, changes)
    return {
      store,
      database: ledgers.own,
      ledgers,
      of: (table, signal) => ledgers.of(table, signal),
      async [Symbol.asyncDispose]() {
        await ledgers[Symbol.asyncDispose]()
        await store[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

/** Tables of the source by names or patterns. @throws SluiceError NO_SUCH_TABLE */
export async function sourceTables(
  { store }: Pick<OpenedArchive, 'store'>,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<readonly TableSpec[]> {
  const found = new Map<string, TableSpec>()
  for (const pattern of patterns) {
    const tables = (await store.tables(pattern, signal)).filter(({ table }) => !isLedgerTable(table))
    if (tables.length === 0) throw await noSuchTable(store, pattern, `no table matches ${pattern}`)
    for (const table of tables) found.set(tableText(table.table), table)
  }
  return [...found.values()]
}

/**
 * One archived table.
 * @param hint hint if the table was never archived
 * @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, PARTITION_STATE; as `archiveOf`
 */
export async function archivedTable(
  source: OpenSource,
  name: string,
  signal: AbortSignal,
  hint?: string,
): Promise<{ readonly table: TableSpec; readonly record: ArchiveRecord; readonly opened: OpenedArchive }> {
  const table = await oneSourceTable(source, name, signal)
  const { record, opened } = await archiveOf(source, table, signal)
  if (record !== null) {
    await refuseSwappedColumns(source.store, table, record, signal)
    return { table, record, opened }
  }
  await refuseMaybeRenamed(source, table, signal)
  throw notArchived(table, opened.store, hint)
}

/** One table of the source. @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE */
export async function oneSourceTable(
  { store }: Pick<OpenedArchive, 'store'>,
  name: string,
  signal: AbortSignal,
): Promise<TableSpec> {
  const found = await sourceTables({ store }, [name], signal)
  const [table] = found
  if (table !== undefined && found.length === 1) return table
  const names = found.map((one) => tableText(one.table)).join(', ')
  throw new SluiceError('AMBIGUOUS_TABLE', `${name} matches more than one table: ${names}`, {
    where: store.label,
    hint: 'name one of them, with its schema; put a name with a dot into double quotes',
  })
}

/** The table of an archive; without columns if the source no longer has it: its archive is still valid. */
export async function tableNow(
  { store }: Pick<OpenedArchive, 'store'>,
  table: TableName,
  signal: AbortSignal,
): Promise<TableSpec> {
  const [found] = await store.tables(tableText(table), signal)
  return found ?? { table, identity: '', columns: [], key: [], primary: false, rows: 0n, bytes: 0n }
}

/** `name`: present name of the table; if it no longer exists, its name in the ledger. */
export type RecordOf = { readonly name: TableName; readonly record: ArchiveRecord; readonly opened: OpenedArchive }

/**
 * Archives by names or patterns of their tables, including missing tables; all if no pattern is given.
 * @throws SluiceError NO_SUCH_TABLE, PARTITION_STATE; PLAN_CHANGED for a name that another table has now; as
 * `Ledgers.of`
 */
export async function recordsOf(
  source: OpenSource,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<readonly RecordOf[]> {
  const { store } = source
  const all = await calledNow(source, signal)
  const chosen = new Map<string, RecordOf>()
  for (const pattern of patterns.length === 0 ? ['*'] : patterns) {
    const fits = tablePattern(pattern, store.can.folds?.tables ?? 'exact')
    const matching = all.filter(({ name }) => fits(name))
    const some = [...calledExactly(matching, pattern, ({ name }) => name)]
    const other =
      some.length > 0 || pattern.includes('*') ? undefined : all.find(({ archived }) => fits(archived.table))
    if (other !== undefined) await refuseOther(source, other, signal)
    some.push(...(other === undefined ? [] : [other]))
    if (some.length === 0 && patterns.length > 0) {
      const [table] = (await store.tables(pattern, signal)).filter((one) => !isLedgerTable(one.table))
      throw table === undefined
        ? await noSuchTable(store, pattern, `no table matches ${pattern}`)
        : notArchived(table, store)
    }
    for (const { name, archived } of some) {
      const opened = await source.of(archived.table, signal)
      const record = await readArchive(opened.database, archived.table)
      if (record !== null) chosen.set(tableText(archived.table), { name, record, opened })
    }
  }
  return [...chosen.values()]
}

/**
 * Test whether a pattern of the user matches a table. A pattern is a name with or without the schema, with `*` for any
 * characters; or schema and name in double quotes, as in SQL.
 */
function tablePattern(pattern: string, letters: LetterCase): (table: TableName) => boolean {
  const fits = namePattern(pattern, letters)
  const quoted = quotedTable(pattern)
  return (table) =>
    fits(tableTextBefore(table)) ||
    fits(table.name) ||
    (table.name === quoted?.name && (quoted.schema === undefined || table.schema === quoted.schema))
}

type Called = { readonly name: TableName; readonly archived: ArchivedTable }

async function calledNow(source: OpenSource, signal: AbortSignal): Promise<readonly Called[]> {
  const all = await source.ledgers.tables(signal)
  const names = await namesNow(source, all, signal)
  return all.map((archived) => ({ archived, name: names.get(tableText(archived.table)) ?? archived.table }))
}

/** Refuses an archive that was found by the former name of its table, if another table has this name now. */
async function refuseOther(source: OpenSource, { name, archived }: Called, signal: AbortSignal): Promise<void> {
  const there = await source.store.tables(tableText(archived.table), signal)
  if (there.length > 0) throw otherArchivedTable(source.store, archived, name)
}

/** Warns that a listing of all archives may be incomplete. */
export async function reportUnreadLedgers({ ledgers }: OpenSource, { emit, interrupt }: Run<'log'>): Promise<void> {
  for (const schema of await ledgers.unread(interrupt.abort)) {
    const message = `schema ${schema} has a ledger of archives that this login cannot read: its archives are not shown here`
    emit({ type: 'log', level: 'warn', message, hint: READ_HINT })
  }
}

export function notArchived(
  { table }: TableSpec,
  { label }: CopyStore,
  hint = 'sluice archive list shows the archived tables',
): SluiceError {
  return new SluiceError('PARTITION_STATE', `${tableText(table)} was never archived`, {
    where: label,
    hint,
  })
}
