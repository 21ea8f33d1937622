/** Cursor on the screen of a copy: on a table, or on a chunk of the shown table. It is kept by name, not by index. */
import { chunkKey, type Chunk } from '../../../run/copy/chunk-list.ts'
import type { CopyTable } from '../../../run/copy/copy-table.ts'
import type { RunView } from '../../../run/run-view.ts'
import { copyLayout } from './copy-layout.ts'
import { chunkIndex, shownCopyTables, shownChunks, shownTable } from './copy-shown.ts'
import { moveIndex, scrollTop, type Move } from '../../../state/position.ts'
import type { CopySelection, State } from '../../../state/state.ts'

export type UnderCursor =
  { readonly kind: 'table'; readonly table: CopyTable } | { readonly kind: 'chunk'; readonly chunk: Chunk }

/** The object under the cursor; null if there is none. */
export function underCursor(state: State, run: RunView): UnderCursor | null {
  const layout = copyLayout(state, run)
  const table = shownTable(state, run)
  if (layout.cursor === 'tables') return table === null ? null : { kind: 'table', table }
  const chunks = shownChunks(state, run)
  const chunk = chunks[chunkIndex(state, chunks)]
  return layout.cursor === 'none' || chunk === undefined ? null : { kind: 'chunk', chunk }
}

/** True if the user has put the cursor on this table or chunk. */
export function isChosen(state: State, under: UnderCursor): boolean {
  const { table, chunk } = state.runs.copy
  return under.kind === 'table' ? under.table.name === table : chunkKey(under.chunk) === chunk
}

/** Moves the cursor. If no list has the cursor, puts it on the chunks. */
export function moveInCopy(state: State, run: RunView, move: Move): State {
  const layout = copyLayout(state, run)
  const { copy } = state.runs
  const to = (change: Partial<typeof copy>): State => ({
    ...state,
    runs: { ...state.runs, copy: { ...copy, ...change } },
  })
  if (layout.cursor === 'tables') {
    const tables = shownCopyTables(state, run)
    const at = tables.findIndex((table) => table === shownTable(state, run))
    const next = tables[moveIndex(Math.max(0, at), move, tables.length, layout.tables)]
    return next === undefined ? state : to({ table: next.name, chunk: null, top: 0 })
  }
  const chunks = shownChunks(state, run)
  if (layout.cursor === 'none') return to({ pane: 'chunks' })
  const index = moveIndex(chunkIndex(state, chunks), move, chunks.length, layout.chunks)
  const chunk = chunks[index]
  if (chunk === undefined) return state
  // Keep the shown table when work continues in another one.
  return to({
    chunk: chunkKey(chunk),
    table: chunk.table,
    top: scrollTop(copy.top, index, chunks.length, layout.chunks),
  })
}

/** Moves to another pane of the screen. */
export function toPane(state: State, pane: CopySelection['pane']): State {
  return { ...state, runs: { ...state.runs, copy: { ...state.runs.copy, pane } } }
}
