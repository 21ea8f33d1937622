/** Finds tables that are detached, or are being detached, and whose rows queries still read. */
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { attachedNow } from '../steps/detached-table.ts'
import { columnsFit, isSameShape } from '../types/fit.ts'
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { DetachState } from '../../model/archive/port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { MissingPartition } from '../plan/native-parts.ts'
import { missingPartitions } from '../plan/missing-partitions.ts'
import { detachedPartitions, leavingPartitions } from './archived-part.ts'
import type { AwayTable } from './hot-part.ts'

/** Detached tables whose rows queries still read. @throws SluiceError PARTITION_STATE if a table does not exist */
export async function detachedTables(
  store: CopyStore,
  record: ArchiveRecord | null,
  wanted: (partition: ArchivedPartition) => boolean,
  signal: AbortSignal,
): Promise<readonly AwayTable[]> {
  const tables: AwayTable[] = []
  for (const partition of detachedPartitions(record).filter(wanted)) {
    const { native } = partition
    const table =
      native === null ? null : await store.offers.partitions?.detachedTable(native.table, native.identity, signal)
    if (table == null) throw missingTableError(record, partition)
    tables.push(awayTable(record, partition, table))
  }
  return tables
}

type Leaving = {
  readonly partition: ArchivedPartition
  readonly standing: DetachState
  readonly table: TableSpec | null
}

/**
 * @property leaving partitions that are being detached outside of a transaction
 * @property attached tables that were detached and attached again by hand, by partition label: their rows are read
 * through the table
 * @property missing partitions that were detached by hand; according to the ledger, their rows are still in the table
 */
export type TablePlaces = {
  readonly leaving: readonly Leaving[]
  readonly attached: ReadonlyMap<string, TableName>
  readonly missing: readonly MissingPartition[]
}

/**
 * Finds tables whose place the ledger alone does not show: tables that are being detached outside of a transaction,
 * detached tables, and tables that should still be partitions.
 */
export async function findTablePlaces(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord | null,
  signal: AbortSignal,
): Promise<TablePlaces> {
  const { table: parent } = table
  const leaving: Leaving[] = []
  for (const partition of leavingPartitions(record)) {
    const { native } = partition
    if (record === null || native === null) continue
    const request = { parent, partition: native.table, identity: native.identity }
    const stands = await store.offers.partitions?.detachState(request, signal)
    if (stands !== undefined) leaving.push({ partition, ...stands })
  }
  return {
    leaving,
    attached: await attachedNow(store, parent, record?.origin ?? null, record?.partitions ?? [], signal),
    missing: await missingPartitions(store, table, record, signal),
  }
}

/** Text that is equal as long as no table has changed its place. */
export function placesText({ leaving, attached, missing }: TablePlaces): string {
  return JSON.stringify([
    leaving.map(({ partition, standing }) => [partition.label, standing]),
    [...attached.keys()],
    missing.map(({ partition, isReplaced }) => [partition.label, isReplaced]),
  ])
}

/** Tables that cannot be read through the parent any more. @throws SluiceError PARTITION_STATE if one is missing */
export function leavingTables(
  record: ArchiveRecord | null,
  leaving: readonly Leaving[],
  wanted: (partition: ArchivedPartition) => boolean,
): readonly AwayTable[] {
  return leaving.flatMap(({ partition, standing, table }) => {
    if (standing === 'in' || !wanted(partition)) return []
    if (table === null) throw missingTableError(record, partition)
    return [awayTable(record, partition, table)]
  })
}

function awayTable(record: ArchiveRecord | null, partition: ArchivedPartition, table: TableSpec): AwayTable {
  const shape = record === null ? null : columnsFit(partition.columns, record.stored.columns)
  const isSame = shape === null || isSameShape(partition.columns, record?.stored.columns ?? [])
  return { table, shared: isSame ? null : shape.shared }
}

/** Error: a detached table with rows for the query is missing. Reported only if the ledger did not change meanwhile. */
function missingTableError(record: ArchiveRecord | null, { label }: ArchivedPartition): SluiceError {
  return new SluiceError(
    'PARTITION_STATE',
    `rows of ${label} of ${tableText(record?.table ?? { name: '' })} cannot be read: its detached table was not found`,
    {
      reason: 'the table was dropped or moved by hand; queries read it until a run has computed its checksum',
      hint: 'if the table was moved, move it back; if it was dropped, restore it from a backup; sluice archive list shows the state of the partition',
    },
  )
}

/** Notes about archived partitions whose rows are read from the table instead of the files. */
export function attachedTexts(attached: TablePlaces['attached']): readonly string[] {
  return [...attached].map(
    ([label, table]) =>
      `files of ${label}, whose table ${tableText(table)} was attached again by hand: queries read its rows from the table`,
  )
}
