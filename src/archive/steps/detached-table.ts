/** Finds the table of a partition, attached or detached. */
import type { TableName, TableSpec } from '../../model/copy/column-type.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { PartitionStore } from '../../model/archive/port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { Origin } from '../../model/copy/identification-port.ts'
import { isOtherDatabase } from '../ledger/other-database.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { attachedAgain, missingTableError, movedTableError } from './refusals.ts'

/** A detached table; null if it was dropped. @throws SluiceError PARTITION_CHANGED if it was moved or attached again */
export async function findDetachedTable(
  context: ArchiveContext,
  partition: ArchivedPartition,
): Promise<TableSpec | null> {
  const { native, label } = partition
  if (native === null) throw new Error(`${label} is no table of its own`)
  const { table, identity } = native
  const partitions = nativePartitions(context)
  const found = await partitions.detachedTable(table, identity, context.interrupt.abort)
  if (found !== null || (await partitions.isGone(table, identity, context.interrupt.abort))) return found
  throw await detachedMovedError(context, partition)
}

/** The table of an attached partition, by identity; null if not attached. A detached table of this name is ignored. */
export async function attachedPartition(
  context: ArchiveContext,
  { identity }: NonNullable<ArchivedPartition['native']>,
): Promise<TableSpec | null> {
  return (await partitionsNow(context)).get(identity) ?? null
}

/** Tables of attached partitions, by identity. */
export async function partitionsNow({
  store,
  table,
  interrupt,
}: Pick<ArchiveContext, 'store' | 'table' | 'interrupt'>): Promise<ReadonlyMap<string, TableSpec>> {
  const found = await store.offers.partitions?.list(table, interrupt.abort)
  return new Map((found?.partitions ?? []).map((one) => [one.identity, one.table]))
}

/** Name of a detached table that was attached again by hand; null if not attached again, or never detached. */
export async function attachedByHand(
  { store, table, archived, interrupt }: ArchiveContext,
  partition: ArchivedPartition,
): Promise<TableName | null> {
  const found = await attachedNow(store, table.table, archived.origin, [partition], interrupt.abort)
  return found.get(partition.label) ?? null
}

/** Names of detached tables that were attached again by hand, by partition label. @param origin origin in the ledger */
export async function attachedNow(
  store: CopyStore,
  parent: TableName,
  origin: Origin | null,
  partitions: readonly ArchivedPartition[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TableName>> {
  const out = partitions.flatMap(({ label, native, from, to, state, away }) =>
    native !== null && (away || state === 'DETACHED') ? [{ label, ...native, from, to }] : [],
  )
  if (out.length === 0) return new Map()
  const numbered = !isOtherDatabase(origin, (await store.offers.identification?.origin(signal)) ?? {})
  const left = out.map((one) => ({ ...one, numbered }))
  const found = (await store.offers.partitions?.attached(parent, left, signal)) ?? new Map<string, TableName>()
  return new Map(
    out.flatMap(({ label, identity }) => {
      const table = found.get(identity)
      return table === undefined ? [] : [[label, table]]
    }),
  )
}

/** Error: a detached table was renamed, moved or attached again by hand. */
export async function detachedMovedError(context: ArchiveContext, partition: ArchivedPartition): Promise<SluiceError> {
  const { native } = partition
  if (native === null) return missingTableError(context.name, partition)
  const table = await attachedByHand(context, partition)
  if (table !== null) return attachedAgain(context.name, partition, { parent: context.table.table, table })
  return movedTableError(context.name, partition, nativePartitions(context).detachedName(native.table, native.identity))
}

export function nativePartitions({ store }: ArchiveContext): PartitionStore {
  const partitions = store.offers.partitions
  if (partitions === undefined) throw new Error('the store has no partitions')
  return partitions
}
