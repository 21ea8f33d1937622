/** Restores archived rows into partitions that cover their range now; compares them in the same transaction. */
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import type { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { InsertRequest } from '../../model/archive/port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { keyRefusal } from './restore-rows.ts'
import { otherRows } from './computed.ts'
import { fitNow, archivedReadColumns, sharedColumns, type ArchiveContext, type ClaimedPartition } from './context.ts'
import { attachedByHand, nativePartitions } from './detached-table.ts'
import { localFiles } from './local-files.ts'
import { NamedRowCounter, keysText } from './named-rows.ts'
import { proofOver, proveLogged } from './prove.ts'
import { otherTableCommand, partitionError } from './refusals.ts'
import { compareRowsNow, type ComparedTable } from './rows-now.ts'
import { storedRows } from './stored-rows.ts'
import { partitionRequest, proofOf, settledStep } from './detach-and-drop.ts'
import { fileColumns } from '../types/fit.ts'

/** Keys per lookup. */
const AT_ONCE = 1000

/** Other tables in the range of a detached native partition; empty if its range is free. */
export async function tablesInRange(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<readonly TableName[]> {
  const { native, from, to } = partition
  if (native === null) return []
  const tables = await nativePartitions(context).overlapping(context.table.table, { from, to }, context.interrupt.abort)
  if (tables.length === 0) return tables
  const own = await attachedByHand(context, partition)
  return own === null ? tables : tables.filter((one) => tableText(one) !== tableText(own))
}

/** Text such as `its rows are restored into public.visits_late, which is now within its bounds`. */
export function tableNamesText(tables: readonly TableName[]): string {
  const names = tables.map(tableText).join(', ')
  return `its rows are restored into ${names}, which ${tables.length === 1 ? 'is' : 'are'} now within its bounds; its own indexes, triggers and grants are not restored`
}

/** Error if the rows cannot be restored into these tables; null if all keys are free. @throws as `rowsNow` */
export async function amongOthersRefusal(
  context: ArchiveContext,
  partition: ArchivedPartition,
  tables: readonly TableName[],
): Promise<SluiceError | null> {
  const { name, table, store, interrupt } = context
  const { label } = partition
  const names = tables.map(tableText).join(', ')
  if (partition.away) {
    return partitionError(
      'PARTITION_STATE',
      name,
      { label },
      `cannot be attached: ${names} ${tables.length === 1 ? 'has' : 'have'} its bounds now`,
      {
        reason: 'its table was detached, and its checksum was not computed yet',
        hint: `bring it to DETACHED first: sluice archive run --table ${shellQuote(name)} --partition ${shellQuote(label)}; then run the same command again`,
      },
    )
  }
  const into: ComparedTable = { table, shared: fitNow(context, partition).shared }
  const keyless = keyRefusal(context, into)
  if (keyless !== null) return keyless
  const taken = new NamedRowCounter()
  await using view = await store.source(interrupt.abort)
  const columns = fileColumns(into.shared)
  for await (const rows of storedRows(context, partition, columns, AT_ONCE)) {
    for (const { how, key, there } of await compareRowsNow(context, into, view, rows))
      if (how !== 'missing') taken.add(key, there)
  }
  if (taken.rows === 0n) return null
  const { rows, keys } = taken.named()
  const many = `${rows} of its keys ${rows === 1n ? 'is' : 'are'} taken in the table`
  return partitionError(
    'PARTITION_CHANGED',
    name,
    { label },
    `cannot be restored into the table of ${names}: ${many}: ${keysText(rows, keys)}`,
    {
      reason: 'nothing was changed: queries still read these rows from the archive',
      hint: `give these rows other keys, or remove them, then run the same command again; or restore the archived rows into another table: ${otherTableCommand(name, partition)}`,
    },
  )
}

/**
 * DETACHED or DROPPED → RESTORED, or no change.
 * @param isMade true: rows are read from the files; false: from the detached table, which is then dropped
 * @throws SluiceError PARTITION_CHANGED, TABLE_REFUSED, LEASE_LOST, ARCHIVE_CONFLICT
 */
export async function restoreAmongOthers(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  isMade: boolean,
): Promise<void> {
  const { ledger, interrupt, table } = context
  const { shared } = fitNow(context, partition)
  const files = fileColumns(shared)
  await proveLogged(context, partition)
  const back = { restoring: false, retracted: false, error: null, away: false } as const
  const closing = ledger.closing(held, partition.state, 'RESTORED', back)
  const expectCame = await proofOver(context, partition, files)
  const request: InsertRequest = {
    ...partitionRequest(context, partition, closing),
    label: partition.label,
    columns: isMade ? sharedColumns(shared) : archivedReadColumns(partition.columns),
    expect: isMade ? expectCame : proofOf(partition),
    came: sharedColumns(shared),
    expectCame,
    sources: files.map((file) => file.name),
    key: table.key,
  }
  if (!isMade) {
    const end = await nativePartitions(context).insertRows(request, null)
    return settledStep(end, context, partition, (how) => otherRows(context, partition, how))
  }
  await using local = await localFiles(context, partition.files)
  const parquet = await context.parquet()
  const csv = parquet.csv({ columns: files, all: partition.columns, files: local.paths, signal: interrupt.abort })
  const end = await nativePartitions(context).insertRows(request, csv)
  settledStep(end, context, partition, (how) => otherRows(context, partition, how))
}
