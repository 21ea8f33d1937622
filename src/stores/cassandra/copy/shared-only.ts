/** Partitions with static values only: in their row key, all values after the partition key are NULL. */
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { CassandraShape } from './shape.ts'

/**
 * True if a key may be the key of a partition with static values only. Older versions of sluice wrote empty texts
 * instead of NULL. Then a row whose clustering key has only empty texts has the same key. But a partition with static
 * values only has no row, so both cannot exist.
 * @param partition number of columns of the partition key
 */
export function mayBeStaticOnlyKey(bound: RowKey, partition: number): boolean {
  return bound.length > partition && bound.slice(partition).every((text) => text === null || text === '')
}

/** True if the table has static columns. */
export function hasStatics({ columns }: CassandraShape): boolean {
  return [...columns.values()].some(({ part }) => part === 'static')
}
