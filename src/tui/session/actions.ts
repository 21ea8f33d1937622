/** Commands that start an operation or open a text: import, validate, compare, roll back, commits and files. */
import type { TableRequest } from '../../model/run/table-request.ts'
import { isInCatalog, type TableRow } from '../../model/lake/answers.ts'
import { type MachineRun } from '../../app/workbench.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { KeyCommand } from '../keymap/bindings.ts'
import { isRunHeld } from '../keymap/conditions.ts'
import {
  comparison,
  dataIdentity,
  knownValue,
  openRun,
  runRows,
  selectedVersion,
  steeredRun,
} from '../state/selectors.ts'
import type { Dialog } from '../dialogs/state.ts'
import { attentionIndex, attentionRows } from '../screens/tables/attention.ts'
import { lakeOf } from '../screens/tables/stores.ts'
import { cursorRow, storeOfRow, targetRows } from '../screens/tables/tables-list.ts'
import { commitText, fileLines, resultText, runText } from '../views/texts.ts'
import { openScreen } from '../screens/index.ts'
import { askPlan, askRollback } from '../dialogs/actions.ts'
import { rateAfter } from '../run/rate-limit.ts'
import type { RunView } from '../run/run-view.ts'
import { showsOutput } from '../run/output.ts'
import { shownPartition } from '../screens/run/archiving/archive-shown.ts'
import { shownResult } from '../screens/run/result-shown.ts'
import { isChosen, underCursor } from '../screens/run/copy/copy-cursor.ts'
import { partitionLines } from '../screens/run/archiving/texts.ts'
import { chunkKeyRange, chunkText, copyTableLines } from '../screens/run/copy/texts.ts'
import { differingRows } from '../screens/run/differences.ts'
import type { RelationRow } from '../screens/tables/relation-row.ts'
import { relationText } from '../screens/tables/relations.ts'
import { followUpCommand, unconfirmedCommand } from '../../app/live/follow-up.ts'
import { machineRunText } from '../screens/run/run-texts.ts'
import { batchImportJob, compareJob, fsckJob, importRows, validateJob, type TuiJob } from './operations.ts'
import { actOnShared } from '../screens/queue/actions.ts'
import { stopRun } from './stop-run.ts'
import type { Acting } from './acting.ts'

function deltaRows(s: Acting): readonly TableRow[] {
  return targetRows(s.state).flatMap((row) => (row.kind === 'delta' ? [row] : []))
}

function importTables(s: Acting, rows: readonly TableRow[], start: boolean): void {
  // An import of several tables finds them by their names in one lake, so tables of several lakes are refused.
  const [lake = null, ...others] = new Set(rows.map((row) => lakeOf(s.state, row)))
  if (others.length > 0) {
    s.flash('one import takes tables of one lake; unmark those of the others', 'bad')
    return
  }
  const place = { ...s.place, lake }
  const dry = importRows(rows, place, true)
  const job = importRows(rows, place, false)
  if (dry === null || job === null) return
  askPlan(s, rows.length === 1 ? `Import ${rows[0]?.name ?? ''}` : `Import ${rows.length} tables`, dry, job, start)
}

function eachInCatalog(s: Acting, on: readonly TableRow[], what: string, make: (row: TableRow) => TuiJob): void {
  const rows = on.filter(isInCatalog)
  const broken = on.filter((row) => !isInCatalog(row) && row.error !== null).length
  const left = on.length - rows.length - broken
  s.queue.add(rows.map(make))
  const others = [
    ...(left > 0 ? [`${left} not in the catalog yet, i imports them`] : []),
    ...(broken > 0 ? [`${broken} cannot be read`] : []),
  ]
  if (others.length > 0) s.flash([`${what} ${rows.length}`, ...others].join('; '))
}

function compareAgain(s: Acting, command: KeyCommand): void {
  const shown = comparison(s.state)
  if (shown === null) return
  const question = shown.questions[s.state.compare.at.cursor]
  const only = command === 'compare.again' && question !== undefined ? [question.question] : undefined
  const report = command === 'compare.report' ? 'sluice-compare.md' : undefined
  s.queue.add([compareJob(shown.table, s.place, only, report)])
}

function text(s: Acting, title: string, lines: readonly string[], copy: string): void {
  s.store.dispatch({ type: 'dialog', dialog: { kind: 'text', title, lines, top: 0, copy } })
}

async function openCommit(s: Acting): Promise<void> {
  const { key } = s.state.detail
  const version = selectedVersion(s.state)
  if (key === null || version === null) return
  try {
    const detail = await s.workbench.commit(key, version)
    text(s, `commit ${version}`, commitText(detail), String(version))
  } catch (thrown) {
    s.flash(asSluiceError(thrown).message, 'bad')
  }
}

function openFile(s: Acting): void {
  const page = knownValue(s.state, 'files', dataIdentity(s.state, 'files'))
  const file = page?.rows[s.state.detail.at.files.cursor - page.from]
  if (file !== undefined) text(s, 'file entry', fileLines(file), file.path)
}

function openPastRun(s: Acting): void {
  const row = runRows(s.state)[s.state.runs.at.cursor]
  if (row?.kind === 'past') text(s, `run ${row.run.run}`, runText(row.run), row.run.run)
  if (row?.kind === 'ledger') s.ledger.open(row.run, row.url)
  if (row?.kind !== 'machine') return
  if (row.run.canJoin) s.joined.open(row.run.run)
  else void openMachineRun(s, row.run)
}

async function openMachineRun(s: Acting, run: MachineRun): Promise<void> {
  const curve = (await s.workbench.machine?.curve(run.run)) ?? []
  const cells = Math.min(s.state.size.columns, 140) - 4
  const lines = machineRunText(run, curve, cells, s.state.ascii)
  const copy = followUpCommand(run) ?? unconfirmedCommand(run.commandLine)
  s.store.dispatch({
    type: 'dialog',
    dialog: { kind: 'text', title: `run ${run.run}`, lines, top: 0, copy, isCommand: true },
  })
}

function openResult(s: Acting): void {
  const run = openRun(s.state)
  const partition = run === null ? null : shownPartition(s.state, run)
  if (run?.archiving != null && partition !== null) {
    const { name, error } = partition
    text(s, name, partitionLines(partition, run.archiving), error?.message ?? name)
    return
  }
  if (run !== null && showsOutput(run)) {
    text(s, 'output', run.output, run.output.join('\n'))
    return
  }
  const result = run === null ? null : shownResult(s.state, run)
  if (run === null || result === null) return
  const lines = [...resultText(result), ...differingRows(run, result.table)]
  text(s, result.table, lines, result.error?.message ?? result.table)
}

/** Opens the full text of the table or chunk under the cursor of a copy. */
function openChunk(s: Acting): void {
  const run = openRun(s.state)
  const under = run === null ? null : underCursor(s.state, run)
  if (run === null || under === null) return
  if (under.kind === 'table') text(s, under.table.name, copyTableLines(under.table, run), under.table.name)
  else
    text(
      s,
      `chunk ${under.chunk.no} of ${under.chunk.table}`,
      chunkText(under.chunk, run, s.state.now),
      chunkKeyRange(under.chunk, run),
    )
}

const MOST_WORKERS = 64

function workersAfter(run: RunView, by: number): number {
  const asked =
    run.operation.kind === 'copy'
      ? Math.min(run.operation.workers, run.copy?.writers ?? MOST_WORKERS)
      : run.workers.length
  return Math.max(1, Math.min(MOST_WORKERS, (run.wantedWorkers ?? asked) + by))
}

function setWorkers(s: Acting, run: RunView, by: number): void {
  const wanted = workersAfter(run, by)
  const { writers } = run.copy ?? { writers: null }
  if (by > 0 && writers !== null && wanted > writers) {
    const many = writers === 1 ? 'one chunk' : `${writers} chunks`
    s.flash(`the target accepts ${many} at a time: more workers would only wait`)
    return
  }
  s.steering.workers(wanted)
}

function turnRate(s: Acting, run: RunView, faster: boolean): void {
  const next = rateAfter(run, faster, s.state.now)
  if ('why' in next) s.flash(next.why)
  else s.steering.rate(next.rate)
}

const STEERED: Readonly<Record<TableRequest['act'], string>> = {
  pause: 'is paused: P resumes it',
  resume: 'is resumed',
  skip: 'is left to another run: S adds it again',
  retry: 'is tried again: only its failed parts',
}

/** Sends a steering request for the table or chunk under the cursor. */
function steer(s: Acting, act: TableRequest['act']): void {
  const run = openRun(s.state)
  const under = run === null ? null : underCursor(s.state, run)
  if (under === null) return
  // Until the user moves it, the cursor follows the work, so its row may have changed just before the key was pressed.
  if (!isChosen(s.state, under)) {
    s.flash('choose a row first: j and k move the cursor, which follows the work until then')
    return
  }
  if (under.kind === 'table') {
    s.steering.steer({ act, table: under.table.name })
    s.flash(`${under.table.name} ${STEERED[act]}`)
  } else {
    const { table, no } = under.chunk
    s.steering.steer({ act, table, chunk: no })
    s.flash(`chunk ${no} ${STEERED[act]}`)
  }
}

const OF_RELATION = {
  'open.relation': (s: Acting, { name, relation }: RelationRow): void => {
    const lines = relationText(relation).map((one) => one.replace(/^# /, ''))
    text(s, name, lines, name)
  },
  'open.ring': (s: Acting, row: RelationRow): void => s.rings.open(row),
  'open.lifecycle': (s: Acting, row: RelationRow): void => s.lifecycles.open(row),
  'open.timeline': (s: Acting, row: RelationRow): void => s.timelines.open(row),
}

/** Executes a command on these tables. @returns false if the command is not about tables */
function actOnTables(s: Acting, command: KeyCommand, rows: readonly TableRow[]): boolean {
  switch (command) {
    case 'import':
    case 'plan':
      importTables(s, rows, command === 'import')
      return true
    case 'validate':
      eachInCatalog(s, rows, 'validating', (row) => validateJob(row, s.place))
      return true
    case 'fsck':
      s.queue.add(rows.map((row) => fsckJob(row, s.place)))
      return true
    case 'compare':
      eachInCatalog(s, rows, 'comparing', (row) => compareJob(row.location, s.place))
      return true
    default:
      return false
  }
}

/** Executes a command on the workbench; the reducer has already executed pure screen commands. */
export function actOn(s: Acting, command: KeyCommand, rows: readonly TableRow[] = deltaRows(s)): void {
  const run = steeredRun(s.state)
  if (s.state.screen === 'queue' && actOnShared(s, command)) return
  if (actOnTables(s, command, rows)) return
  switch (command) {
    case 'batch-import': {
      const lake = s.workbench.lake
      if (lake === null) break
      askPlan(
        s,
        `Import every table of ${lake}`,
        batchImportJob(s.place, lake, undefined, true),
        batchImportJob(s.place, lake, undefined, false),
        true,
      )
      break
    }
    case 'rollback': {
      const row = cursorRow(s.state)
      if (row?.kind === 'delta') askRollback(s, row)
      break
    }
    case 'sync.toggle':
      s.syncs.toggle(rows, s.place)
      break
    case 'sync.all':
      s.syncs.toggleAll(s.place)
      break
    case 'open.store':
    case 'store.unfold':
    case 'store.fold':
      s.stores.toggle(storeOfRow(s.state, cursorRow(s.state)))
      break
    case 'open.need': {
      const one = attentionRows(s.state)[attentionIndex(s.state)]
      if (one !== undefined) s.store.dispatch({ type: 'dialog', dialog: { kind: 'need', key: one.key } })
      break
    }
    case 'open.database': {
      const row = cursorRow(s.state)
      if (row?.kind === 'database') s.databases.toggle(row)
      break
    }
    case 'database.tables':
      if (s.workbench.catalog !== null) s.databases.open(s.workbench.catalog, s.workbench.catalog, null)
      break
    case 'open.relation':
    case 'open.ring':
    case 'open.lifecycle':
    case 'open.timeline': {
      const row = cursorRow(s.state)
      if (row?.kind === 'relation') OF_RELATION[command](s, row)
      break
    }
    case 'compare.again':
    case 'compare.all':
    case 'compare.report':
      compareAgain(s, command)
      break
    case 'as-of.row': {
      const version = selectedVersion(s.state)
      if (version === null) break
      s.store.dispatch({ type: 'as-of', asOf: { version } })
      s.flash(
        `Files and Partitions are as of v${version} now; t there, and enter on an empty line, goes back to the newest`,
        'ok',
      )
      break
    }
    case 'open.commit':
      void openCommit(s)
      break
    case 'open.file':
      openFile(s)
      break
    case 'open.run':
      openPastRun(s)
      break
    case 'open.result':
      openResult(s)
      break
    case 'clipboard': {
      const what = openScreen(s.state).copied(s.state)
      if (what !== null && 'command' in what) s.copyCommand(what.command)
      else if (what !== null) s.copy(what.text, what.what)
      break
    }
    case 'open.chunk':
      openChunk(s)
      break
    case 'run.pause':
    case 'run.go-on':
      s.steering.pause(command === 'run.pause')
      break
    case 'run.more':
    case 'run.fewer':
      if (run !== undefined) setWorkers(s, run, command === 'run.more' ? 1 : -1)
      break
    case 'run.slower':
    case 'run.faster':
      if (run !== undefined) turnRate(s, run, command === 'run.faster')
      break
    case 'row.pause':
      steer(s, isRunHeld(s.state, 'paused') ? 'resume' : 'pause')
      break
    case 'row.skip':
      steer(s, isRunHeld(s.state, 'skipped') ? 'resume' : 'skip')
      break
    case 'row.retry':
      steer(s, 'retry')
      break
    case 'run.stop':
      if (run === undefined) break
      if (run.joined === null) stopRun(s, run)
      else s.store.dispatch({ type: 'dialog', dialog: { kind: 'stop', run: run.id, choice: 0 } satisfies Dialog })
      break
    case 'run.abort':
      if (run !== undefined)
        s.store.dispatch({ type: 'dialog', dialog: { kind: 'abort', run: run.id, choice: 0 } satisfies Dialog })
      break
    default:
      break
  }
}
