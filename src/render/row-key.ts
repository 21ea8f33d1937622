/** A row of a table, named by its key. */
import type { RowKey } from '../model/copy/row-key.ts'
import { cutListed } from './copy-listings.ts'

/**
 * `id 431877`. A key of several columns is printed as names with values. On a ring: `partition id 7; row at 3`.
 * @param partition number of columns that name the partition; 0 if there is none
 * @param most number of characters of one value that are shown
 */
export function namedRowKeyText(key: RowKey, names: readonly string[], partition = 0, most?: number): string {
  if (key.length === 0) return 'a row without key'
  const parts = key.map(
    (value, index) => `${names[index] ?? 'key'} ${value === null ? 'NULL' : cutListed(value, most)}`,
  )
  if (partition === 0) return parts.join(', ')
  const rest = parts.slice(partition)
  return `partition ${parts.slice(0, partition).join(', ')}${rest.length === 0 ? '' : `; row ${rest.join(', ')}`}`
}
