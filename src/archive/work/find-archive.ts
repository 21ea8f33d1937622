/** Finds the archive of a table, also if the table was renamed and another table now has its old name. */
import { isOtherDatabase } from '../ledger/other-database.ts'
import { readArchive, type ArchivedTable, type ArchiveRecord } from '../ledger/record.ts'
import { isArchived } from '../../model/archive/state.ts'
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { NumberedTable, TableIdentities } from '../../model/archive/port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { hasSwitched, readCutovers, type CutoverRow } from '../../engine/follow/cutover/cutover-row.ts'
import type { Ledgers, OpenedArchive } from './find-ledger.ts'
import { hasRecordedRow, witnessed } from './witness.ts'

/** A database with its ledgers; `OpenSource` is one. */
export type LedgerSource = { readonly store: CopyStore; readonly ledgers: Ledgers }

/** `name`: name under which the ledger has the table, or will have it. */
export type ArchiveOf = {
  readonly opened: OpenedArchive
  readonly name: TableName
  readonly record: ArchiveRecord | null
}

/**
 * The archive of a table, also if the table was renamed.
 * @throws SluiceError PLAN_CHANGED if the ledger has another table under this name, which was renamed since; as
 * `Ledgers.of`
 */
export async function archiveOf(
  sought: LedgerSource,
  { table }: Pick<TableSpec, 'table'>,
  signal: AbortSignal,
): Promise<ArchiveOf> {
  const { other, ...found } = await findArchive(sought, table, signal)
  if (other !== null) throw otherArchivedTable(sought.store, other.archived, other.now)
  return found
}

/**
 * As `archiveOf`, but without an error if the archive under this name belongs to a renamed table.
 * @returns `other`: that archive, with the present name of its table; null if there is none, or if this table has its
 * own archive under a former name
 * @throws as `Ledgers.of`
 */
export async function findArchive(
  sought: LedgerSource,
  table: TableName,
  signal: AbortSignal,
): Promise<ArchiveOf & { readonly other: { readonly archived: ArchivedTable; readonly now: TableName } | null }> {
  const { store, ledgers } = sought
  const at = async (name: TableName): Promise<ArchiveOf> => {
    const opened = await ledgers.of(name, signal)
    return { opened, name, record: await readArchive(opened.database, name) }
  }
  const called = tableText(table)
  const own = await at(table)
  let other: { readonly archived: ArchivedTable; readonly now: TableName } | null = null
  if (own.record !== null) {
    const now = (await namesNow(sought, [own.record], signal)).get(called) ?? table
    if (tableText(now) === called) return { ...own, other }
    other = { archived: own.record, now }
  }
  if (store.offers.identities === undefined) return { ...own, other }
  const all = await ledgers.tables(signal)
  const names = await namesNow(sought, all, signal)
  const renamed = all.find((one) => tableText(names.get(tableText(one.table)) ?? one.table) === called)
  return renamed === undefined ? { ...own, record: null, other } : { ...(await at(renamed.table)), other: null }
}

/**
 * Present names of archived tables, by `tableText` of their names in the ledger. Both names are equal, unless a table
 * is found under another name, by its table number or witness. After a cutover, the archive of the old table belongs to
 * the new table, because the new table has the name of the old one.
 */
export async function namesNow(
  { store, ledgers }: LedgerSource,
  archives: readonly ArchivedTable[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TableName>> {
  const names = new Map(archives.map(({ table }) => [tableText(table), table]))
  const identities = store.offers.identities
  if (identities === undefined) return names
  const known =
    identities.by === 'number'
      ? await numbered(store, identities, archives, signal)
      : await witnessed(store, identities, archives, signal)
  const renamed = [...known].filter(([before, now]) => tableText(now) !== before)
  if (renamed.length === 0) return names
  const oldTables = new Set((await readCutovers(ledgers.own)).filter(isOldTable).map(({ oldTable }) => oldTable))
  for (const [before, now] of renamed) if (!oldTables.has(tableText(now))) names.set(before, now)
  return names
}

function isOldTable({ status }: CutoverRow): boolean {
  return hasSwitched(status)
}

/** Present names of archived tables, found by table number: a table keeps its number until it is dropped. */
async function numbered(
  store: CopyStore,
  numbers: TableIdentities & { readonly by: 'number' },
  archives: readonly ArchivedTable[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TableName>> {
  const asked = archives.flatMap(({ stored }) => stored.numbersOf ?? [])
  const there = asked.length === 0 ? new Map<string, NumberedTable>() : await numbers.tables(asked, signal)
  const here = there.size === 0 ? {} : ((await store.offers.identification?.origin(signal)) ?? {})
  const found = new Map<string, TableName>()
  for (const one of archives) {
    const table = there.get(one.stored.numbersOf ?? '')
    if (table !== undefined && hasNumbers(one, table) && !isOtherDatabase(one.origin, here))
      found.set(tableText(one.table), table.table)
  }
  return found
}

/** True if column numbers match too: in a copied database, the table number may belong to another table. */
function hasNumbers({ stored }: ArchivedTable, { numbers }: NumberedTable): boolean {
  return stored.columns.some(({ name, number }) => number !== undefined && numbers.get(name) === number)
}

/** Error: another table has the name of an archived table now. */
export function otherArchivedTable(store: CopyStore, { table, archive }: ArchivedTable, now: TableName): SluiceError {
  const [old, name] = [tableText(table), tableText(now)]
  // A copied table never has the table number of its original, but it may match the witness. So without table numbers,
  // the hint must not advise to drop the table that matches: it may be the live one.
  const otherwise =
    store.offers.identities?.by === 'number'
      ? `drop ${name} if the other table replaced it and has all of its rows`
      : `rename a key column of ${name} if it is a copy of the other table`
  return new SluiceError('PLAN_CHANGED', `the archive of ${old} belongs to the table that is now called ${name}`, {
    where: store.label,
    reason: `that table was renamed, and the present ${old} is another table: ${archive} has no rows of it`,
    hint: `use --table ${shellQuote(name)} for this archive; to archive the other table, rename it, or ${otherwise}`,
  })
}

/**
 * Refuses a table that may be a renamed archived table, if neither a table number nor a witness identifies the archived
 * table.
 * @throws SluiceError PARTITION_STATE if a table without an archive may be a renamed archived one
 */
export async function refuseMaybeRenamed(
  { store, ledgers }: LedgerSource,
  table: TableSpec,
  signal: AbortSignal,
): Promise<void> {
  const all = await ledgers.tables(signal)
  const names = await namesNow({ store, ledgers }, all, signal)
  for (const one of all) {
    const isNumbered = store.offers.identities?.by === 'number' && one.stored.numbersOf !== undefined
    const isReported = isNumbered || names.get(tableText(one.table)) !== one.table
    if (isReported || (await store.tables(tableText(one.table), signal)).length > 0) continue
    const has = hasAllColumns(one, table) ? 'all of its columns' : 'some of its rows'
    if (!hasAllColumns(one, table) && !(await hasRecordedRow(store, table, one, signal))) continue
    const { database } = await ledgers.of(one.table, signal)
    const other = await readArchive(database, one.table)
    if (other?.partitions.some(({ state }) => isArchived(state)) === true)
      throw maybeRenamedError(store, one, table, has)
  }
}

/** True if the table has all columns of the archive. */
function hasAllColumns({ stored }: ArchivedTable, { columns }: TableSpec): boolean {
  return stored.columns.every(({ name, column: { native } }) =>
    columns.some((column) => column.name === name && column.native === native),
  )
}

function maybeRenamedError(
  { label }: CopyStore,
  archived: ArchivedTable,
  { table }: TableSpec,
  has: string,
): SluiceError {
  const [old, now] = [tableText(archived.table), tableText(table)]
  return new SluiceError(
    'PARTITION_STATE',
    `the archive of ${old} cannot be used: ${now} may be ${old} under another name`,
    {
      where: label,
      reason: `the ledger has archived rows of ${old}, the database no longer has that table, and ${now} has ${has}`,
      hint: `rename the table back to ${old}, and its archive is found again; if ${now} is another table, create an empty table ${old}`,
    },
  )
}
