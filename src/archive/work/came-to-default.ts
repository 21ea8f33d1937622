/** Rows of a period that was archived out of a plain table come back after the table was partitioned. */
import type { ArchiveContext } from '../steps/context.ts'
import { isByValue } from '../ledger/by-value.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { SluiceError } from '../../shared/errors.ts'
import { tableText } from '../../model/copy/column-type.ts'

/** That its rows stand in the default partition, and what has them archived again; null where they stand in partitions of their own, or in a plain table. */
export async function cameToDefault(
  { store, table, archived, interrupt }: Pick<ArchiveContext, 'store' | 'table' | 'archived' | 'interrupt'>,
  { label, native, from, to }: Pick<ArchivedPartition, 'label' | 'native' | 'from' | 'to'>,
): Promise<{ readonly message: string; readonly hint: string } | null> {
  const partitions = store.partitions?.()
  if (native !== null || partitions === undefined || isByValue(archived)) return null
  try {
    const found = await partitions.list(table, interrupt.abort)
    const rest = found?.partitions.find(({ isDefault }) => isDefault)
    if (rest === undefined || (await partitions.standing(table.table, { from, to }, interrupt.abort)).length > 0)
      return null
    return {
      message: `rows of ${label} came into the default partition ${tableText(rest.table.table)}, which no run archives`,
      hint: `a partition from ${from ?? 'MINVALUE'} to ${to ?? 'MAXVALUE'} has them archived again: take these rows out of ${tableText(rest.table.table)}, make the partition by hand, and put the rows in again, in one transaction`,
    }
  } catch (error) {
    // The rows are there: what cannot be found out is no fault of the restore.
    if (error instanceof SluiceError && error.code !== 'STOPPED') return null
    throw error
  }
}
