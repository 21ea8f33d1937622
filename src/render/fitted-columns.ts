/** Widths of the columns of a table, so that its lines fit into a terminal. */
import { cells } from './cells.ts'
import type { TableColumn } from './column.ts'

const GAP = 2
/** Minimum width of a cut text, in cells; a shorter text is useless. */
const LEAST = 12
/** Numbers, ids and times are never cut, because a part would be a different value. */
const WHOLE = /^[\d.,:\s-]*$/
const EMPTY = /^-?$/

/**
 * Computes widths that fit: empty columns are left out first, then texts are cut, the widest first.
 * If that is not enough, columns are left out by their rank.
 * @param natural widths without any cut
 * @param isAll true if `rows` are all rows of the table
 * @returns a width per column, null if it is left out; wider than `lineWidth` if no more columns can be left out
 */
export function fitted(
  columns: readonly TableColumn[],
  natural: readonly number[],
  rows: readonly (readonly string[])[],
  lineWidth: number,
  isAll: boolean,
): readonly (number | null)[] {
  if (sum(natural) <= lineWidth) return natural
  const floors = columns.map(({ title, align, least = 0 }, index) => {
    const isWhole = align === 'right' || rows.every((row) => WHOLE.test(row[index] ?? ''))
    return isWhole ? (natural[index] ?? 0) : Math.min(natural[index] ?? 0, Math.max(LEAST, least, cells(title)))
  })
  const isEmpty = (index: number): boolean => isAll && rows.every((row) => EMPTY.test(row[index] ?? ''))
  let widths: readonly (number | null)[] = natural.map((width, index) => (isEmpty(index) ? null : width))
  const ranked = columns
    .flatMap(({ rank }, index) => (rank === undefined ? [] : [{ rank, index }]))
    .toSorted((a, b) => a.rank - b.rank)
  for (const { index } of ranked) {
    if (sum(narrowest(widths, floors)) <= lineWidth) break
    widths = widths.with(index, null)
  }
  return cutTo(widths, floors, lineWidth)
}

function sum(widths: readonly (number | null)[]): number {
  const shown = widths.filter((width) => width !== null)
  return shown.reduce((all, width) => all + width, GAP * Math.max(0, shown.length - 1))
}

const narrowest = (widths: readonly (number | null)[], floors: readonly number[]): readonly (number | null)[] =>
  widths.map((width, index) => (width === null ? null : (floors[index] ?? width)))

/** Narrows the widest column that can be cut, cell by cell. */
function cutTo(given: readonly (number | null)[], floors: readonly number[], room: number): readonly (number | null)[] {
  const widths = [...given]
  for (let over = sum(widths) - room; over > 0; over--) {
    let widest = -1
    for (const [index, width] of widths.entries()) {
      if (width !== null && width > (floors[index] ?? 0) && width > (widths[widest] ?? 0)) widest = index
    }
    if (widest === -1) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}
