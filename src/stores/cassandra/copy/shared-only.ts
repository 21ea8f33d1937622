/** Partitions with static values only: their key ends with the partition key. */
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { CassandraShape } from './shape.ts'

/**
 * Whether a key may be the key of such a partition. Older versions wrote empty texts after the partition key, as in a
 * row whose clustering key is empty texts: a partition can have only one of the two.
 * @param partition number of columns of the partition key
 */
export function isSharedBound(bound: RowKey, partition: number): boolean {
  return bound.length > partition && bound.slice(partition).every((text) => text === null || text === '')
}

export function hasStatics({ columns }: CassandraShape): boolean {
  return [...columns.values()].some(({ part }) => part === 'static')
}
