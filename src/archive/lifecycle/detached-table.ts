/** The table of a partition that has left its parent. */
import type { TableSpec } from '../../model/copy/column-type.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { moved } from './refusals.ts'
import { partitionsOf } from './take-out.ts'

/** Null where somebody dropped it. @throws SluiceError PARTITION_CHANGED where it stands elsewhere: nothing may be said of its rows */
export async function detachedTable(context: ArchiveContext, partition: ArchivedPartition): Promise<TableSpec | null> {
  const { native, label } = partition
  if (native === null) throw new Error(`${label} is no table of its own`)
  const { table, identity } = native
  const partitions = partitionsOf(context)
  const found = await partitions.detached(table, identity, context.interrupt.abort)
  if (found !== null || (await partitions.isGone(table, identity, context.interrupt.abort))) return found
  throw moved(context.name, partition, partitions.detachedName(table, identity))
}
