/**
 * Lines of a printed plan as rows of a dialog: what is told is wrapped below its words, a row of a table keeps its
 * columns.
 */
import { clean, width, wrap, wrapLabelled } from '../../render/screen-text.ts'
import { isTold } from '../run/story.ts'

/** Part of the row that columns may take before the last one is wrapped below itself. */
const MOST_BEFORE = 0.6

/** Rows below what is told: where, why, and what to do. */
const MORE_TOLD = /^ {5}(?:where|cause|do) /

/**
 * @param left cells that wide rows of tables are moved to the left @param lists every row that is not told is one of a
 * table
 */
export function planRows(text: string, cells: number, left: number, lists = false): readonly string[] {
  const line = clean(text)
  if (lists && !isTold(line) && !MORE_TOLD.test(line)) return [line.slice(left, left + cells)]
  if (width(line) <= cells || !isTableRow(line)) return wrapLabelled(line, cells)
  const last = line.search(/\S+(?: \S+)*$/)
  if (last > cells * MOST_BEFORE) return [line.slice(left, left + cells)]
  return wrap(line.slice(last), cells - last).map(
    (part, at) => (at === 0 ? line.slice(0, last) : ' '.repeat(last)) + part,
  )
}

/** Whether a row of the plan is moved with the arrows. */
export function isWide(text: string, cells: number, lists = false): boolean {
  const line = clean(text)
  if (width(line) <= cells || (lists && (isTold(line) || MORE_TOLD.test(line)))) return false
  return lists || (isTableRow(line) && line.search(/\S+(?: \S+)*$/) > cells * MOST_BEFORE)
}

function isTableRow(line: string): boolean {
  return /^\S.* {2,}\S/.test(line) && !isTold(line)
}
