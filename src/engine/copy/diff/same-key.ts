/**
 * Rows that share a key, because no unique index prevents it. A query by key returns all of them, so they are compared
 * together.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { digestOfRows } from '../../../model/copy/row-hash.ts'
import { equalDigests, type Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { rowCountText } from '../chunk/rows-text.ts'
import { differenceOf, type RowDifference } from './difference.ts'
import { rowBound, type ByKey } from './sides.ts'

/** True if several rows of a side have the key, and both sides have rows with it. */
export function isShared<T>(key: string, source: ByKey<T>, target: ByKey<T>): boolean {
  const [here, there] = [source.all(key).length, target.all(key).length]
  return here > 0 && there > 0 && here + there > 2
}

/** Difference between the source rows and the target rows with this key; null if they are equal. */
export function differenceOfKey(
  plan: TablePlan,
  key: string,
  source: ByKey<Row>,
  target: ByKey<Row>,
): RowDifference | null {
  return isShared(key, source, target)
    ? sharedDifference(plan, source.all(key), target.all(key))
    : differenceOf(plan, source.get(key), target.get(key))
}

/** @returns null if both sides have the same rows, in any order */
export function sharedDifference(
  plan: TablePlan,
  source: readonly Row[],
  target: readonly Row[],
): RowDifference | null {
  const [row] = source
  if (row === undefined || equalDigests(digestOfRows(source), digestOfRows(target))) return null
  const unasked = new SluiceError(
    'ROW_REFUSED',
    `${rowCountText(BigInt(source.length))} in the source and ${target.length} in the target have this key, and their values differ`,
    {
      reason: 'the key is not unique, so sluice cannot match and repair single rows',
      hint: 'compare by unique columns with --key',
    },
  )
  return { key: rowBound(plan, row), kind: 'different', columns: [], unasked }
}

/**
 * Completes a batch of source rows, which may have only some rows of a shared key. After that, the batch has all rows
 * of the key, or none of them if an earlier batch had them.
 * @param source, target rows of the batch, and target rows with the same keys
 * @param done shared keys of earlier batches
 * @param read returns all source rows that have the keys of the given rows
 */
export async function completeShared<T>(
  source: ByKey<T>,
  target: ByKey<T>,
  done: Set<string>,
  read: (first: readonly T[]) => Promise<ByKey<T>>,
): Promise<void> {
  for (const key of [...source.keys()].filter((one) => done.has(one))) {
    source.remove(key)
    target.remove(key)
  }
  const shared = [...source.keys()].filter((key) => isShared(key, source, target))
  if (shared.length === 0) return
  const rows = await read(shared.flatMap((key) => source.all(key).slice(0, 1)))
  for (const key of shared) {
    done.add(key)
    const all = rows.all(key)
    if (all.length === 0) continue
    source.remove(key)
    for (const row of all) source.add(key, row)
  }
}
