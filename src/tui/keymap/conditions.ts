/** Conditions of keys. A key is dispatched, hinted and listed in the palette only while its condition holds. */
import { isInCatalog } from '../../model/lake/answers.ts'
import type { State, Tab } from '../state/state.ts'
import { geometry } from '../state/geometry.ts'
import { activeRun, comparison, logRows, openRun, runResults, runRows, steeredRun } from '../state/selectors.ts'
import type { RunView } from '../run/run-view.ts'
import { underCursor, type UnderCursor } from '../screens/run/copy/copy-cursor.ts'
import { shownPartition } from '../screens/run/archiving/archive-shown.ts'
import { copyLayout, isFollowing } from '../screens/run/copy/copy-layout.ts'
import { attentionRows } from '../screens/tables/attention.ts'
import { isAsking } from '../screens/ask/state.ts'
import { fileUrl } from '../screens/tables/relation-row.ts'
import { cursorRow, openedDatabase, storeOfRow, targetRows } from '../screens/tables/tables-list.ts'
import {
  runOfLine,
  runOfSchedule,
  scheduleAtCursor,
  taskAtCursor,
  workerAtCursor,
} from '../screens/queue/queue-rows.ts'
import { queueView, shownRun } from '../screens/queue/queue-open.ts'
import { pauseOf, taskLedger, steersShared, type SharedSteer } from '../screens/queue/queue-steer.ts'
import { showsOutput } from '../run/output.ts'
import { declarationOf } from '../../app/operations/facts.ts'

export type When = (state: State) => boolean

export const anywhere: When = () => true
export const inForm: When = (s) => s.dialog?.kind === 'form'
export const onTables: When = (s) => s.screen === 'tables'
/** True if the cursor is in the list of all tables, or in the list of tables that need attention. */
export const inList: When = (s) => onTables(s) && s.focus !== 'detail'
export const inNeeds: When = (s) => onTables(s) && s.focus === 'needs'
export const hasNeeds: When = (s) => onTables(s) && attentionRows(s).length > 0
export const inDetail: When = (s) => onTables(s) && s.focus === 'detail'
export const inTab =
  (tab: Tab): When =>
  (s) =>
    inDetail(s) && s.detail.tab === tab
export const hasRow: When = (s) => onTables(s) && cursorRow(s) !== null
export const listRow: When = (s) => inList(s) && hasRow(s)
/** True if the row under the cursor can be opened: only Delta tables have details. */
export const canOpen: When = (s) => inList(s) && !inNeeds(s) && cursorRow(s)?.kind === 'delta'
/** True if the row under the cursor has a detail pane, or the detail pane is open. */
export const hasPanes: When = (s) => canOpen(s) || inDetail(s)
/** True if another pane can get the focus. */
export const otherPanes: When = (s) => hasPanes(s) || hasNeeds(s)
/** True if list and detail pane are both visible. */
export const manyPanes: When = (s) => hasPanes(s) && geometry(s).detail > 0 && geometry(s).list > 0
/** True if the tabs are visible. */
export const hasVisibleTabs: When = (s) => manyPanes(s) || inDetail(s)
export const manyPanesOrZoom: When = (s) => onTables(s) && (s.zoom || manyPanes(s))
/**
 * True if the last row has hints for actions on the table. Tabs other than the overview have hints for their own keys
 * instead.
 */
export const hasActionHints: When = (s) => inList(s) || inTab('overview')(s)
/** True if the open tab can show an earlier version of the table. */
export const hasVersions: When = (s) => inTab('files')(s) || inTab('partitions')(s)
export const offLog: When = (s) => s.screen !== 'log'
export const hasCatalog: When = (s) => s.catalog !== null
/** True if there is a catalog but no lake, and the list does not contain the database of the catalog. */
export const hasOnlyCatalog: When = (s) =>
  inList(s) && s.catalog !== null && s.lake === null && !s.databases.some(({ url }) => url === s.catalog)
export const onRelation: When = (s) => inList(s) && cursorRow(s)?.kind === 'relation'
/** True if the row under the cursor is a table whose rows are distributed over a token ring. */
export const onRing: When = (s) => {
  const row = inList(s) ? cursorRow(s) : null
  return row?.kind === 'relation' && row.relation.ring !== undefined
}
/** True if the row under the cursor is a table that is partitioned by range. */
export const onRanges: When = (s) => {
  const row = inList(s) ? cursorRow(s) : null
  return row?.kind === 'relation' && row.relation.partitioning?.startsWith('range') === true
}
/** True if the row under the cursor is a database file on this machine, whose tables can be listed. */
export const onSource: When = (s) => {
  const row = inList(s) ? cursorRow(s) : null
  return row !== null && row.kind === 'database' && fileUrl(row) !== null
}
export const onStore: When = (s) => inList(s) && cursorRow(s)?.kind === 'store'
/** True if `→` opens the store under the cursor. */
export const canUnfold: When = (s) => {
  const row = inList(s) ? cursorRow(s) : null
  return row?.kind === 'store' && !row.open
}
/** True if `←` closes the store of the row under the cursor. For a Delta table, `←` changes the tab. */
export const canFold: When = (s) => {
  const row = inList(s) ? cursorRow(s) : null
  return row !== null && row.kind !== 'delta' && storeOfRow(s, row)?.open === true
}
/** True if the tables of the store or database file under the cursor are listed. */
export const listsTables: When = (s) =>
  s.databases.some(({ parent }) => parent !== null && parent === cursorRow(s)?.key)
export const hasDelta: When = (s) => onTables(s) && targetRows(s).some((row) => row.kind === 'delta')
export const canImport: When = (s) => hasDelta(s) && s.lake !== null
export const inCatalog: When = (s) =>
  onTables(s) && targetRows(s).some((row) => row.kind === 'delta' && isInCatalog(row))
/** True if the table can be synchronized with new commits. */
export const canSync: When = (s) => inList(s) && inCatalog(s)
export const canSyncAll: When = (s) => inList(s) && s.catalog !== null && (s.slots.tables.value ?? []).some(isInCatalog)
export const canRollBack: When = (s) => {
  const row = onTables(s) ? cursorRow(s) : null
  return row !== null && row.kind === 'delta' && isInCatalog(row)
}
export const idle: When = (s) => activeRun(s) === undefined
/**
 * True if the run that the program was started for has ended, and the user may leave: no other run of this program is
 * active.
 */
export const hasRunEnded: When = (s) => s.hasRunEnded && idle(s)
/** True if the program only shows one run, which continues after the user leaves. */
export const isAttached: When = (s) => s.attached && !s.hasRunEnded && idle(s)
export const runOpen: When = (s) => s.screen === 'runs' && openRun(s) !== null
export const runsListed: When = (s) => s.screen === 'runs' && openRun(s) === null && runRows(s).length > 0
export const hasResults: When = (s) => {
  const run = s.screen === 'runs' ? openRun(s) : null
  if (run?.archiving != null) return shownPartition(s, run) !== null
  return run !== null && (showsOutput(run) || (run.copy === null && runResults(s, run).length > 0))
}
/** True if the screen shows a run that can be paused or resumed. */
export const isSteerable: When = (s) => isPausable(s) || isResumable(s)
/** True if the screen shows an active run that can be paused. */
export const isPausable: When = (s) =>
  (s.screen === 'runs' && pausableRun(s)?.phase === 'running') || sharedPause(s) === 'works'
/** True if the screen shows a paused run, or a queue run on which `p` has an effect. */
export const isResumable: When = (s) =>
  (s.screen === 'runs' && pausableRun(s)?.phase === 'paused') || sharedPause(s) !== null
/** The active run, if it can be paused; other operations do not support pausing. */
const pausableRun = (s: State): RunView | undefined => {
  const run = steeredRun(s)
  if (run === undefined) return undefined
  return run.copy !== null || declarationOf(run.operation.kind).pauses === true ? run : undefined
}
/** True if the active run is a copy. */
export const isCopyRun: When = (s) => (steeredRun(s)?.copy ?? null) !== null
/** True if the active run is an archive run or a restore. */
export const isArchiveRun: When = (s) => (steeredRun(s)?.archiving ?? null) !== null
/**
 * True if the active run only replicates, see `isFollowing`: it has no copy workers, and its tables cannot be steered
 * one by one.
 */
export const isLiveStream: When = (s) => {
  const run = steeredRun(s)
  return run !== undefined && isFollowing(run)
}
/** True if the active run writes in batches: a replication stream, or a write to a catalog. Read-only runs do not. */
export const inBatches: When = (s) => {
  const run = steeredRun(s)
  if (run === undefined) return false
  const { stores } = declarationOf(run.operation.kind)
  return isFollowing(run) || stores.some(({ family, access }) => family === 'catalog' && access === 'write')
}
export const steersWorkers: When = (s) =>
  (isSteerable(s) && !isLiveStream(s) && (isCopyRun(s) || hasWorkers(s))) || sharedSteers('workers')(s)
/** True if the active run can have several workers; archive and sync work on one table at a time. */
const hasWorkers: When = (s) => {
  const run = steeredRun(s)
  return run !== undefined && declarationOf(run.operation.kind).lanes === true
}
export const steersCopy: When = (s) => (isSteerable(s) && isCopyRun(s)) || sharedSteers('rate')(s)
/** The open run, if the copy screen shows it; null otherwise. */
const copyOpen = (s: State): RunView | null => {
  const run = s.screen === 'runs' ? openRun(s) : null
  return run === null || run.copy === null || showsOutput(run) ? null : run
}
/** True if the last row has space for short words only. */
export const narrow: When = (s) => s.size.columns < 60
export const inChunks: When = (s) => {
  const run = copyOpen(s)
  return run !== null && copyLayout(s, run).cursor === 'chunks'
}
/** The table or chunk under the cursor of an active or paused copy; null if none can be steered. */
const steerable = (s: State): UnderCursor | null => {
  const run = copyOpen(s)
  if (run === null || isFollowing(run) || (run.phase !== 'running' && run.phase !== 'paused')) return null
  return underCursor(s, run)
}
/** True if the table or chunk still has work in this run that can be paused or skipped. */
export const canHold: When = (s) => {
  const under = steerable(s)
  if (under?.kind === 'table') return under.table.result === null && under.table.plan?.status !== 'refused'
  return under !== null && (under.chunk.steering !== null || ['copying', 'waits'].includes(under.chunk.state))
}
export const isRunHeld = (s: State, why: 'paused' | 'skipped'): boolean => {
  const under = steerable(s)
  return (under?.kind === 'table' ? under.table.steering : under?.chunk.steering) === why
}
export const canRetry: When = (s) => {
  const under = steerable(s)
  if (under?.kind === 'chunk') return under.chunk.state === 'failed' || under.chunk.state === 'waits'
  if (under === null || under.table.started === null) return false
  const { failed, waits } = under.table.map.counts()
  return failed + waits > 0 || (under.table.result?.status === 'failed' && under.table.tally.quarantined === 0)
}
/** True if the last row has hints for workers and rate. On a small screen the chunk list leaves no space for them. */
export const hasSteeringHints: When = (s) => s.size.columns >= 100 || !inChunks(s)
export const copiesMany: When = (s) => (copyOpen(s)?.copy?.tables.length ?? 0) > 1
export const onCopyRow: When = (s) => {
  const run = copyOpen(s)
  return run !== null && !isFollowing(run) && underCursor(s, run) !== null
}
/** True if the screen of a copy shows workers instead of a list with a cursor. */
export const offCopyRow: When = (s) => {
  const run = copyOpen(s)
  return run !== null && !isFollowing(run) && copyLayout(s, run).cursor === 'none'
}
/** True if there is another list to switch to: tables and chunks, or workers and chunks on a small screen. */
export const copyPanes: When = (s) => {
  const run = copyOpen(s)
  return run !== null && !isFollowing(run) && (copiesMany(s) || (!copyLayout(s, run).wide && run.finished === null))
}
export const canStop: When = (s) => {
  if (s.screen === 'queue') return sharedSteers('stop')(s)
  const run = steeredRun(s)
  return s.screen !== 'log' && s.screen !== 'ask' && run !== undefined && run.phase !== 'aborting'
}
/** True if the run can be aborted. The workers of a queue run, which may be on other hosts, can only be stopped. */
export const canAbort: When = (s) => canStop(s) && s.screen !== 'queue'
export const onCompare: When = (s) => s.screen === 'compare'
export const compared: When = (s) => onCompare(s) && (comparison(s)?.questions.length ?? 0) > 0
export const askAgain: When = (s) => compared(s) && idle(s)
export const onAsk: When = (s) => s.screen === 'ask'
export const inGrid: When = (s) => onAsk(s) && s.ask.pane === 'grid'
export const inEditor: When = (s) => onAsk(s) && s.ask.pane === 'editor'
/** True if a statement is running. */
export const isQuerying: When = (s) => onAsk(s) && isAsking(s.ask)
export const canAsk: When = (s) => onAsk(s) && !isAsking(s.ask)
export const hasAnswerRows: When = (s) => inGrid(s) && (s.ask.answer?.progress.rows ?? 0) > 0
export const hasWholeAnswer: When = (s) => inGrid(s) && s.ask.answer?.progress.whole === true
export const onLog: When = (s) => s.screen === 'log'
export const hasLog: When = (s) => onLog(s) && logRows(s).length > 0
export const sortable: When = (s) => inList(s) || inTab('files')(s)
export const filtered: When = (s) => inTab('files')(s) && s.detail.where !== ''
export const canCopyText: When = (s) =>
  hasRow(s) || hasLog(s) || runsListed(s) || runOpen(s) || onCompare(s) || onAsk(s) || onQueue(s)
export const knowsQueue: When = (s) => s.queue !== null
export const onQueue: When = (s) => queueView(s) !== null
/** True on a screen from which one key opens the workers: the Runs screen, a queue run, the schedules. */
export const nearWorkers: When = (s) =>
  knowsQueue(s) && (s.screen === 'runs' || ['run', 'schedules'].includes(queueView(s)?.kind ?? ''))
/** True if the workers are neither on the screen nor one key away. */
export const farFromWorkers: When = (s) => knowsQueue(s) && !nearWorkers(s) && queueView(s)?.kind !== 'workers'
/** True on the screen from which one key opens the schedules: the Runs screen. */
export const nearSchedules: When = (s) => knowsQueue(s) && s.screen === 'runs'
/** True if the schedules are neither on the screen nor one key away. */
export const farFromSchedules: When = (s) => knowsQueue(s) && !nearSchedules(s) && queueView(s)?.kind !== 'schedules'
export const onScheduleRun: When = (s) => runOfSchedule(scheduleAtCursor(s)) !== null
/**
 * True if the schedule under the cursor can be steered. A void schedule must be added again, and its plan confirmed.
 */
export const onSteerableSchedule: When = (s) => {
  const schedule = scheduleAtCursor(s)
  return s.queue?.error === null && schedule !== null && schedule.state !== 'void'
}
export const onPausedSchedule: When = (s) => scheduleAtCursor(s)?.state === 'paused'
/** True if the worker process under the cursor has claimed a task: the run of the task can be opened. */
export const onBusyWorker: When = (s) => {
  const line = workerAtCursor(s)
  return line !== null && runOfLine(line) !== null
}
/** True if the worker process under the cursor is running and was not asked to drain. */
export const onRunningWorker: When = (s) => s.queue?.error === null && workerAtCursor(s)?.worker.state === 'lives'
export const onTask: When = (s) => taskAtCursor(s) !== null
/** True if the run of the task under the cursor is in a ledger that this program can open. */
export const hasTaskLedger: When = (s) => taskLedger(s) !== null
/** What `p` does with the open queue run, see `pauseOf`; null if it does nothing. */
const sharedPause = (s: State): 'works' | 'rests' | 'ended' | null => {
  const run = shownRun(s)
  return run === null ? null : pauseOf(run)
}
/** True if the open queue run has ended with work left. */
export const sharedEnded: When = (s) => sharedPause(s) === 'ended'
const sharedSteers =
  (what: SharedSteer): When =>
  (s) => {
    const run = shownRun(s)
    return run !== null && steersShared(run, what)
  }
/** True if `esc` can close something. */
export const canClose: When = (s) =>
  openedDatabase(s) !== null ||
  s.screen !== 'tables' ||
  s.focus !== 'list' ||
  s.zoom ||
  s.tables.filter !== '' ||
  s.tables.marks.size > 0
