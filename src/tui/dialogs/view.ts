/** Dialogs as boxes drawn over the screen. */
import { shownCount, percent, amount } from '../../render/screen-format.ts'
import { chosen, line, span, type Line } from '../draw/line.ts'
import { clean, cutMiddle, padEnd, width, wrap, wrapLabelled } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import { runProgress } from '../run/run-view.ts'
import { nameOfRun } from '../screens/queue/queue-rows.ts'
import { shownRun } from '../screens/queue/queue-open.ts'
import { steeredRun } from '../state/selectors.ts'
import type { State } from '../state/state.ts'
import type { Dialog } from './state.ts'
import { shownAround } from '../draw/masked.ts'
import { helpLines, helpLinesNow, helpTitle } from './help.ts'
import { paletteLines } from './palette.ts'
import { isFollowing } from '../screens/run/copy/copy-layout.ts'
import { attentionRows } from '../screens/tables/attention.ts'
import { subject } from '../screens/runs/view.ts'
import { WIDE, boxed, type Box, type Of } from './box.ts'
import { copyPlanBox } from './copy-plan-dialog.ts'
import { lifecycleBox } from './lifecycle-dialog.ts'
import { formBox } from './form-dialog.ts'
import { startBox } from './start-view.ts'
import { planBox } from './plan-dialog.ts'
import { rollbackBox } from './rollback-dialog.ts'

function choiceBox(
  state: State,
  title: string,
  question: string,
  choices: readonly (readonly [string, string])[],
  at: number,
  foot = 'enter chooses · esc goes back',
): Box {
  const cells = Math.min(state.size.columns, WIDE)
  const marks = marksOf(state.ascii)
  const body: Line[] = [
    ...wrap(question, cells - 4).map((t) => line(t)),
    [],
    ...choices.map(([what, then], i) => {
      // On a small screen only the choice is shown, without its consequence.
      const whole = `${padEnd(what, 35)}${then}`
      const drawn = line(`${i === at ? marks.row : ' '} ${width(whole) + 2 <= cells - 4 ? whole : what}`)
      return i === at ? chosen(drawn, cells - 4) : drawn
    }),
  ]
  return boxed(state, line(title, 'strong'), body, foot, cells)
}

/** @param id view id of the run; default: the steered run */
function activityText(state: State, id?: number): string {
  const run = steeredRun(state)
  if (run === undefined || (id !== undefined && run.id !== id)) return 'It has just ended.'
  const workers = run.workers.length === 0 ? '' : `, ${amount(run.workers.length, 'worker')}`
  const more = state.runs.queue.length === 0 ? '' : `, ${state.runs.queue.length} more queued`
  const { joined, runId } = run
  const owner =
    joined === null ? '' : ` Run ${runId ?? ''} is of another program: process ${joined.pid} on ${joined.host}.`
  const about = cutMiddle(clean(subject(run.operation, state.runs.machine)), 24)
  const done = runProgress(run)
  // Streams and cutovers have no percentage.
  const part = done === null || isFollowing(run) ? '' : `, ${percent(done)}`
  return `${run.operation.kind}${about === '' ? '' : ` of ${about}`}${part}${workers}${more}.${owner}`
}

function sharedBox({ act, runId, choice }: Of<'shared'>, state: State): Box {
  const run = shownRun(state)
  const isStop = act === 'stop'
  const working = run?.slots.working ?? 0
  const slots = isStop ? `, with ${amount(working, 'task')} in progress` : ''
  const about = run === null ? '' : ` is ${cutMiddle(clean(nameOfRun(run)), 30)}${slots}.`
  return choiceBox(
    state,
    isStop ? 'Stop a run of the queue' : 'Resume a run of the queue',
    `Run ${runId}${about} ${isStop ? 'Workers on every host would stop it.' : 'The rest of the run is queued for workers again.'}`.trim(),
    isStop
      ? [
          ['Go back, let it run', 'esc leaves it'],
          ['Stop after the running chunks', 'resumable'],
        ]
      : [
          ['Go back, leave it as it is', ''],
          ['Queue the rest of the run', 'x stops it again'],
        ],
    choice,
  )
}

function drainBox({ worker, choice }: Of<'drain'>, state: State): Box {
  const { host, pid, slots } = worker
  const has =
    slots.length === 0 ? 'It has no task now.' : `It gives back ${amount(slots.length, 'task')} after the batch.`
  return choiceBox(
    state,
    'Drain a worker',
    `Process ${pid} on ${clean(host)} takes nothing new, and ends. ${has} Others take what it gives back.`,
    [
      ['Go back, let it work', 'esc leaves it'],
      ['Drain it', 'it is started there again'],
    ],
    choice,
  )
}

function scheduleBox({ name, choice }: Of<'schedule'>, state: State): Box {
  const found = state.queue?.schedules?.find(({ schedule }) => schedule === name)
  const command = found === undefined ? '' : ` Its command: ${cutMiddle(clean(found.command), 60)}`
  const waits = found?.running === undefined ? '' : ' The new run waits until the present one has ended.'
  return choiceBox(
    state,
    'Run a schedule now',
    `Schedule ${clean(name)} runs once more, besides its scheduled times.${waits}${command}`,
    [
      ['Go back, begin nothing', 'esc leaves it'],
      ['Run it now', 'a worker starts it'],
    ],
    choice,
  )
}

/** Unit after which a run can stop: a step of an archive run, a chunk of a copy, or a batch of an import. */
function unit(state: State, ofCopy: string, ofOthers: string): string {
  const run = steeredRun(state)
  if (run?.archiving != null) return ofOthers.replace(/batch(?:es)?/, 'step')
  return run?.copy === null ? ofOthers : ofCopy
}

const textCells = ({ size }: State): number => Math.min(size.columns, 140)

/** Wrapped rows of a text, and how many are visible. */
export function textRows(
  { lines }: Pick<Of<'text'>, 'lines'>,
  state: State,
): { readonly rows: readonly string[]; readonly room: number } {
  const inner = textCells(state) - 4
  return { rows: lines.flatMap((text) => wrapLabelled(clean(text), inner)), room: Math.max(3, state.size.rows - 4) }
}

function textBox(d: Of<'text'>, state: State): Box {
  const cells = textCells(state)
  const { rows, room } = textRows(d, state)
  const top = Math.max(0, Math.min(d.top, rows.length - room))
  const where = rows.length > room ? ` · ${top + 1}–${top + room} of ${shownCount(rows.length)}` : ''
  const body = rows.slice(top, top + room).map((t) => line(t))
  return boxed(state, line(clean(d.title), 'strong'), body, `j k scroll · y copies · esc closes${where}`, cells)
}

function helpBox(d: Of<'help'>, state: State): Box {
  const cells = Math.min(state.size.columns, 120)
  const room = Math.max(3, state.size.rows - 2)
  const isAll = d.all || d.field.text !== ''
  const all = isAll ? helpLines(state, d.field.text, cells - 4) : helpLinesNow(state, cells - 4)
  const top = Math.max(0, Math.min(d.top, all.length - room))
  const body = Array.from({ length: room }, (_, i) => all[top + i] ?? [])
  const find =
    d.typing || d.field.text !== '' ? ` · / ${d.field.text}${d.typing ? marksOf(state.ascii).caret : ''}` : ''
  const more = all.length > room ? ` · ${top + 1}–${Math.min(all.length, top + room)} of ${all.length}` : ''
  return {
    ...boxed(
      state,
      line(`${helpTitle(state)}${isAll ? '' : ' · now'}${find}`, 'strong'),
      body,
      `${isAll ? '' : '? all keys · '}/ finds a key · j k scroll · esc closes${more}`,
      cells,
    ),
    top: true,
  }
}

/** Dialog with the reason why a table needs attention, and the effect of `enter`. */
function needBox(d: Of<'need'>, state: State): Box {
  const cells = Math.min(state.size.columns, 100)
  const one = attentionRows(state).find(({ key }) => key === d.key)
  const body: Line[] = (one?.why ?? ['nothing: it was repaired meanwhile']).flatMap((text, i) =>
    wrap(clean(text), cells - 4).map((row) => line(row, i === 0 && one?.mark === 'bad' ? 'bad' : 'plain')),
  )
  if (one?.repair != null) body.push([], [span('enter ', 'strong'), span(one.repair.what)])
  const foot = one?.repair == null ? 'esc closes' : 'enter does that · esc closes'
  const room = Math.max(3, state.size.rows - 2)
  const title = line(`${clean(one?.name ?? d.key)} needs you`, 'strong')
  return boxed(state, title, body.slice(0, room), foot, cells)
}

/** The box of a dialog. */
export function dialogBox(d: Dialog, state: State): Box {
  switch (d.kind) {
    case 'form':
      return formBox(d, state)
    case 'plan':
      return planBox(d, state)
    case 'copy-plan':
      return copyPlanBox(d, state)
    case 'rollback':
      return rollbackBox(d, state)
    case 'quit':
      return choiceBox(
        state,
        'A run is active',
        `${activityText(state)} What should happen?`,
        [
          [`Stop after the running ${unit(state, 'chunks', 'batches')}`, 'resumable; then leaves'],
          ['Leave it running, go back', 'q asks again'],
          ['Abort now', `resumable, ${unit(state, 'chunks', 'batch')} undone`],
        ],
        d.choice,
        'enter chooses · esc goes back · ctrl-c stops',
      )
    case 'abort':
      return choiceBox(
        state,
        'Abort the run',
        activityText(state, d.run),
        [
          ['Go back, let it run', ''],
          ['Abort now', unit(state, 'resumable, chunks undone', 'resumable, the running batch is undone')],
        ],
        d.choice,
      )
    case 'stop':
      return choiceBox(
        state,
        'Stop a run of another program',
        activityText(state, d.run),
        [
          ['Go back, let it run', 'q leaves it'],
          [`Stop after the running ${unit(state, 'chunks', 'batches')}`, 'resumable'],
        ],
        d.choice,
      )
    case 'shared':
      return sharedBox(d, state)
    case 'schedule':
      return scheduleBox(d, state)
    case 'drain':
      return drainBox(d, state)
    case 'palette': {
      const cells = Math.min(state.size.columns, 100)
      const rows = Math.max(1, Math.min(14, state.size.rows - 6))
      const [before, after] = shownAround(d.field)
      const title: Line = [
        span(`: ${before}`, 'strong'),
        span(marksOf(state.ascii).caret, 'info'),
        span(after, 'strong'),
      ]
      return boxed(
        state,
        title,
        paletteLines(state, cells - 4, rows),
        'enter opens or runs · tab completes · esc closes',
        cells,
      )
    }
    case 'text':
      return textBox(d, state)
    case 'need':
      return needBox(d, state)
    case 'lifecycle':
      return lifecycleBox(d, state)
    case 'start':
      return startBox(d, state)
    case 'help':
      return helpBox(d, state)
  }
}
