/** The digest of rows that are found by their keys, where a range of the source is no range of the target. */
import { sumText } from '../model/copy/row-hash.ts'
import type { Range } from '../model/copy/range.ts'
import type { RowKey } from '../model/copy/row-key.ts'
import type { Digest } from '../model/copy/rows.ts'

const KEYS_AT_ONCE = 200

/**
 * @param only keys as `keyText` spells them
 * @param digest of the rows in a range of keys
 * @param atOnce keys of one range
 */
export async function digestOfKeys(
  only: ReadonlySet<string>,
  digest: (range: Range & { readonly by: 'keys' }) => Promise<Digest>,
  atOnce: number = KEYS_AT_ONCE,
): Promise<Digest> {
  const keys = [...only].map((text) => JSON.parse(text) as RowKey)
  let rows = 0n
  let sum = 0n
  for (let at = 0; at < keys.length; at += atOnce) {
    const some = await digest({ by: 'keys', keys: keys.slice(at, at + atOnce) })
    rows += some.rows
    if (some.sum !== '') sum += BigInt(`0x${some.sum}`)
  }
  return { rows, sum: sumText(sum) }
}
