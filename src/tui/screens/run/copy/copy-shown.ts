/** Visible tables and chunks of a copy. */
import { chunkKey, type Chunk } from '../../../run/copy/chunk-list.ts'
import type { CopyTable } from '../../../run/copy/copy-table.ts'
import type { RunView } from '../../../run/run-view.ts'
import type { State } from '../../../state/state.ts'

/** Tables of the list; after the key `e`, only tables with errors, failed or waiting chunks, or quarantined rows. */
export function shownCopyTables(state: State, run: RunView): readonly CopyTable[] {
  const all = run.copy?.tables ?? []
  if (!state.runs.errorsOnly) return all
  return all.filter((table) => {
    const { failed, aside: quarantined, waits } = table.map.counts()
    return table.error !== null || failed + quarantined + waits > 0
  })
}

/** The table whose chunks are shown. */
export function shownTable(state: State, run: RunView): CopyTable | null {
  return run.copy?.table(state.runs.copy.table) ?? run.copy?.latest ?? null
}

export function shownChunks(state: State, run: RunView): readonly Chunk[] {
  const table = shownTable(state, run)
  return table === null || run.copy === null ? [] : run.copy.keptChunks.list(table.name, state.runs.errorsOnly)
}

/** Index of the chunk under the cursor; 0 until one is chosen. */
export function chunkIndex(state: State, chunks: readonly Chunk[]): number {
  const { chunk } = state.runs.copy
  return Math.max(
    0,
    chunks.findIndex((one) => chunkKey(one) === chunk),
  )
}

/** True if details of the chunk under the cursor are shown: it has a problem, or the user chose it. */
export function detailWanted(state: State, run: RunView): boolean {
  const chunks = shownChunks(state, run)
  const chunk = chunks[chunkIndex(state, chunks)]
  if (chunk === undefined) return false
  return state.runs.copy.chunk !== null || ['failed', 'waits', 'aside'].includes(chunk.state)
}
