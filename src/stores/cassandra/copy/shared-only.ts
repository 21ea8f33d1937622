/** Partitions with static values only: their key ends with the partition key. */
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { CassandraShape } from './shape.ts'

/**
 * Whether a key may be that of such a partition. Older versions wrote it with empty texts, like that of a row whose
 * clustering key is empty texts: a partition can only have one of the two.
 * @param partition number of columns of the partition key
 */
export function isSharedBound(bound: RowKey, partition: number): boolean {
  return bound.length > partition && bound.slice(partition).every((text) => text === null || text === '')
}

export function hasStatics({ columns }: CassandraShape): boolean {
  return [...columns.values()].some(({ part }) => part === 'static')
}
