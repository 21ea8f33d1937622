/**
 * Lines of a printed plan as rows of a dialog. Log lines (time, keyword, text) wrap below their text; table rows keep
 * their columns.
 */
import { clean, width, wrap, wrapLabelled } from '../../render/screen-text.ts'
import { isReported } from '../run/output.ts'

/** Largest fraction of a row that the columns before the last may take. If they take more, the last is not wrapped. */
const MOST_BEFORE = 0.6

/** Detail lines below a log line: they begin with the label `where`, `cause` or `do`. */
const DETAIL_LINE = /^ {5}(?:where|cause|do) /

/**
 * @param left number of cells by which wide table rows are scrolled
 * @param lists true: every line other than a log line is a table row
 */
export function planRows(text: string, cells: number, left: number, lists = false): readonly string[] {
  const line = clean(text)
  if (lists && !isReported(line) && !DETAIL_LINE.test(line)) return [line.slice(left, left + cells)]
  if (width(line) <= cells || !isTableRow(line)) return wrapLabelled(line, cells)
  const last = line.search(/\S+(?: \S+)*$/)
  if (last > cells * MOST_BEFORE) return [line.slice(left, left + cells)]
  return wrap(line.slice(last), cells - last).map(
    (part, at) => (at === 0 ? line.slice(0, last) : ' '.repeat(last)) + part,
  )
}

/** True if a row of the plan is scrolled with the arrows. */
export function isWide(text: string, cells: number, lists = false): boolean {
  const line = clean(text)
  if (width(line) <= cells || (lists && (isReported(line) || DETAIL_LINE.test(line)))) return false
  return lists || (isTableRow(line) && line.search(/\S+(?: \S+)*$/) > cells * MOST_BEFORE)
}

function isTableRow(line: string): boolean {
  return /^\S.* {2,}\S/.test(line) && !isReported(line)
}
