/** Starts a command shown on the screen: first its plan; destructive commands also need a typed name. */
import type { Startable } from '../../app/command-port.ts'
import { isPlanOnly, confirmationName } from '../../app/operations/facts.ts'
import type { Operation } from '../../app/operations/list.ts'
import type { RunningOperation } from '../../app/workbench.ts'
import type { Event } from '../../model/run/event.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { Form } from '../form/form.ts'
import type { RelationRow } from '../screens/tables/relation-row.ts'
import type { Of } from './box.ts'
import { canGo } from './start-dialog.ts'
import { field } from '../state/text-field.ts'
import type { Acting } from '../session/acting.ts'

type Start = Of<'start'>

/** Running plans, by the `of` object of their dialog. */
const plans = new WeakMap<object, RunningOperation>()

/** Maximum number of lines that are kept of a plan or listing. The command in a shell prints all lines. */
const MOST_LINES = 5000
const REPORT_MS = 100

/** Opens the plan of a command; the command itself does not start. */
export async function askStart(s: Acting, row: RelationRow, command: string): Promise<void> {
  const dialog = opened(s, { title: row.name, row, form: null, command })
  if (s.commands === null) return fail(s, dialog, new Error('this screen has no parser of commands'))
  try {
    await show(s, dialog, await s.commands.read(command))
  } catch (thrown) {
    fail(s, dialog, thrown)
  }
}

/** As `askStart`, for a filled-in form. */
export function askFormStart(s: Acting, form: Form, read: Startable): void {
  const dialog = opened(s, { title: form.of.words.join(' '), row: null, form, command: read.commandLine })
  void show(s, dialog, read).catch((thrown: unknown) => fail(s, dialog, thrown))
}

function opened(s: Acting, of: Start['of']): Start {
  const dialog: Start = {
    kind: 'start',
    // Each dialog has its own object, so that results for a closed dialog can be recognized and dropped.
    of: { ...of },
    state: 'reading',
    read: null,
    lines: [],
    typed: null,
    error: null,
    field: field(),
    focus: 'back',
    top: 0,
    left: 0,
  }
  s.store.dispatch({ type: 'dialog', dialog })
  return dialog
}

function change(s: Acting, dialog: Start, by: Partial<Start>): void {
  const now = openOf(s, dialog)
  if (now !== null) s.store.dispatch({ type: 'dialog', dialog: { ...now, ...by } })
}

function fail(s: Acting, dialog: Start, thrown: unknown): void {
  change(s, dialog, { state: 'failed', error: asSluiceError(thrown).info() })
}

async function show(s: Acting, dialog: Start, read: Startable): Promise<void> {
  if (openOf(s, dialog) === null) return
  change(s, dialog, { read, lines: read.notes })
  if (read.plan === null) {
    change(s, dialog, { state: 'ready', typed: confirmationName(read.operation, []) })
    return
  }
  const { operation, commandLine } = read.plan
  const running = s.workbench.start(operation, commandLine)
  plans.set(dialog.of, running)
  const reported = (lines: readonly string[]): void => change(s, dialog, { lines: [...read.notes, ...lines] })
  const { events, lines, exitCode } = await eventLines(s, running, operation, MOST_LINES, reported)
  reported(lines)
  const finished = events.find((event) => event.type === 'run.finished')
  const typed = confirmationName(read.operation, events)
  // The plan is complete and has findings, which do not prevent the start.
  const isFinding =
    exitCode === 1 && typed === null && (finished?.error?.code !== 'TABLES_FAILED' || canStartSome(finished.totals))
  if (exitCode === 0 || isFinding || (read.lists && lines.length >= MOST_LINES))
    change(s, dialog, { state: 'ready', typed })
  else change(s, dialog, { state: 'failed', error: finished?.error ?? null })
}

/** True if some tables of a plan can be processed; the command then starts with those. */
function canStartSome({ tables = '0', failed = '0', refused = '0' }: Readonly<Record<string, string>>): boolean {
  return Number(failed) + Number(refused) < Number(tables)
}

/**
 * Runs an operation and returns its events and up to `most` lines of output; a run with more lines is stopped. `row`
 * events are not kept.
 */
export async function eventLines(
  s: Acting,
  running: RunningOperation,
  operation: Operation,
  most: number,
  reported: (lines: readonly string[]) => void,
): Promise<{ readonly events: readonly Event[]; readonly lines: readonly string[]; readonly exitCode: number }> {
  const story = s.commands?.story(isPlanOnly(operation))
  const events: Event[] = []
  const lines: string[] = []
  let timer: NodeJS.Timeout | null = null
  running.subscribe((event) => {
    if (event.type !== 'row') events.push(event)
    const more = story?.take(event) ?? []
    if (more.length === 0) return
    if (lines.length < most && lines.length + more.length >= most) {
      lines.push(...more.slice(0, most - lines.length - 1), `the first ${most} lines: the command in a shell shows all`)
      running.stop()
    } else if (lines.length < most) lines.push(...more)
    timer ??= setTimeout(() => {
      timer = null
      reported([...lines])
    }, REPORT_MS)
  })
  const exitCode = await running.done
  if (timer !== null) clearTimeout(timer)
  return { events, lines, exitCode }
}

/** Current state of the dialog; null if it was closed. */
function openOf(s: Acting, { of }: Start): Start | null {
  const { dialog } = s.state
  return dialog?.kind === 'start' && dialog.of === of ? dialog : null
}

/** Handles `enter`: starts the command if the focus is on Start and a required name is typed exactly. */
export function acceptStart(s: Acting, dialog: Start): void {
  if (dialog.state !== 'ready') return
  if (dialog.focus === 'back') {
    backFromStart(s, dialog)
    return
  }
  const { read, typed, of } = dialog
  if (read === null || read.lists || !canGo(dialog)) return
  const operation: Operation =
    typed === null ? { ...read.operation } : { ...read.operation, [typed.confirm]: typed.name }
  s.store.dispatch({ type: 'dialog', dialog: null })
  if (of.row !== null) s.lifecycles.begun(of.row, operation)
  s.queue.add([{ operation, commandLine: read.commandLine }])
}

/** Returns to the phases or the form; no command has started. */
export function backFromStart(s: Acting, { of, state, focus: _focus }: Start): void {
  if (state === 'reading') plans.get(of)?.abort()
  if (of.form !== null) s.forms.show(of.form)
  else if (of.row !== null)
    s.store.dispatch({ type: 'dialog', dialog: { kind: 'lifecycle', row: of.row, chosen: of.command, top: 0 } })
}
