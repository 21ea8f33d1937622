/** The table of a partition, in its parent or wherever it stands since it left. */
import type { TableName, TableSpec } from '../../model/copy/column-type.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { CopyStore, Origin } from '../../model/copy/port.ts'
import { isElsewhere } from '../ledger/elsewhere.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { attached, gone, moved } from './refusals.ts'

/** Null where somebody dropped it. @throws SluiceError PARTITION_CHANGED where it stands elsewhere: nothing may be said of its rows */
export async function detachedTable(context: ArchiveContext, partition: ArchivedPartition): Promise<TableSpec | null> {
  const { native, label } = partition
  if (native === null) throw new Error(`${label} is no table of its own`)
  const { table, identity } = native
  const partitions = partitionsOf(context)
  const found = await partitions.detached(table, identity, context.interrupt.abort)
  if (found !== null || (await partitions.isGone(table, identity, context.interrupt.abort))) return found
  throw await movedNow(context, partition)
}

/** The table of a partition that has not left, found by its number: one of its name that is no partition any more is in no query. Null where it is none. */
export async function partitionNow(
  context: ArchiveContext,
  { identity }: NonNullable<ArchivedPartition['native']>,
): Promise<TableSpec | null> {
  return (await partitionsNow(context)).get(identity) ?? null
}

/** Tables of partitions that are attached, by their numbers. */
export async function partitionsNow({
  store,
  table,
  interrupt,
}: ArchiveContext): Promise<ReadonlyMap<string, TableSpec>> {
  const found = await store.partitions?.().list(table, interrupt.abort)
  return new Map((found?.partitions ?? []).map((one) => [one.identity, one.table]))
}

/** What a table that has left is called, where it was attached to its parent again by hand; null where it stands elsewhere, or has not left. */
export async function attachedByHand(
  { store, table, archived, interrupt }: ArchiveContext,
  partition: ArchivedPartition,
): Promise<TableName | null> {
  const found = await attachedNow(store, table.table, archived.origin, [partition], interrupt.abort)
  return found.get(partition.label) ?? null
}

/** What tables that have left are called, by the labels of their partitions, as far as they were attached to their parent again by hand. @param origin as the ledger notes it */
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
  const numbered = !isElsewhere(origin, (await store.origin?.(signal)) ?? {})
  const left = out.map((one) => ({ ...one, numbered }))
  const found = (await store.partitions?.().attached(parent, left, signal)) ?? new Map<string, TableName>()
  return new Map(
    out.flatMap(({ label, identity }) => {
      const table = found.get(identity)
      return table === undefined ? [] : [[label, table]]
    }),
  )
}

/** Why nothing can be done with a table that has left, and does not stand where it was put. */
export async function movedNow(context: ArchiveContext, partition: ArchivedPartition): Promise<SluiceError> {
  const { native } = partition
  if (native === null) return gone(context.name, partition)
  const table = await attachedByHand(context, partition)
  if (table !== null) return attached(context.name, partition, { parent: context.table.table, table })
  return moved(context.name, partition, partitionsOf(context).detachedName(native.table, native.identity))
}

export function partitionsOf({ store }: ArchiveContext): NonNullable<ReturnType<NonNullable<typeof store.partitions>>> {
  const partitions = store.partitions?.()
  if (partitions === undefined) throw new Error('the store has no partitions')
  return partitions
}
