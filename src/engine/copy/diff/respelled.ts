/**
 * Missing rows whose key the target treats as equal to the key of one of its rows. If the source has no row with the
 * target's key, both are the same row: the spelling of its key has changed at the source.
 */
import { rowKeyText, type RowKey } from '../../../model/copy/row-key.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { Change } from './change.ts'
import { byBound, findsByKey, rowBound, rowsByKey, sourceRequest, type DiffSides } from './sides.ts'

type Keyed = { readonly key: RowKey; readonly text: string }

/** Rows of the target under keys that it treats as equal to these (collation): a write would overwrite them. */
export async function rowsUnderEqualKeys<K extends Keyed>(
  sides: DiffSides,
  keys: readonly K[],
): Promise<readonly (readonly [of: K, others: readonly Row[]])[]> {
  const [only] = keys
  if (only === undefined) return []
  const asked = new Set(keys.map(({ text }) => text))
  const range = keys.map(({ key }) => key)
  const others = [...(await byBound(sides, 'target', range))].filter(([text]) => !asked.has(text))
  if (others.length === 0) return []
  if (keys.length === 1) return [[only, others.map(([, { row }]) => row)]]
  const half = keys.length >> 1
  const first = await rowsUnderEqualKeys(sides, keys.slice(0, half))
  return [...first, ...(await rowsUnderEqualKeys(sides, keys.slice(half)))]
}

/**
 * @returns the removal of the row in `others`, if there is exactly one and the source certainly has no row of its key;
 * otherwise null
 */
export async function removalOfOlderSpelling(sides: DiffSides, others: readonly Row[]): Promise<Change | null> {
  const { plan, source, signal } = sides
  const [old] = others
  if (old === undefined || others.length > 1 || !findsByKey(plan)) return null
  const key = rowBound(plan, old)
  const text = JSON.stringify(key)
  let isUnread = false
  // Search without `--where`: a row that this condition excludes may also have the key.
  const request = { ...sourceRequest(sides, { by: 'keys', keys: [key] }), where: null }
  const onRefused = (): void => void (isUnread = true)
  const rows = await rowsByKey(source, { ...request, onRefused }, plan, signal)
  const isThere = rows.every().some((row) => JSON.stringify(rowBound(plan, row)) === text)
  if (isThere || isUnread) return null
  return { text, key, before: old, after: null, stamp: undefined, source: null }
}

/** Error for a row whose key has another text form in the target. */
export function respelledError({ key }: Change): SluiceError {
  const message = `the target stores the key of this row as another text (${rowKeyText(key)})`
  return new SluiceError('ROW_REFUSED', message, {
    reason: 'the target treats both keys as equal, and the source has only one of them',
    hint: 'add --delete-extra: it removes this row of the target and writes the row of the source',
  })
}
