/** Which archive is that of a table: a table may have another name since it was archived, and another table its old one. */
import { readArchive, type ArchivedTable, type ArchiveRecord } from '../../archive/ledger/record.ts'
import { isArchived } from '../../model/archiving/state.ts'
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { CopyStore, NumberedTable, Origin } from '../../stores/copy-port.ts'
import { hasSwitched, readSwitches } from '../cutover/switch-row.ts'
import type { Ledgers, Opened } from './ledgers.ts'

/** A database with its ledgers, as `OpenSource` is one. */
export type Sought = { readonly store: CopyStore; readonly ledgers: Ledgers }

/** `name`: under which the ledger has the table, or is to have it. */
export type ArchiveOf = { readonly opened: Opened; readonly name: TableName; readonly record: ArchiveRecord | null }

/**
 * The archive of a table, whatever the table was called when it was archived.
 * @throws SluiceError PLAN_CHANGED where the ledger has its name for a table that is called otherwise by now; as `Ledgers.of`
 */
export async function archiveOf(
  { store, ledgers }: Sought,
  { table }: Pick<TableSpec, 'table'>,
  signal: AbortSignal,
): Promise<ArchiveOf> {
  const at = async (name: TableName): Promise<ArchiveOf> => {
    const opened = await ledgers.of(name, signal)
    return { opened, name, record: await readArchive(opened.database, name) }
  }
  const called = tableText(table)
  const own = await at(table)
  if (own.record !== null) {
    const now = await nameNow({ store, ledgers }, own.record, signal)
    if (tableText(now) !== called) throw otherTable(store, own.record, now)
    return own
  }
  if (store.tableNumbered === undefined) return own
  for (const one of await ledgers.tables(signal)) {
    const now = await nameNow({ store, ledgers }, one, signal)
    if (tableText(now) === called) return await at(one.table)
  }
  return own
}

/**
 * What the table of an archive is called by now: the name that the ledger has, unless the system knows it under another one by the number that a table
 * has for as long as it exists. A table that `cutover` has parked gave its archive to the one that took its name.
 */
export async function nameNow(
  { store, ledgers }: Sought,
  archived: ArchivedTable,
  signal: AbortSignal,
): Promise<TableName> {
  const { numbersOf } = archived.stored
  const found = numbersOf === undefined ? null : ((await store.tableNumbered?.(numbersOf, signal)) ?? null)
  if (found === null) return archived.table
  const [before, now] = [tableText(archived.table), tableText(found.table)]
  if (before === now || !hasNumbers(archived, found) || (await isElsewhere(store, archived.origin, signal)))
    return archived.table
  const switches = await readSwitches(ledgers.own)
  const isParked = switches.some((one) => one.parkedTable === now && hasSwitched(one.status))
  return isParked ? archived.table : found.table
}

/** Numbers of a database that was copied may be those of another table: its columns have to agree, too. */
function hasNumbers({ stored }: ArchivedTable, { numbers }: NumberedTable): boolean {
  return stored.columns.some(({ name, number }) => number !== undefined && numbers.get(name) === number)
}

/** A number says nothing in another database than the one that gave it. */
async function isElsewhere(store: CopyStore, then: Origin | null, signal: AbortSignal): Promise<boolean> {
  const now = (await store.origin?.(signal)) ?? {}
  return ['system', 'database'].some((fact) => {
    const [was, is] = [then?.[fact], now[fact]]
    return was !== undefined && is !== undefined && was !== is
  })
}

/** For the name of an archived table that another table has by now. */
export function otherTable({ label }: CopyStore, { table, archive }: ArchivedTable, now: TableName): SluiceError {
  const [old, name] = [tableText(table), tableText(now)]
  return new SluiceError('PLAN_CHANGED', `the archive of ${old} is that of the table which is called ${name} now`, {
    where: label,
    reason: `that table was renamed, and the one that is called ${old} now is another one: ${archive} has no rows of it`,
    hint: `--table ${shellQuote(name)} finds the archive; the other table is archived once it has a name of its own, or, where it took the place of ${name} with all of its rows, once ${name} is dropped`,
  })
}

/**
 * For systems whose tables have no numbers.
 * @throws SluiceError PARTITION_STATE where a table without an archive may be an archived one under another name
 */
export async function refusePerhapsRenamed(
  { store, ledgers }: Sought,
  table: TableSpec,
  signal: AbortSignal,
): Promise<void> {
  for (const one of await ledgers.tables(signal)) {
    const isTold = store.tableNumbered !== undefined && one.stored.numbersOf !== undefined
    if (isTold || !isAlike(one, table) || (await store.tables(tableText(one.table), signal)).length > 0) continue
    const { database } = await ledgers.of(one.table, signal)
    const other = await readArchive(database, one.table)
    if (other?.partitions.some(({ state }) => isArchived(state)) === true) throw perhapsRenamed(store, one, table)
  }
}

/** Whether the table has all columns of the archive. */
function isAlike({ stored }: ArchivedTable, { columns }: TableSpec): boolean {
  return stored.columns.every(({ name, column: { native } }) =>
    columns.some((column) => column.name === name && column.native === native),
  )
}

function perhapsRenamed({ label }: CopyStore, archived: ArchivedTable, { table }: TableSpec): SluiceError {
  const [old, now] = [tableText(archived.table), tableText(table)]
  return new SluiceError(
    'PARTITION_STATE',
    `${now} may be ${old} under another name, and the archive of ${old} is not asked`,
    {
      where: label,
      reason: `the ledger has archived rows of ${old}, the database has no such table any more, and ${now} has all of its columns`,
      hint: `rename the table back to ${old}, which finds its archive again; if ${now} is another table, an empty table of the name ${old} says so`,
    },
  )
}
