/** Starts a command that stands on the screen: its plan is shown first, and a name is typed where something goes. */
import type { ReadCommand } from '../../engine/command-port.ts'
import { isPlanOnly, typedName } from '../../engine/operations/facts.ts'
import type { Operation } from '../../engine/operations/list.ts'
import type { RunningOperation } from '../../engine/workbench.ts'
import type { Event } from '../../model/event.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { RelationRow } from '../state/relation-row.ts'
import type { Dialog } from '../state/state.ts'
import { canGo } from '../state/start-dialog.ts'
import { field } from '../state/text-field.ts'
import type { Acting } from './acting.ts'

type Start = Extract<Dialog, { kind: 'start' }>

/** Plans that are being made, by what their dialogs are of. */
const plans = new WeakMap<object, RunningOperation>()

/** Opens the plan of a command; nothing of the command itself is begun. */
export async function askStart(s: Acting, row: RelationRow, command: string): Promise<void> {
  const dialog: Start = {
    kind: 'start',
    // Another object for each: answers of a dialog that was closed go nowhere.
    of: { row, command },
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
  const change = (by: Partial<Start>): void => {
    const now = openOf(s, dialog)
    if (now !== null) s.store.dispatch({ type: 'dialog', dialog: { ...now, ...by } })
  }
  try {
    if (s.commands === null) throw new Error('nobody reads commands for this screen')
    const read = await s.commands.read(command)
    if (openOf(s, dialog) === null) return
    change({ read })
    const events = await planned(s, dialog, read.plan, (lines) => change({ lines: [...read.notes, ...lines] }))
    const finished = events.find((event) => event.type === 'run.finished')
    const typed = typedName(read.operation, events)
    // It went to its end, and something is not as it should be: that is what the command is for.
    const isFinding = finished?.exitCode === 1 && finished.error?.code !== 'TABLES_FAILED' && typed === null
    if (finished?.exitCode === 0 || isFinding) change({ state: 'ready', typed })
    else change({ state: 'failed', error: finished?.error ?? null })
  } catch (thrown) {
    change({ state: 'failed', error: asSluiceError(thrown).info() })
  }
}

/** Runs the plan, and tells its lines as they come. @returns its events */
async function planned(
  s: Acting,
  dialog: Start,
  { operation, commandLine }: ReadCommand,
  told: (lines: readonly string[]) => void,
): Promise<readonly Event[]> {
  const story = s.commands?.story(isPlanOnly(operation))
  const events: Event[] = []
  const lines: string[] = []
  const running = s.workbench.start(operation, commandLine)
  plans.set(dialog.of, running)
  running.subscribe((event) => {
    events.push(event)
    lines.push(...(story?.take(event) ?? []))
    told([...lines])
  })
  await running.done
  return events
}

/** The dialog as it is now; null where it has been closed. */
function openOf(s: Acting, { of }: Start): Start | null {
  const { dialog } = s.state
  return dialog?.kind === 'start' && dialog.of === of ? dialog : null
}

/** `enter`: only what is wanted by name, or by the other button, begins. */
export function acceptStart(s: Acting, dialog: Start): void {
  if (dialog.state !== 'ready') return
  if (dialog.focus === 'back') {
    backFromStart(s, dialog)
    return
  }
  const { read, typed, of } = dialog
  if (read === null || !canGo(dialog)) return
  const operation: Operation =
    typed === null ? { ...read.operation } : { ...read.operation, [typed.confirm]: typed.name }
  s.store.dispatch({ type: 'dialog', dialog: null })
  s.lifecycles.begun(of.row, operation)
  s.queue.add([{ operation, commandLine: read.commandLine }])
}

/** Back to the phases; nothing has started. */
export function backFromStart(s: Acting, { of, state, focus: _focus }: Start): void {
  if (state === 'reading') plans.get(of)?.abort()
  s.store.dispatch({ type: 'dialog', dialog: { kind: 'lifecycle', row: of.row, chosen: of.command, top: 0 } })
}
