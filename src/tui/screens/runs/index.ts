/** The Runs screen: the list of runs, or the run that is open. */
import { followUpCommand, unconfirmedCommand } from '../../../app/live/follow-up.ts'
import { fromFolder } from '../../../shared/working-folder.ts'
import type { RunView } from '../../run/run-view.ts'
import { runsHeight } from '../../state/geometry.ts'
import { indexNow, placed, wholeList } from '../../state/kept-cursor.ts'
import { movePosition, limitPosition } from '../../state/position.ts'
import { openRun, runResults } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { archivePartitions, moveInArchive } from '../run/archiving/archive-shown.ts'
import { moveInCopy, toPane } from '../run/copy/copy-cursor.ts'
import { moveInResults } from '../run/result-shown.ts'
import { runScreen } from '../run/view.ts'
import { toTables, type Copied, type ScreenEntry } from '../screen.ts'
import { listedRunId, runRows, sameRun } from './run-rows.ts'
import { runsScreen } from './view.ts'

function heldRun(before: State, after: State): State {
  const { at } = after.runs
  const isAsBefore =
    before.runs.views === after.runs.views &&
    before.runs.machine === after.runs.machine &&
    before.runs.ledgers === after.runs.ledgers &&
    before.queue?.runs === after.queue?.runs &&
    before.slots.runs === after.slots.runs
  if (at !== before.runs.at || isAsBefore) return after
  // If the user has chosen no run, the cursor stays on the newest run.
  if (at.cursor === 0 && (before.screen !== 'runs' || before.runs.open !== null)) return after
  const rows = runRows(after)
  const height = runsHeight(after)
  const was = runRows(before)[at.cursor]
  const next = limitPosition(
    placed(at, was === undefined ? null : sameRun(rows, was), rows.length, height),
    rows.length,
    height,
  )
  return next === at || rows.length === 0 ? after : { ...after, runs: { ...after.runs, at: next } }
}

/** Keeps the cursor on its result. Cursor 0 follows the newest result; another value is the index plus one. */
function heldResult(before: State, after: State): State {
  const { results } = after.runs
  if (results !== before.runs.results || results.cursor === 0 || before.runs.views === after.runs.views) return after
  const [was, now] = [openRun(before), openRun(after)]
  if (was === null || now === null || was.id !== now.id || now.copy !== null) return after
  const index =
    now.archiving === null
      ? indexNow<object>(
          results.cursor - 1,
          wholeList(runResults(before, was)),
          wholeList(runResults(after, now)),
          (one) => one,
        )
      : indexNow(
          results.cursor - 1,
          wholeList(archivePartitions(before, was)),
          wholeList(archivePartitions(after, now)),
          ({ name }) => name,
        )
  if (index === null || index + 1 === results.cursor) return after
  const top = Math.max(0, results.top + index + 1 - results.cursor)
  return { ...after, runs: { ...after.runs, results: { cursor: index + 1, top } } }
}

function moved(state: State, move: Parameters<ScreenEntry['move']>[1]): State {
  const run = openRun(state)
  if (run === null) {
    const at = movePosition(state.runs.at, move, runRows(state).length, runsHeight(state))
    return { ...state, runs: { ...state.runs, at } }
  }
  if (run.copy !== null) return moveInCopy(state, run, move)
  if (run.archiving !== null) return moveInArchive(state, run, move)
  return moveInResults(state, run, move)
}

function left(state: State): State {
  const run = openRun(state)
  if (run === null) return toTables(state)
  if (run.copy !== null && state.runs.copy.pane === 'chunks') return toPane(state, 'top')
  return { ...state, runs: { ...state.runs, open: null } }
}

/** Command line that works from the current folder. */
const commandOf = ({ commandLine, joined }: RunView): string => fromFolder(commandLine, joined?.folder ?? null)

function copied(state: State): Copied | null {
  const run = openRun(state)
  if (run !== null) return { command: run.finished?.resumeCommand ?? commandOf(run) }
  const row = runRows(state)[state.runs.at.cursor]
  if (row === undefined) return null
  if (row.kind === 'here') return { command: commandOf(row.run) }
  if (row.kind === 'machine' && row.run.commandLine !== '')
    return { command: followUpCommand(row.run) ?? unconfirmedCommand(row.run.commandLine) }
  return { text: listedRunId(row) ?? '', what: 'run id' }
}

export const RUNS: ScreenEntry = {
  title: 'Runs',
  next: 'runs',
  keys: [
    'RUN screen',
    'MOVE',
    'PROGRAM',
    'FIND AND SORT',
    'ACT on the row or the marked rows',
    'COMPARE screen',
    'DIALOGS',
  ],
  ownKeys: 'RUN screen',
  helpTitle: (state) => {
    const run = openRun(state)
    return run === null ? 'Runs' : `Run › ${run.operation.kind}`
  },
  draw: (state, cells) => {
    const run = openRun(state)
    return run === null ? runsScreen(state, cells) : runScreen(state, run, cells)
  },
  crumbs: (state) => {
    const run = openRun(state)
    return run === null ? '' : `Runs › ${run.runId ?? run.operation.kind}`
  },
  move: moved,
  keepCursor: (before, after) => heldResult(before, heldRun(before, after)),
  back: left,
  copied,
}
