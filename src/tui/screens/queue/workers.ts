/** The screen of worker processes: host, heartbeat, and tasks. */
import type { WorkerRow } from '../../../model/share/distributed.ts'
import { shownCount, fullTime, amount } from '../../../render/screen-format.ts'
import { block, line, rule, type Line } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { geometry } from '../../state/geometry.ts'
import { nameOfRun, workerAtCursor, workerRows, type WorkerLine } from './queue-rows.ts'
import { queueView } from './queue-open.ts'
import { workerWord, type QueueShown } from './queue-shown.ts'
import type { State } from '../../state/state.ts'
import { gridOf, type GridColumn } from './grid.ts'
import { ageText, queueLine, rateText, stateSpan } from './words.ts'

const DETAIL_ROWS = 3
const ROOMY = 14

const below = (state: State): number => (geometry(state).body >= ROOMY ? DETAIL_ROWS : 0)

/** Rows of the list of workers, without the queue line and the heading. */
export function workersHeight(state: State): number {
  return Math.max(1, geometry(state).body - 2 - below(state))
}

function columnsOf(queue: QueueShown, state: State): readonly GridColumn<WorkerLine>[] {
  const marks = marksOf(state.ascii)
  return [
    { title: 'HOST', cells: 14, draw: ({ worker }) => clean(worker.host) },
    { title: 'PID', cells: -8, from: 60, draw: ({ worker }) => String(worker.pid) },
    { title: 'STATE', cells: 11, draw: ({ worker }) => [stateSpan(workerWord(worker, queue), marks)] },
    { title: 'BEAT', cells: -6, from: 60, draw: ({ worker }) => ageText(worker.beatAt, queue) },
    { title: 'TASKS', cells: -8, from: 60, draw: (one) => tasksText(one, queue) },
    { title: 'RATE', cells: -10, from: 60, draw: ({ worker }) => rateOf(worker, worker.slots, queue) },
    { title: 'QUEUES', cells: 16, from: 120, draw: ({ worker }) => clean(worker.queues.join(', ')) },
    { title: 'PROGRAM', cells: 0, from: 100, draw: ({ worker }) => clean(worker.program) },
  ]
}

/** Text such as `1 of 2`: number of tasks that the worker has claimed, and its maximum. */
function tasksText({ worker }: WorkerLine, queue: QueueShown): string {
  return isGone(worker, queue) ? '' : `${worker.slots.length} of ${worker.concurrency}`
}

const isGone = (worker: WorkerRow, queue: QueueShown): boolean => ['lost', 'ended'].includes(workerWord(worker, queue))

/** Rate of a worker's tasks; empty unless the worker is live or draining. */
function rateOf(worker: WorkerRow, slots: WorkerRow['slots'], queue: QueueShown): string {
  const word = workerWord(worker, queue)
  return word === 'lives' || word === 'draining' ? rateText(slots.reduce((sum, { rate }) => sum + rate, 0)) : ''
}

/** A task below its worker, over the full width; null for a worker. */
function taskLine({ worker, slot }: WorkerLine, queue: QueueShown, cells: number): string | null {
  if (slot === null) return null
  const run = queue.runs.find(({ runId }) => runId === slot.runId)
  const name = run === undefined ? 'works on' : clean(nameOfRun(run))
  const what = isGone(worker, queue) ? `had ${name}` : name
  const pace = rateOf(worker, [slot], queue)
  const place = cells < 60 ? `task ${slot.no}` : `task ${slot.no} of run ${slot.runId}`
  return `  ${cutMiddle(what, Math.max(12, cells - 52))}  ${place}${pace === '' ? '' : `  ${pace}`}`
}

function detail(state: State, queue: QueueShown, cells: number): Line[] {
  const worker = workerAtCursor(state)?.worker
  if (worker === undefined) return []
  const { host, pid, program, queues, concurrency, begunAt } = worker
  const other = queue.program !== null && program !== queue.program
  const version = `sluice ${clean(program)}`
  const takes = queues.length === 0 ? 'takes what is queued without a name' : `takes from ${clean(queues.join(', '))}`
  return [
    rule(`worker on ${clean(host)}, process ${pid}`, cells),
    line(` ${cutEnd(`${takes} · ${amount(concurrency, 'task')} at once · since ${fullTime(begunAt)}`, cells - 2)}`),
    other
      ? line(
          ` ${cutEnd(`${version}: takes no runs that are started with this program (${queue.program})`, cells - 2)}`,
          'warn',
        )
      : line(` ${cutEnd(version, cells - 2)}`, 'muted'),
  ]
}

/** Lines of the screen. */
export function workersScreen(state: State, cells: number): Line[] {
  const { body } = geometry(state)
  const { queue } = state
  const view = queueView(state)
  if (queue === null || view?.kind !== 'workers') return block([], cells, body)
  const lines = workerRows(queue)
  const height = workersHeight(state)
  const across = (one: WorkerLine): string | null => taskLine(one, queue, cells)
  const { head, rows } = gridOf(columnsOf(queue, state), lines, view.at, height, cells, state, across)
  const empty =
    queue.receivedAt.workers === null ? [] : [line('   no worker in the last day; sluice worker starts one', 'muted')]
  const ended = queue.workers.filter(({ state: one }) => one === 'ended').length
  const more = ended === 0 ? '' : `, ${shownCount(ended)} ended in the last day`
  return block(
    [
      queueLine(queue, 'workers', cells, more),
      head,
      ...block(lines.length === 0 ? empty : rows, cells, height),
      ...(below(state) === 0 ? [] : detail(state, queue, cells)),
    ],
    cells,
    body,
  )
}
