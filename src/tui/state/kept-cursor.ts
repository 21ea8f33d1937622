/** Finds the row of a cursor that is kept by index, after rows were added, removed or sorted. */
import type { Page } from '../../model/lake/answers.ts'
import { scrollTop } from './position.ts'
import type { ListPosition } from './state.ts'

/** Name of a row of a list: a text, or the row object itself if the same object is used again. */
type Name = string | object

/** Loaded rows of a list, and the index of the first. */
export type Rows<T> = Pick<Page<T>, 'rows' | 'from'>

/** New index of the row under the cursor; null if it is not among the loaded rows. */
export function indexNow<T>(cursor: number, was: Rows<T>, now: Rows<T>, nameOf: (row: T) => Name): number | null {
  const row = was.rows[cursor - was.from]
  if (row === undefined) return null
  const name = nameOf(row)
  const same = now.rows[cursor - now.from]
  if (same !== undefined && nameOf(same) === name) return cursor
  const found = now.rows.findIndex((one) => nameOf(one) === name)
  return found < 0 ? null : now.from + found
}

/** Rows of a list that is loaded as a whole. */
export const wholeList = <T>(rows: readonly T[]): Rows<T> => ({ rows, from: 0 })

/** Position with the cursor moved to the row's new index. */
export function placed(at: ListPosition, cursor: number | null, total: number, height: number): ListPosition {
  if (cursor === null || cursor === at.cursor) return at
  return { cursor, top: scrollTop(at.top, cursor, total, height) }
}
