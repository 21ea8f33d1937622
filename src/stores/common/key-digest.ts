/** Digest of rows found by their keys, for sources whose ranges are not ranges of the target. */
import { checksumText } from '../../model/copy/row-hash.ts'
import type { ColumnType, TableSpec } from '../../model/copy/column-type.ts'
import { cellOfText, keyParts } from '../../model/copy/key-text.ts'
import type { Range } from '../../model/copy/range.ts'
import { keyPart, type RowKey } from '../../model/copy/row-key.ts'
import type { Digest } from '../../model/copy/rows.ts'
import type { ChunkRequest } from '../../model/copy/target-port.ts'
import type { WriteColumn } from '../../model/copy/write-column.ts'
import { keyColumns } from './key-ranges.ts'

const KEYS_AT_ONCE = 200

/**
 * Parses keys into the form in which ranges contain them.
 * @param only keys in the form of `keyText` @param columns with the types in which values were sent
 */
export function rowKeysOf(
  only: Iterable<string>,
  { table, columns }: { readonly table: TableSpec; readonly columns: readonly WriteColumn[] },
): readonly RowKey[] {
  const types = keyColumns(table).map(({ name, type }) => columns.find((one) => one.name === name)?.as ?? type)
  return [...only].map((key) =>
    keyParts(key).map((text, i) => (text === null ? null : keyPart(cellOfText(text, types[i] as ColumnType)))),
  )
}

/** True if rows must be looked up by their keys, because the range of the source is not a range of the target. */
export function needKeyLookup({ range, sortsAlike }: Pick<ChunkRequest, 'range' | 'sortsAlike'>): boolean {
  return range.by === 'all' || range.by === 'block' || (range.by === 'key' && sortsAlike === false)
}

/**
 * Digest of the rows with these keys.
 * @param digest computes the digest of the rows of one list of keys @param atOnce keys per list
 */
export async function digestOfKeys(
  keys: readonly RowKey[],
  digest: (range: Range & { readonly by: 'keys' }) => Promise<Digest>,
  atOnce: number = KEYS_AT_ONCE,
): Promise<Digest> {
  let rows = 0n
  let sum = 0n
  for (let at = 0; at < keys.length; at += atOnce) {
    const some = await digest({ by: 'keys', keys: keys.slice(at, at + atOnce) })
    rows += some.rows
    if (some.sum !== '') sum += BigInt(`0x${some.sum}`)
  }
  return { rows, sum: checksumText(sum) }
}
