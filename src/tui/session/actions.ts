/** Commands that start something: imports, validations, comparisons, roll backs, and the full texts of a commit or a file. */
import type { TableRow } from '../../engine/workbench.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { Command } from '../keymap/bindings.ts'
import {
  activeRun,
  comparison,
  identityOf,
  known,
  openRun,
  runResults,
  runRows,
  selectedVersion,
} from '../state/selectors.ts'
import type { Dialog } from '../state/state.ts'
import { cursorRow, targetRows } from '../state/tables-list.ts'
import { commitText, fileText, resultText, runText } from '../views/texts.ts'
import { copied } from './clipboard.ts'
import { askPlan, askRollback } from './dialogs.ts'
import type { Job } from './operations.ts'
import { batchImport, compare, importRows, validate } from './operations.ts'
import type { Session } from './session.ts'

const place = (s: Session): { lake: string | null; catalog: string } => ({
  lake: s.workbench.lake,
  catalog: s.workbench.catalog,
})

function deltaRows(s: Session): readonly TableRow[] {
  return targetRows(s.state).filter((row) => row.kind === 'delta')
}

function importMarked(s: Session, start: boolean): void {
  const rows = deltaRows(s)
  const dry = importRows(rows, place(s), true)
  const job = importRows(rows, place(s), false)
  if (dry === null || job === null) return
  askPlan(s, rows.length === 1 ? `Import ${rows[0]?.name ?? ''}` : `Import ${rows.length} tables`, dry, job, start)
}

function eachInCatalog(s: Session, what: string, make: (row: TableRow) => Job): void {
  const rows = deltaRows(s).filter((row) => row.catalog.state !== 'none')
  const left = deltaRows(s).length - rows.length
  s.queue.add(rows.map(make))
  if (left > 0) s.flash(`${what} ${rows.length}; ${left} not in the catalog yet, i imports them`)
}

function compareAgain(s: Session, command: Command): void {
  const shown = comparison(s.state)
  if (shown === null) return
  const question = shown.questions[s.state.compare.at.cursor]
  const only = command === 'compare.again' && question !== undefined ? [question.question] : undefined
  const report = command === 'compare.report' ? 'sluice-compare.md' : undefined
  s.queue.add([compare(shown.table, place(s), only, report)])
}

function text(s: Session, title: string, lines: readonly string[], copy: string): void {
  s.store.dispatch({ type: 'dialog', dialog: { kind: 'text', title, lines, top: 0, copy } })
}

async function openCommit(s: Session): Promise<void> {
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

function openFile(s: Session): void {
  const page = known(s.state, 'files', identityOf(s.state, 'files'))
  const file = page?.rows[s.state.detail.at.files.cursor - page.from]
  if (file !== undefined) text(s, 'file entry', fileText(file), file.path)
}

function openPastRun(s: Session): void {
  const row = runRows(s.state)[s.state.runs.at.cursor]
  if (row?.kind === 'past') text(s, `run ${row.run.run}`, runText(row.run), row.run.run)
}

function openResult(s: Session): void {
  const run = openRun(s.state)
  const result = run === null ? undefined : runResults(s.state, run)[s.state.runs.results.cursor]
  if (result !== undefined) text(s, result.table, resultText(result), result.error?.message ?? result.table)
}

/** Does what a command asks of the workbench; commands of the screen alone were done by the reducer. */
export function actOn(s: Session, command: Command): void {
  const run = activeRun(s.state)
  switch (command) {
    case 'import':
      importMarked(s, true)
      break
    case 'plan':
      importMarked(s, false)
      break
    case 'batch-import': {
      const lake = s.workbench.lake
      if (lake === null) break
      askPlan(
        s,
        `Import every table of ${lake}`,
        batchImport(place(s), lake, undefined, true),
        batchImport(place(s), lake, undefined, false),
        true,
      )
      break
    }
    case 'validate':
      eachInCatalog(s, 'validating', (row) => validate(row, place(s)))
      break
    case 'compare':
      eachInCatalog(s, 'comparing', (row) => compare(row.location, place(s)))
      break
    case 'rollback': {
      const row = cursorRow(s.state)
      if (row !== null) askRollback(s, row)
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
      s.flash(`Files and Partitions are as of v${version} now; t there with an empty line goes back`, 'ok')
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
    case 'copy': {
      const what = copied(s.state)
      if (what !== null) s.copy(what.text, what.what)
      break
    }
    case 'run.pause':
      s.queue.pause(run?.phase !== 'paused')
      break
    case 'run.more':
    case 'run.fewer': {
      const now = run?.wantedLanes ?? run?.lanes.length ?? 1
      s.queue.lanes(Math.max(1, now + (command === 'run.more' ? 1 : -1)))
      break
    }
    case 'run.stop':
      s.queue.stop()
      s.flash('stopping after the running batches; X aborts')
      break
    case 'run.abort':
      s.store.dispatch({ type: 'dialog', dialog: { kind: 'abort', choice: 0 } satisfies Dialog })
      break
    default:
      break
  }
}
