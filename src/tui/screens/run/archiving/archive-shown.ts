/** Visible partitions of an archive run, and the cursor. Until the user moves it, the cursor follows the work. */
import type { ArchivePartition } from '../../../run/archiving/archive-partition.ts'
import type { RunView } from '../../../run/run-view.ts'
import { archiveLayout } from './archive-layout.ts'
import { moveIndex, scrollTop, type Move } from '../../../state/position.ts'
import type { State } from '../../../state/state.ts'

/** All partitions; after the key `e`, only failed and blocked partitions. */
export function archivePartitions(state: State, run: RunView): readonly ArchivePartition[] {
  const all = run.archiving?.partitions ?? []
  return state.runs.errorsOnly ? all.filter(({ status }) => status === 'failed' || status === 'blocked') : all
}

/** Index of the partition under the cursor, and of the first one on screen. */
export function archivePosition(state: State, run: RunView): { readonly index: number; readonly top: number } {
  const partitions = archivePartitions(state, run)
  const { list } = archiveLayout(state, run)
  const { cursor, top } = state.runs.results
  const current = run.archiving?.current ?? null
  // Cursor 0 follows the work; otherwise it is the index plus one.
  const index =
    cursor > 0
      ? Math.min(partitions.length - 1, cursor - 1)
      : Math.max(0, current === null ? 0 : partitions.indexOf(current))
  // Keep the followed row in the middle.
  const from = cursor > 0 ? top : Math.max(0, index - Math.floor(list / 2))
  return { index, top: scrollTop(from, index, partitions.length, list) }
}

/** The partition under the cursor. */
export function shownPartition(state: State, run: RunView): ArchivePartition | null {
  return archivePartitions(state, run)[archivePosition(state, run).index] ?? null
}

/** Moves the cursor. After a move to the last row of an active run, the cursor follows the work again. */
export function moveInArchive(state: State, run: RunView, move: Move): State {
  const partitions = archivePartitions(state, run)
  const { list } = archiveLayout(state, run)
  const at = archivePosition(state, run)
  const index = moveIndex(at.index, move, partitions.length, list)
  const follows = move === 'last' && run.finished === null
  const results = follows
    ? { cursor: 0, top: 0 }
    : { cursor: index + 1, top: scrollTop(at.top, index, partitions.length, list) }
  return { ...state, runs: { ...state.runs, results } }
}
