/** Dialogs: the plan before an import, the typed name before a roll back, the choice when leaving during a run. */
import type { TableRow } from '../../model/lake/answers.ts'
import type { Event } from '../../model/run/event.ts'
import type { KeyCommand } from '../keymap/bindings.ts'
import { foldRollbackCheck } from '../run/rollback-check.ts'
import type { State } from '../state/state.ts'
import type { Of } from './box.ts'
import type { Dialog } from './state.ts'
import { redactUrl } from '../../shared/redact.ts'
import { subjectsOf } from '../../app/operations/facts.ts'
import { field } from '../state/text-field.ts'
import { hasTableToCopy } from './copy-plan-dialog.ts'
import { canStart } from './plan-dialog.ts'
import { completedEntry, paletteEntries } from './palette.ts'
import { copyTablesJob, rollbackJob, verifyRollbackJob, type TuiJob } from '../session/operations.ts'
import type { Acting } from '../session/acting.ts'
import { textRows } from './view.ts'
import { movedLifecycle } from './lifecycle-dialog.ts'
import { movedSideways, scrolledStart } from './start-view.ts'
import { chosenCommand } from '../screens/tables/lifecycle-shown.ts'
import { attentionRows } from '../screens/tables/attention.ts'
import { steeredRun } from '../state/selectors.ts'
import { wantsName } from './start-dialog.ts'
import { acceptStart, askStart, backFromStart } from './starting.ts'
import { stopRun } from '../session/stop-run.ts'

const set = (s: Acting, dialog: Dialog | null): void => {
  s.store.dispatch({ type: 'dialog', dialog })
}

/** Passes the events of a read-only run to `apply` while its dialog is open; aborts the run once it is closed. */
function readInto<K extends Dialog['kind']>(
  s: Acting,
  kind: K,
  job: TuiJob,
  apply: (d: Of<K>, event: Event) => Of<K>,
  ended: (d: Of<K>, exit: number) => Of<K>,
): void {
  const current = (): Of<K> | null => {
    const dialog = s.state.dialog
    return dialog?.kind === kind && 'operation' in dialog && tokens.get(dialog.operation) === job
      ? (dialog as Of<K>)
      : null
  }
  const running = s.workbench.start(job.operation, job.commandLine)
  const unsubscribe = running.subscribe((event) => {
    const dialog = current()
    if (dialog === null) running.abort()
    else set(s, apply(dialog, event))
  })
  // Updates the elapsed time while the user waits.
  const clock = setInterval(() => {
    if (current() !== null) s.store.dispatch({ type: 'aged', now: s.clock.now() })
  }, 1000)
  void running.done.then((exit) => {
    clearInterval(clock)
    unsubscribe()
    const dialog = current()
    if (dialog !== null) set(s, ended(dialog, exit))
  })
}

/**
 * The dry run or check that was started for a dialog; the key is the dialog's operation. With it, a reopened dialog
 * ignores events of an earlier run.
 */
const tokens = new WeakMap<object, TuiJob>()

/** Shows the plan of an import, read by a dry run of the same operation. */
export function askPlan(s: Acting, title: string, dry: TuiJob, job: TuiJob, start: boolean): void {
  tokens.set(job.operation, dry)
  set(s, { kind: 'plan', title, ...job, start, state: 'reading', lines: [], error: null, top: 0 })
  readInto(
    s,
    'plan',
    dry,
    (d, event) => {
      if (event.type === 'plan.ready') return { ...d, lines: event.details ?? [], state: 'ready' }
      // After plan.ready each line shows the error of its table, so the error of the run is not needed.
      const failed = event.type === 'run.finished' && d.state === 'reading' ? event.error : undefined
      return failed === undefined ? d : { ...d, error: failed }
    },
    (d) => (d.state === 'reading' ? { ...d, state: 'failed' } : d),
  )
}

/** Shows the plan of a copy, read by a dry run. */
export function askCopyPlan(s: Acting, tables: readonly string[], from: string, to: string): void {
  const dry = copyTablesJob(tables, from, to, true)
  const job = copyTablesJob(tables, from, to, false)
  tokens.set(job.operation, dry)
  const what = tables.length === 1 ? (tables[0] ?? '') : `${tables.length} tables`
  const title = `Copy ${what} to ${redactUrl(to)}`
  const asked = { state: 'reading', askedAt: s.clock.now(), reported: null } as const
  set(s, { kind: 'copy-plan', title, ...job, ...asked, lines: [], left: [], error: null, top: 0 })
  readInto(
    s,
    'copy-plan',
    dry,
    (d, event) => {
      if (event.type === 'plan.ready')
        return { ...d, lines: event.copies ?? [], left: event.leftBehind ?? [], state: 'ready' }
      if (event.type === 'log' && event.level === 'warn') return { ...d, reported: event.message }
      const failed = event.type === 'run.finished' && d.state === 'reading' ? event.error : undefined
      return failed === undefined ? d : { ...d, error: failed }
    },
    (d) => (d.state === 'reading' ? { ...d, state: 'failed' } : d),
  )
}

/** Asks for the table name while verify-rollback checks that the log can restore everything in the catalog. */
export function askRollback(s: Acting, row: TableRow): void {
  const check = verifyRollbackJob(row, s.place)
  const job = rollbackJob(row, s.place)
  tokens.set(job.operation, check)
  set(s, { kind: 'rollback', row, ...job, field: field(), focus: 'cancel', state: 'checking', lines: [], error: null })
  readInto(s, 'rollback', check, foldRollbackCheck, (d, exit) =>
    d.state === 'checking' ? { ...d, state: exit === 0 ? 'safe' : 'failed' } : d,
  )
}

/** Handles `enter` in a dialog. */
export function acceptDialog(s: Acting): void {
  const dialog = s.state.dialog
  switch (dialog?.kind) {
    case 'plan':
      if (dialog.state === 'reading') return
      set(s, null)
      if (dialog.start && dialog.state === 'ready' && canStart(dialog)) s.queue.add([dialog])
      return
    case 'copy-plan':
      if (dialog.state === 'reading') return
      set(s, null)
      if (dialog.state === 'ready' && hasTableToCopy(dialog.lines)) s.queue.add([dialog])
      return
    case 'rollback':
      acceptRollback(s, dialog)
      return
    case 'need':
      acceptNeed(s, dialog)
      return
    case 'lifecycle': {
      const shown = s.state.lifecycles.get(dialog.row.key)
      const command = shown === undefined ? null : chosenCommand(shown, dialog.chosen)
      if (command !== null) void askStart(s, dialog.row, command)
      return
    }
    case 'start':
      acceptStart(s, dialog)
      return
    case 'quit':
      set(s, null)
      if (dialog.choice !== 1) s.stopAndLeave(dialog.choice === 2)
      return
    case 'abort':
    case 'stop':
      set(s, null)
      if (dialog.choice === 1) acceptEnd(s, dialog)
      return
    case 'shared':
      set(s, null)
      if (dialog.choice === 1) s.shared.accept(dialog)
      return
    case 'drain':
      set(s, null)
      if (dialog.choice === 1) s.shared.drain(dialog.worker)
      return
    case 'schedule':
      set(s, null)
      if (dialog.choice === 1) s.shared.changeSchedule(dialog.name, 'run-now')
      return
    case 'palette': {
      const entry = paletteEntries(s.state)[dialog.cursor]
      set(s, null)
      if (entry === undefined) return
      if ('form' in entry) {
        s.forms.open(entry.form, entry.words)
        return
      }
      s.run(entry.binding.command, entry.row === null ? undefined : [entry.row])
      return
    }
    case 'help':
      set(s, dialog.typing ? { ...dialog, typing: false } : null)
      return
    default:
      set(s, null)
  }
}

/** Ends the run of the dialog, unless another run has become active. */
function acceptEnd(s: Acting, { kind, run: id }: Of<'abort' | 'stop'>): void {
  const run = steeredRun(s.state)
  if (run?.id !== id) s.flash('the run has ended')
  else if (kind === 'abort') s.steering.abort()
  else stopRun(s, run)
}

/** Starts the repair command of the row, if there is one; an import shows its plan first. */
function acceptNeed(s: Acting, { key }: Of<'need'>): void {
  const repair = attentionRows(s.state).find((one) => one.key === key)?.repair ?? null
  set(s, null)
  if (repair === null) return
  const row = s.state.slots.tables.value?.find((one) => one.key === key)
  s.run(repair.command, row === undefined ? undefined : [row])
}

function acceptRollback(s: Acting, dialog: Of<'rollback'>): void {
  if (dialog.focus === 'cancel') {
    set(s, null)
    s.flash(`cancelled: ${dialog.row.name} stays in the catalog`)
    return
  }
  // A roll back that loses data opens the form with --forget: its plan lists the losses and asks for the name.
  const form = s.state.forms.find(({ words }) => words.join(' ') === 'rollback')
  const [table] = subjectsOf(dialog.operation)
  if (dialog.state === 'unsafe' && form !== undefined && table !== undefined) {
    s.forms.open(form, [table, '--forget'])
    return
  }
  // The typed name must match exactly, and the check must have passed.
  if (dialog.field.text !== dialog.row.name || dialog.state !== 'safe') return
  set(s, null)
  s.queue.add([dialog])
}

const scrolled = (top: number, by: number): number => Math.max(0, top + by)

/** Navigation in a dialog. */
export function dialogCommand(s: Acting, command: KeyCommand): void {
  const dialog = s.state.dialog
  if (dialog === null) return
  if (command === 'dialog.close') {
    if (dialog.kind === 'help' && dialog.typing) set(s, { ...dialog, typing: false, field: field(), top: 0 })
    else if (dialog.kind === 'start') backFromStart(s, dialog)
    else if (dialog.kind === 'text' && dialog.form !== undefined) s.forms.show(dialog.form)
    else {
      if (dialog.kind === 'form') s.forms.close()
      set(s, null)
    }
    return
  }
  const page = command === 'dialog.page-down' || command === 'dialog.page-up' ? 10 : 1
  const by = command === 'dialog.next' || command === 'dialog.page-down' ? page : -page
  switch (dialog.kind) {
    case 'need':
      return
    case 'quit':
      set(s, { ...dialog, choice: Math.max(0, Math.min(2, dialog.choice + by)) })
      return
    case 'abort':
    case 'stop':
    case 'shared':
    case 'schedule':
    case 'drain':
      set(s, { ...dialog, choice: Math.max(0, Math.min(1, dialog.choice + by)) })
      return
    case 'rollback':
      set(s, { ...dialog, focus: dialog.focus === 'cancel' ? 'go' : 'cancel' })
      return
    case 'palette': {
      const last = Math.max(0, paletteEntries(s.state).length - 1)
      set(s, { ...dialog, cursor: Math.max(0, Math.min(last, dialog.cursor + by)) })
      return
    }
    case 'text': {
      const { rows, room } = textRows(dialog, s.state)
      const step = page === 1 ? by : Math.sign(by) * Math.max(1, room - 1)
      const last = Math.max(0, rows.length - room)
      set(s, { ...dialog, top: Math.min(last, scrolled(Math.min(dialog.top, last), step)) })
      return
    }
    case 'lifecycle':
      set(s, movedLifecycle(dialog, s.state, by))
      return
    case 'form':
      s.forms.command(dialog.form, command)
      return
    case 'start':
      set(s, { ...dialog, top: scrolledStart(dialog, s.state, by) })
      return
    case 'help':
    case 'plan':
    case 'copy-plan':
      set(s, { ...dialog, top: scrolled(dialog.top, by) })
  }
}

/** Tab completion of the command in the palette; null if nothing matches. */
export function completedPalette(state: State): string | null {
  const { dialog } = state
  const entry = dialog?.kind === 'palette' ? paletteEntries(state)[dialog.cursor] : undefined
  return entry === undefined ? null : completedEntry(entry)
}

/** Handles keys whose effect depends on the kind of the dialog. @returns true if the key was used. */
export function dialogKey(s: Acting, key: string): boolean {
  const dialog = s.state.dialog
  if (dialog === null) return false
  if (dialog.kind === 'lifecycle' && lifecycleKey(s, dialog, key)) return true
  if (dialog.kind === 'start' && startKey(s, dialog, key)) return true
  if (dialog.kind === 'start' && wantsName(dialog)) return false
  if (key === 'y' && (dialog.kind === 'text' || dialog.kind === 'plan' || dialog.kind === 'copy-plan')) {
    if (dialog.kind !== 'text') s.copyCommand(dialog.commandLine)
    else if (dialog.isCommand === true) s.copyCommand(dialog.copy)
    else s.copy(dialog.copy, dialog.title)
    return true
  }
  if (dialog.kind === 'text' && ['g', 'home', 'G', 'end'].includes(key)) {
    const { rows, room } = textRows(dialog, s.state)
    set(s, { ...dialog, top: key === 'g' || key === 'home' ? 0 : Math.max(0, rows.length - room) })
    return true
  }
  if (dialog.kind === 'help' && key === '/') {
    set(s, { ...dialog, typing: true })
    return true
  }
  if (key === 'j' || key === 'k') {
    dialogCommand(s, key === 'j' ? 'dialog.next' : 'dialog.previous')
    return true
  }
  if (dialog.kind === 'help' && key === '?' && !dialog.all) {
    set(s, { ...dialog, all: true, top: 0 })
    return true
  }
  if (key === 'q' || (key === '?' && dialog.kind === 'help')) {
    dialogCommand(s, 'dialog.close')
    return true
  }
  if (dialog.kind === 'rollback' && (key === 'left' || key === 'right')) {
    dialogCommand(s, 'dialog.next')
    return true
  }
  return false
}

function lifecycleKey(s: Acting, dialog: Of<'lifecycle'>, key: string): boolean {
  switch (key) {
    case 'y': {
      const shown = s.state.lifecycles.get(dialog.row.key)
      const command = shown === undefined ? null : chosenCommand(shown, dialog.chosen)
      if (command === null) s.flash('there is no command to copy')
      else s.copyCommand(command)
      return true
    }
    case 'R':
      s.lifecycles.read(dialog.row)
      return true
    default:
      return false
  }
}

/** Cells by which an arrow key scrolls a wide table. */
const SIDEWAYS = 20

/** Handles a key of the plan dialog. While the user types a name, letters and arrows go to the text field. */
function startKey(s: Acting, dialog: Of<'start'>, key: string): boolean {
  switch (key) {
    case 'tab':
    case 'shift-tab':
      if (dialog.state === 'ready') set(s, { ...dialog, focus: dialog.focus === 'back' ? 'go' : 'back' })
      return true
    case 'left':
    case 'right':
      if (wantsName(dialog)) return false
      set(s, { ...dialog, left: movedSideways(dialog, s.state, key === 'left' ? -SIDEWAYS : SIDEWAYS) })
      return true
    case 'y':
      if (wantsName(dialog)) return false
      s.copyCommand(dialog.of.command)
      return true
    default:
      return false
  }
}
