/** How the Ask screen is divided, and how one moves in the rows of an answer. */
import type { AskCell } from '../../app/ask/port.ts'
import { visible } from '../../shared/visible.ts'
import { width } from '../../render/screen-text.ts'
import { geometry } from './geometry.ts'
import type { Move } from './position.ts'
import { moveIndex, scrollTop } from './position.ts'
import type { AskState, GridPlace, RowWindow } from './ask-state.ts'
import type { State } from './state.ts'

const WIDEST = 40
/** Of an answer of one column, such as a plan, which has the screen for itself. */
const WIDEST_ALONE = 400
const NARROWEST = 3
/** Rows that are asked for around those on screen, so that a few keys need no answer. */
const AROUND = 100

/** Rows of the parts below the head line, the status line between them not counted. */
export function askRows(state: State): { readonly editor: number; readonly grid: number } {
  const { body } = geometry(state)
  const most = Math.max(2, Math.min(12, Math.floor(body / 3)))
  const editor = Math.max(Math.min(3, most), Math.min(most, state.ask.editor.lines.length))
  // The head line, the line of state, and the names of the columns.
  return { editor, grid: Math.max(1, body - editor - 3) }
}

/** A value in one line of cells that no terminal acts on, and that no other value looks like. */
export function cellText(cell: AskCell): string {
  if (cell === null) return 'NULL'
  if (cell.kind !== 'text') return cell.whole ? cell.text : `${cell.text}…`
  const text = visible(cell.text)
  const quoted = text === '' || /^null$/i.test(text) || /^'.*'$/.test(text) || /^\s|\s$/.test(text)
  return `${quoted ? `'${text}'` : text}${cell.whole ? '' : '…'}`
}

/** Widths with those of more rows: they only grow. */
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
      most = Math.max(most, width(cellText(row[i] ?? null)))
    }
    return Math.min(widest, most)
  })
}

/** Cells of the numbers of rows at the left. */
export function numberCells({ answer }: AskState): number {
  return String(answer?.progress.rows ?? 0).length + 2
}

/** Columns on screen from `left` on: which, and how wide; the last one may be cut. */
export function shownColumns(state: State, left: number): readonly { readonly at: number; readonly cells: number }[] {
  // One cell at the right says that there are more.
  let room = state.size.columns - numberCells(state.ask) - 2
  const found: { at: number; cells: number }[] = []
  for (let at = left; at < state.ask.widths.length && room > NARROWEST; at++) {
    const cells = Math.min(room, state.ask.widths[at] ?? 0)
    found.push({ at, cells })
    room -= cells + 2
  }
  return found
}

/** The cursor after a move, which may be left or right. */
export function movedInGrid(state: State, move: Move | 'left' | 'right'): State {
  const { ask } = state
  const rows = ask.answer?.progress.rows ?? 0
  const at =
    move === 'left' || move === 'right'
      ? { ...ask.at, column: ask.at.column + (move === 'left' ? -1 : 1) }
      : { ...ask.at, row: moveIndex(ask.at.row, move, rows, askRows(state).grid) }
  return settledGrid({ ...state, ask: { ...ask, at } })
}

/** The cursor inside of the answer and on screen. */
export function settledGrid(state: State): State {
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

/** Whether a column is on screen with all of its cells, counted from `left`. */
function isWhole(state: State, left: number, column: number): boolean {
  return shownColumns(state, left).some(({ at, cells }) => at === column && cells === state.ask.widths[column])
}

const clamp = (index: number, total: number): number => Math.max(0, Math.min(index, total - 1))

/** Rows that have to be asked for; null where those on screen are here. */
export function missingRows(state: State): { readonly from: number; readonly count: number } | null {
  const { at, window, answer } = state.ask
  if (answer === null) return null
  const height = askRows(state).grid
  const until = Math.min(answer.progress.rows, at.top + height)
  if (at.top >= window.from && until <= window.from + window.rows.length) return null
  return until <= at.top ? null : { from: Math.max(0, at.top - AROUND), count: height + 2 * AROUND }
}
