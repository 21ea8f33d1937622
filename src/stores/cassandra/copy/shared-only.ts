/** Partitions with static values only: their key ends with the partition key. */
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { CassandraShape } from './shape.ts'

/**
 * True if a key may be the key of a partition with static values only. Older versions wrote empty texts after the
 * partition key. A row with empty texts as its clustering key has the same key, so a partition can have only one of the
 * two.
 * @param partition number of columns of the partition key
 */
export function isSharedBound(bound: RowKey, partition: number): boolean {
  return bound.length > partition && bound.slice(partition).every((text) => text === null || text === '')
}

/** True if the table has static columns. */
export function hasStatics({ columns }: CassandraShape): boolean {
  return [...columns.values()].some(({ part }) => part === 'static')
}
