/** The screen of a shared run: state, steering requests, and tasks. */
import type { SharedRun } from '../../../app/workbench.ts'
import { clockSpan, shownCount, fullTime, shownTime, amount, rate } from '../../../render/screen-format.ts'
import { block, line, rule, span, spreadLine, type Line } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { geometry } from '../../state/geometry.ts'
import { taskAtCursor, taskLines, type TaskLine } from './queue-rows.ts'
import { queueView, shownRun, shownTasks } from './queue-open.ts'
import {
  shownAge,
  isAtWork,
  rateOfTasks,
  sharedWord,
  taskWord,
  availableWorkers,
  type QueueList,
  type QueueShown,
} from './queue-shown.ts'
import type { State } from '../../state/state.ts'
import { gridOf, type GridColumn } from './grid.ts'
import { countedAsOf, queueErrorText, ageText, orderLine, queueLine, rateText, taskCounts, stateSpan } from './words.ts'

/** Number of rows below the list that show the task under the cursor, on larger screens. */
const TASK_ROWS = 3
const ROOMY = 14

type Parts = { readonly head: readonly Line[]; readonly list: number; readonly below: number }

/** Heights of the parts of the screen. On a small screen the head is cut. */
function parts(state: State, run: SharedRun, queue: QueueShown, cells: number): Parts {
  const { body } = geometry(state)
  const below = body >= ROOMY ? TASK_ROWS : 0
  const slots = shownTasks(state).length
  const room = Math.max(2, body - below - 1 - Math.min(Math.max(1, slots), body >= ROOMY ? 6 : 2))
  const head = headOf(state, run, queue, cells, body >= ROOMY).slice(0, room)
  return { head, list: Math.max(1, body - head.length - below - 1), below }
}

/** Rows of the list of tasks. */
export function tasksHeight(state: State): number {
  const run = shownRun(state)
  return run === null || state.queue === null ? 1 : parts(state, run, state.queue, state.size.columns).list
}

function headOf(state: State, run: SharedRun, queue: QueueShown, cells: number, roomy: boolean): Line[] {
  const slots = shownTasks(state)
  const word = sharedWord(run, queue, slots)
  const marks = marksOf(state.ascii)
  const stateText = stateSpan(word, marks)
  const command = cutMiddle(
    clean(run.commandLine.replace(/^sluice /, '')),
    Math.max(8, cells - stateText.text.length - 4),
  )
  const words = slots.map((slot) => taskWord(slot, run, queue))
  const moving = words.filter(isAtWork).length
  const order = orderLine(run, slots, queue, cells)
  const pace =
    run.status !== 'running'
      ? ''
      : queue.error !== null
        ? '   rate not known'
        : moving === 0
          ? '   nothing moves'
          : `   ${rate(rateOfTasks(slots, run, queue))} of ${amount(moving, 'task')}`
  const took = (run.endedAt ?? queue.now ?? run.begunAt) - run.begunAt
  const time = `   ${run.endedAt === null ? 'since' : 'took'} ${clockSpan(took)}`
  const sums = `rows ${shownCount(Number(run.rows))}   ${amount(run.chunks, 'chunk')}${countedAsOf(run)}`
  return [
    spreadLine([span(` ${command}`)], [stateText, span(' ')], cells),
    ...(queue.error === null ? [] : [queueLine(queue, listOf(run.runId, queue), cells)]),
    ...(run.status === 'running' ? [] : endLines(run, cells, roomy)),
    line(
      ` ${cells < 60 ? `${shownCount(Number(run.rows))} rows${countedAsOf(run)}` : sums}${pace}${cells < 60 ? '' : time}`,
    ),
    ...(order === null ? [] : [order]),
    ...untakenReason(run, queue).map((text) => line(` ${cutEnd(text, cells - 2)}`, 'warn')),
    ...refusals(run, cells, roomy),
    ...(roomy ? [line(` tasks  ${taskCounts(words)}`), aboutLine(run, state, cells)] : []),
  ]
}

/** Part of the queue that has the newest data of a run: the run itself, or the list of runs until the run is read. */
const listOf = (runId: string, { run }: QueueShown): QueueList => (run?.runId === runId ? 'run' : 'runs')

/** Who began the run, when, and which queue its tasks wait in. */
function aboutLine(run: SharedRun, { now }: State, cells: number): Line {
  const waits = run.queue === null ? '' : ` · only workers of ${clean(run.queue)}`
  const text = `begun  ${shownTime(run.begunAt, now)} by ${clean(run.actor)} on ${clean(run.host)} · sluice ${clean(run.program)}${waits}`
  return line(` ${cutEnd(text, cells - 2)}`, 'muted')
}

/** Lines about the end of the run: time, exit code, error, and the key that queues the remaining work. */
function endLines(run: SharedRun, cells: number, roomy: boolean): Line[] {
  const { status, exitCode, error, endedAt } = run
  const end = ` ended  ${fullTime(endedAt)}, exit ${exitCode ?? '?'}`
  const goesOn = status === 'ok' ? '' : ' · p queues the rest'
  const why = error === null ? [] : wrap(queueErrorText(error), cells - 9).slice(0, roomy ? 4 : 1)
  const hint = error?.hint === undefined || !roomy ? [] : wrap(clean(error.hint), cells - 9).slice(0, 2)
  const labelled = (label: string, rows: readonly string[], bad: boolean): Line[] =>
    rows.map((text, at) => line(` ${(at === 0 ? label : '').padEnd(6)} ${text}`, bad ? 'bad' : 'plain'))
  return [
    line(`${end}${goesOn}`, status === 'ok' ? 'ok' : 'warn'),
    ...labelled('why', why, true),
    ...labelled('do', hint, false),
  ]
}

/** Reason why no worker takes the waiting tasks; empty if a worker can take them. */
function untakenReason(run: SharedRun, queue: QueueShown): readonly string[] {
  if (run.isUnconfirmed) return ['it was put into this queue in another database: p confirms it here, x ends it']
  if (
    run.status !== 'running' ||
    run.slots.working > run.slots.lost ||
    queue.error !== null ||
    queue.receivedAt.workers === null
  )
    return []
  if (run.wishes.stop === true || availableWorkers(run, queue).length > 0) return []
  const of = run.queue === null ? '' : ` --queues ${clean(run.queue)}`
  const others = queue.workers.some(({ state, program }) => state === 'lives' && program !== run.program)
  const version = others ? `; those that live are not of sluice ${clean(run.program)}` : ''
  return [`no live worker takes it; sluice worker${of} starts one${version}`]
}

/** Workers that refused the run, and why. */
function refusals({ refusals: all }: SharedRun, cells: number, roomy: boolean): Line[] {
  const most = roomy ? 3 : 1
  const more = all.length > most ? ` (and ${shownCount(all.length - most)} more)` : ''
  return all
    .slice(0, most)
    .flatMap(({ host, error }, at) =>
      wrap(`refused by ${clean(host)}: ${queueErrorText(error)}${at === most - 1 ? more : ''}`, cells - 2).slice(
        0,
        roomy ? 2 : 1,
      ),
    )
    .map((text) => line(` ${text}`, 'warn'))
}

function columnsOf(run: SharedRun, queue: QueueShown, state: State): readonly GridColumn<TaskLine>[] {
  const marks = marksOf(state.ascii)
  const word = ({ slot }: TaskLine): ReturnType<typeof taskWord> => taskWord(slot, run, queue)
  const isHeld = (row: TaskLine): boolean => row.slot.state === 'working'
  return [
    { title: 'TASK', cells: -4, draw: ({ slot }) => String(slot.no) },
    { title: 'STATE', cells: 11, draw: (row) => [stateSpan(word(row), marks)] },
    { title: 'HOST', cells: state.size.columns < 60 ? 9 : 12, draw: ({ slot }) => clean(slot.host ?? '') },
    { title: 'ROWS', cells: -12, from: 60, draw: ({ slot }) => shownCount(Number(slot.rows)) },
    { title: 'CHUNKS', cells: -7, from: 100, draw: ({ slot }) => shownCount(slot.chunks) },
    { title: 'RATE', cells: -10, draw: (row) => (isAtWork(word(row)) ? rateText(row.slot.rate) : '') },
    { title: 'BEAT', cells: -6, from: 60, draw: (row) => (isHeld(row) ? ageText(row.slot.beatAt, queue) : '') },
    { title: 'CLAIMS', cells: -6, from: 120, draw: ({ slot }) => shownCount(slot.turns) },
    { title: 'LEDGER RUN', cells: 20, from: 120, draw: ({ slot }) => slot.ledgerRun ?? '' },
    { title: 'SUBJECT, ERROR', cells: 0, from: 60, draw: ({ slot }) => taskFacts(slot) },
  ]
}

const taskFacts = ({ about, error }: TaskLine['slot']): string =>
  [...(about === '' ? [] : [clean(about)]), ...(error === null ? [] : [queueErrorText(error)])].join('  ')

/** Details of the task under the cursor. */
function taskDetail(state: State, run: SharedRun, queue: QueueShown, cells: number): Line[] {
  const slot = taskAtCursor(state)
  if (slot === null) return []
  const { no, host, turns, ledgerRun, error } = slot
  const ms = shownAge(slot.beatAt, queue)
  const word = taskWord(slot, run, queue)
  const quiet =
    word === 'silent' || word === 'lost'
      ? [
          `its worker sent no heartbeat for ${ms === null ? 'long' : ageText(slot.beatAt, queue)}${word === 'lost' ? ': other workers take over' : ''}`,
        ]
      : []
  const facts = [
    ...(host === null ? ['no worker took it yet'] : [`${slot.state === 'working' ? 'on' : 'last on'} ${clean(host)}`]),
    ...(turns > 1 ? [`turn ${shownCount(turns)}`] : []),
    ...(ledgerRun === null ? [] : [`ledger run ${ledgerRun}`]),
    ...quiet,
  ]
  const why = error === null ? '' : `${slot.state === 'ended' ? '' : 'last turn: '}${queueErrorText(error)}`
  return [
    rule(`task ${no}`, cells),
    line(` ${cutEnd(facts.join(' · '), cells - 2)}`),
    line(` ${cutEnd(why, cells - 2)}`, 'bad'),
  ]
}

/** Lines of the screen. */
export function sharedRunScreen(state: State, cells: number): Line[] {
  const { body } = geometry(state)
  const { queue } = state
  const view = queueView(state)
  if (queue === null || view?.kind !== 'run') return block([], cells, body)
  const run = shownRun(state)
  if (run === null) {
    const isUnknown = queue.run?.runId === view.runId && queue.run.found === null
    const text = isUnknown ? `the queue no longer has run ${view.runId}` : 'reading …'
    return block(
      [queueLine(queue, listOf(view.runId, queue), cells), [], line(`   ${text}`, isUnknown ? 'bad' : 'muted')],
      cells,
      body,
    )
  }
  const { head, list, below } = parts(state, run, queue, cells)
  const lines = taskLines(state)
  const grid = gridOf(columnsOf(run, queue, state), lines, view.at, list, cells, state)
  return block(
    [
      ...head,
      grid.head,
      ...block(lines.length === 0 ? [line('   reading its tasks …', 'muted')] : grid.rows, cells, list),
      ...(below === 0 ? [] : taskDetail(state, run, queue, cells)),
    ],
    cells,
    body,
  )
}
