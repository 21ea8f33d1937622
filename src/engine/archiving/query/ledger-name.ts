/** Which archive is that of a table, also of one that has another name since it was archived. */
import { readArchive, type ArchivedTable, type ArchiveRecord } from '../../../archive/ledger/record.ts'
import type { ColumnNumbers } from '../../../archive/types/evolve.ts'
import { isArchived } from '../../../model/archiving/state.ts'
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../stores/copy-port.ts'
import type { Ledgers } from '../ledgers.ts'

/**
 * The name under which a ledger has a table: its own, else one that it had before. The system says so by a number that a table has for as long as it exists.
 * @throws SluiceError PARTITION_STATE where the table may be an archived one under another name and the system cannot tell; as `Ledgers.of`
 */
export async function ledgerName(
  store: CopyStore,
  ledgers: Ledgers,
  table: TableSpec,
  signal: AbortSignal,
): Promise<TableName> {
  const recorded = async (name: TableName): Promise<ArchiveRecord | null> =>
    await readArchive((await ledgers.of(name, signal)).database, name)
  if ((await recorded(table.table)) !== null) return table.table
  const others = await ledgers.tables(signal)
  if (others.length === 0) return table.table
  const numbers = (await store.columnNumbers?.(table, signal)) ?? null
  const same = others.find((one) => isNumbered(one, numbers))
  if (same !== undefined) return same.table
  for (const one of others) {
    const isTold = numbers !== null && one.stored.numbersOf !== undefined
    if (isTold || !isAlike(one, table) || (await store.tables(tableText(one.table), signal)).length > 0) continue
    const other = await recorded(one.table)
    if (other?.partitions.some(({ state }) => isArchived(state)) === true) throw perhapsRenamed(store, one, table)
  }
  return table.table
}

/**
 * Before a table gets an archive: none of its earlier names has one.
 * @throws SluiceError PARTITION_STATE
 */
export async function refuseSecondArchive(
  store: CopyStore,
  ledgers: Ledgers,
  table: TableSpec,
  signal: AbortSignal,
): Promise<void> {
  const name = await ledgerName(store, ledgers, table, signal)
  const [old, now] = [tableText(name), tableText(table.table)]
  if (old === now) return
  throw new SluiceError('PARTITION_STATE', `${now} has an archive already, under the name ${old}`, {
    where: store.label,
    reason: 'a second archive of one table would know nothing of the rows of the first',
    hint: `rename the table back to ${old}, which finds its archive again, then run the same command for ${old}`,
  })
}

/** Numbers of a database that was copied may be those of another table: a column has to agree, too. */
function isNumbered({ stored }: ArchivedTable, numbers: ColumnNumbers): boolean {
  if (numbers === null || stored.numbersOf !== numbers.of) return false
  return stored.columns.some(({ name, number }) => number !== undefined && numbers.numbers.get(name) === number)
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
    `${now} may be ${old} under another name, whose archive this command would leave out`,
    {
      where: label,
      reason: `the ledger has archived rows of ${old}, the database has no such table any more, and ${now} has all of its columns`,
      hint: `rename the table back to ${old}, which finds its archive again; if ${now} is another table, an empty table of the name ${old} says so`,
    },
  )
}
