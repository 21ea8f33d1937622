/** Groups writes that are sent together: the writes of one row, and with batches the adjacent rows of one partition. */
import type { Encoded, Write } from './row-writes.ts'
import type { PartitionWrites } from './sender.ts'

/**
 * Servers warn about larger batches. They refuse batches above ten times this size (batch_size_fail_threshold_in_kb).
 * Since 3.6, both apply only to batches of several partitions.
 */
const BATCH_BYTES = 5 * 1024
/** Servers refuse requests and mutations above 16 MiB. */
const REQUEST_BYTES = 15 * 1024 * 1024
/** Bytes of a statement besides its values: its id, and the lengths of the values. */
const STATEMENT_BYTES = 20

export type RowItem = {
  readonly row: Encoded
  readonly writes: readonly Write[]
  /** The partition key of the row, as text. */
  readonly partition: () => string
}

/** Default number of rows in a batch. A larger number gains nothing: the limit of bytes is reached first. */
export const BATCH_ROWS = 100

/**
 * Groups rows into batches of one partition each: such a batch is one write for the replicas. With several partitions,
 * one node would have to wait for all the others. Measured on one node: 15,600 to 18,100 rows a second as single
 * writes, 256 at a time; 40,800 to 58,300 in batches of 50.
 * @param most maximum number of rows in a batch
 */
export function batchesOf(items: readonly RowItem[], most: number): readonly PartitionWrites[] {
  if (most <= 1) return items.flatMap(alone)
  const sendings: PartitionWrites[] = []
  let open: { writes: Write[]; rows: Encoded[]; partition: string; bytes: number } | null = null
  for (const item of items) {
    const { row, writes } = item
    const bytes = sizeOf(item)
    const partition = item.partition()
    if (open !== null && open.partition === partition && open.rows.length < most && open.bytes + bytes <= BATCH_BYTES) {
      open.writes.push(...writes)
      open.rows.push(row)
      open.bytes += bytes
      continue
    }
    if (bytes > BATCH_BYTES) {
      sendings.push(...alone(item))
      open = null
      continue
    }
    open = { writes: [...writes], rows: [row], partition, bytes }
    sendings.push(open)
  }
  return sendings
}

/** All writes of a row are one atomic write for its replicas, unless together they exceed the limit of a request. */
function alone(item: RowItem): readonly PartitionWrites[] {
  const { row, writes } = item
  const isTooLarge = writes.length > 1 && sizeOf(item) > REQUEST_BYTES
  return [{ writes, rows: [row], ...(isTooLarge ? { inTurn: true } : {}) }]
}

function sizeOf({ row, writes }: RowItem): number {
  return row.bytes + STATEMENT_BYTES * writes.length
}
