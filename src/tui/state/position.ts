/** Moves a cursor in a list and keeps it visible. */
import type { ListPosition } from './state.ts'

export type Move = 'up' | 'down' | 'half-up' | 'half-down' | 'page-up' | 'page-down' | 'first' | 'last'

/** Index after a move in a list of `total` rows, `height` of them visible. */
export function moveIndex(index: number, move: Move, total: number, height: number): number {
  const half = Math.max(1, Math.floor(height / 2))
  const page = Math.max(1, height - 1)
  const to = {
    up: index - 1,
    down: index + 1,
    'half-up': index - half,
    'half-down': index + half,
    'page-up': index - page,
    'page-down': index + page,
    first: 0,
    last: total - 1,
  }[move]
  return Math.max(0, Math.min(total - 1, to))
}

/** First visible row, so that `cursor` is visible and no space is left below the last row. */
export function scrollTop(top: number, cursor: number, total: number, height: number): number {
  const near = Math.max(Math.min(top, cursor), cursor - height + 1)
  return Math.max(0, Math.min(near, Math.max(0, total - height)))
}

/** Position after a move. */
export function movePosition(at: ListPosition, move: Move, total: number, height: number): ListPosition {
  const cursor = moveIndex(at.cursor, move, total, height)
  return { cursor, top: scrollTop(at.top, cursor, total, height) }
}

/** Position limited to the list, which may have become shorter. */
export function limitPosition(at: ListPosition, total: number, height: number): ListPosition {
  const cursor = Math.max(0, Math.min(at.cursor, total - 1))
  const top = scrollTop(at.top, cursor, total, height)
  return cursor === at.cursor && top === at.top ? at : { cursor, top }
}

/** Scrolls a text without a cursor. */
export function scrollText(at: ListPosition, move: Move, total: number, height: number): ListPosition {
  const top = Math.max(0, Math.min(Math.max(0, total - height), moveIndex(at.top, move, total, height)))
  const last = Math.max(0, total - height)
  return { cursor: 0, top: move === 'last' ? last : top }
}
