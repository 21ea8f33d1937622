/** Layout of the Ask screen, and cursor movement in the rows of an answer. */
import type { AskCell } from '../../../app/ask/port.ts'
import { visible } from '../../../shared/visible.ts'
import { width } from '../../../render/screen-text.ts'
import { geometry } from '../../state/geometry.ts'
import { moveIndex, scrollTop, type Move } from '../../state/position.ts'
import type { AskState, GridPlace, RowWindow } from './state.ts'
import type { State } from '../../state/state.ts'

const WIDEST = 40
/** Largest column width of an answer with a single column, such as a query plan. */
const WIDEST_ALONE = 400
const NARROWEST = 3
/** Number of rows that are read beyond both ends of the screen, so that a few keys need no read. */
const READ_AHEAD_ROWS = 100

/** Rows of editor and grid, without head line and status line. */
export function askRows(state: State): { readonly editor: number; readonly grid: number } {
  const { body } = geometry(state)
  const most = Math.max(2, Math.min(12, Math.floor(body / 3)))
  const editor = Math.max(Math.min(3, most), Math.min(most, state.ask.editor.lines.length))
  // Rows without the head line, the status line and the column names.
  return { editor, grid: Math.max(1, body - editor - 3) }
}

/** A value as one line without control characters. Text that could be confused with another value is quoted. */
export function gridCellText(cell: AskCell): string {
  if (cell === null) return 'NULL'
  if (cell.kind !== 'text') return cell.whole ? cell.text : `${cell.text}…`
  const text = visible(cell.text)
  const quoted = text === '' || /^null$/i.test(text) || /^'.*'$/.test(text) || /^\s|\s$/.test(text)
  return `${quoted ? `'${text}'` : text}${cell.whole ? '' : '…'}`
}

/** Column widths after more rows; they only grow. */
export function grownWidths(
  widths: readonly number[],
  names: readonly string[],
  rows: RowWindow['rows'],
): readonly number[] {
  const widest = names.length === 1 ? WIDEST_ALONE : WIDEST
  return names.map((name, i) => {
    let most = Math.max(NARROWEST, widths[i] ?? 0, width(visible(name)))
    for (const row of rows) {
      if (most >= widest) break
      most = Math.max(most, width(gridCellText(row[i] ?? null)))
    }
    return Math.min(widest, most)
  })
}

/** Cells of the row numbers at the left. */
export function numberCells({ answer }: AskState): number {
  return String(answer?.progress.rows ?? 0).length + 2
}

/** Visible columns from `left` on, with their widths; the last may be cut. */
export function shownColumns(state: State, left: number): readonly { readonly at: number; readonly cells: number }[] {
  // One cell at the right is reserved for the mark of more columns.
  let room = state.size.columns - numberCells(state.ask) - 2
  const found: { at: number; cells: number }[] = []
  for (let at = left; at < state.ask.widths.length && room > NARROWEST; at++) {
    const cells = Math.min(room, state.ask.widths[at] ?? 0)
    found.push({ at, cells })
    room -= cells + 2
  }
  return found
}

/** The cursor after a move in any direction. */
export function movedInGrid(state: State, move: Move | 'left' | 'right'): State {
  const { ask } = state
  const rows = ask.answer?.progress.rows ?? 0
  const at =
    move === 'left' || move === 'right'
      ? { ...ask.at, column: ask.at.column + (move === 'left' ? -1 : 1) }
      : { ...ask.at, row: moveIndex(ask.at.row, move, rows, askRows(state).grid) }
  return keepGridCursor({ ...state, ask: { ...ask, at } })
}

/** The cursor limited to the answer, and scrolled into view. */
export function keepGridCursor(state: State): State {
  const { ask } = state
  const rows = ask.answer?.progress.rows ?? 0
  const row = clamp(ask.at.row, rows)
  const column = clamp(ask.at.column, ask.widths.length)
  let left = Math.min(ask.at.left, column)
  while (left < column && !isWhole(state, left, column)) left++
  const top = scrollTop(ask.at.top, row, rows, askRows(state).grid)
  const at: GridPlace = { row, top, column, left }
  const same = Object.keys(at).every((key) => at[key as keyof GridPlace] === ask.at[key as keyof GridPlace])
  return same ? state : { ...state, ask: { ...ask, at } }
}

/** True if `column` is fully visible while `left` is the first visible column. */
function isWhole(state: State, left: number, column: number): boolean {
  return shownColumns(state, left).some(({ at, cells }) => at === column && cells === state.ask.widths[column])
}

const clamp = (index: number, total: number): number => Math.max(0, Math.min(index, total - 1))

/** Rows to read; null if the visible rows are loaded. */
export function missingRows(state: State): { readonly from: number; readonly count: number } | null {
  const { at, window, answer } = state.ask
  if (answer === null) return null
  const height = askRows(state).grid
  const until = Math.min(answer.progress.rows, at.top + height)
  if (at.top >= window.from && until <= window.from + window.rows.length) return null
  return until <= at.top ? null : { from: Math.max(0, at.top - READ_AHEAD_ROWS), count: height + 2 * READ_AHEAD_ROWS }
}
