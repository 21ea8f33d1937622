/** The archive of a table, also of one that has another name since it was archived. */
import { archivedTables, readArchive, type ArchivedTable, type ArchiveRecord } from '../../../archive/ledger/record.ts'
import type { ColumnNumbers } from '../../../archive/types/evolve.ts'
import { isArchived } from '../../../model/archiving/state.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, LedgerDatabase } from '../../../stores/copy-port.ts'

/**
 * By the name of the table, else by the number that the system gives a table for as long as it exists.
 * @returns null where nothing of the table was archived; `table` of the record is the name that the ledger has
 * @throws SluiceError PARTITION_STATE where the table may be an archived one under another name and the system cannot tell
 */
export async function archiveOf(
  store: CopyStore,
  ledger: LedgerDatabase,
  table: TableSpec,
  signal: AbortSignal,
): Promise<ArchiveRecord | null> {
  const record = await readArchive(ledger, table.table)
  if (record !== null) return record
  const others = await archivedTables(ledger)
  if (others.length === 0) return null
  const numbers = (await store.columnNumbers?.(table, signal)) ?? null
  const same = others.find((one) => isNumbered(one, numbers))
  if (same !== undefined) return await readArchive(ledger, same.table)
  for (const one of others) {
    const isTold = numbers !== null && one.stored.numbersOf !== undefined
    if (isTold || !isAlike(one, table) || (await store.tables(tableText(one.table), signal)).length > 0) continue
    const other = await readArchive(ledger, one.table)
    if (other?.partitions.some(({ state }) => isArchived(state)) === true) throw perhapsRenamed(store, one, table)
  }
  return null
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
    `${now} may be ${old} under another name, and the archive of ${old} is not asked`,
    {
      where: label,
      reason: `the ledger has archived rows of ${old}, the database has no such table any more, and ${now} has all of its columns`,
      hint: `rename the table back to ${old}, which finds its archive again; if ${now} is another table, an empty table of the name ${old} says so`,
    },
  )
}
