/** Texts shared by the queue screens: ages, states, and steering requests. */
import type { SharedRun } from '../../../app/workbench.ts'
import type { RunRequests, TaskRow } from '../../../model/share/distributed.ts'
import type { TableHold } from '../../../model/run/table-request.ts'
import { errorLine, type ErrorInfo } from '../../../shared/errors.ts'
import { age, shownCount, amount, rate, timeOfDay } from '../../../render/screen-format.ts'
import { line, span, type Line, type Span } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, width } from '../../../render/screen-text.ts'
import type { ThemeMarks } from '../../draw/theme.ts'
import {
  shownAge,
  unawareTasks,
  isTaskHeld,
  sharedWord,
  workerWord,
  type QueueList,
  type QueueShown,
  type SharedWord,
  type TaskWord,
  type WorkerWord,
} from './queue-shown.ts'

/** ` as of 12:03:05` if rows and chunks were counted before the run ended; else ''. */
export function countedAsOf({ countedAt }: Pick<SharedRun, 'countedAt'>): string {
  return countedAt === null ? '' : ` as of ${timeOfDay(countedAt)}`
}

/** Age as text: `now` below 5 s, then `12 s`, `4 min`. Numbers below 5 would only flicker. */
export function ageText(at: number | null, queue: QueueShown): string {
  const ms = shownAge(at, queue)
  if (ms === null || queue.error !== null) return '?'
  if (ms < 5_000) return 'now'
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : age(0, ms)
}

/** Mark and word of the state of a task, a worker or a run. */
export function stateSpan(word: TaskWord | WorkerWord | SharedWord, marks: ThemeMarks): Span {
  switch (word) {
    case 'working':
    case 'running':
    case 'lives':
      return span(`${marks.running} ${word}`, 'info')
    case 'ok':
      return span(`${marks.ok} ${word}`, 'ok')
    case 'paused':
    case 'pausing':
    case 'stopping':
    case 'stopped':
    case 'draining':
      return span(`${marks.unfinished} ${word}`, 'warn')
    case 'refused':
      return span(`${marks.refused} ${word}`, 'warn')
    case 'silent':
    case 'rests':
      return span(`${marks.behind} ${word}`, 'warn')
    case 'waits':
    case 'on call':
    case 'ended':
    case 'not known':
      return span(`${marks.none} ${word}`, 'muted')
    case 'lost':
    case 'failed':
      return span(`${marks.bad} ${word}`, 'bad')
  }
}

/** Rows per second as text. Empty below 0.5: an idle task has no rate, and a 0 would say that it is stalled. */
export const rateText = (perSecond: number): string => (perSecond < 0.5 ? '' : rate(perSecond))

/** An error on one line: `CODE message: reason`. */
export function queueErrorText(error: ErrorInfo): string {
  return clean(errorLine(error))
}

/** Number of tasks in each state, such as `2 working · 1 waits`. */
export function taskCounts(words: readonly TaskWord[]): string {
  return TASK_WORDS.flatMap((word) => {
    const n = words.filter((one) => one === word).length
    return n === 0 ? [] : [`${shownCount(n)} ${word}`]
  }).join(' · ')
}

const TASK_WORDS: readonly TaskWord[] = [
  'working',
  'paused',
  'silent',
  'lost',
  'rests',
  'waits',
  'on call',
  'not known',
  'ended',
  'ok',
  'stopped',
  'failed',
]

/**
 * Texts about tables and chunks that a steering request has paused or left out. One text with their number if there are
 * more than `NAMED_TABLES`.
 */
function steeringTexts(tables: readonly TableHold[]): readonly string[] {
  if (tables.length > NAMED_TABLES) return [`${amount(tables.length, 'table')} held back`]
  return tables.map(
    ({ table, chunk, held }) =>
      `${clean(table)}${chunk === undefined ? '' : `/${chunk}`} ${held === 'paused' ? 'paused' : 'left out'}`,
  )
}

const NAMED_TABLES = 3

/** Steering requests in words; empty if there are none. */
export function optionsText({ held, rate: rows, workers, lanes, tables = [], stop }: RunRequests): string {
  return [
    ...(stop === true ? ['stop'] : []),
    ...(held === true ? ['pause'] : []),
    ...(rows === undefined ? [] : [rows === null ? 'no limit of rate' : `${rate(rows)} at most`]),
    ...(workers === undefined ? [] : [`${amount(workers, 'chunk')} at once`]),
    ...(lanes === undefined ? [] : [amount(lanes, 'apply worker')]),
    ...steeringTexts(tables),
  ].join(', ')
}

/**
 * Steering requests, and whether all working tasks have received them; null if there is nothing to show.
 * @param cells width of the line
 */
export function orderLine(run: SharedRun, slots: readonly TaskRow[], queue: QueueShown, cells: number): Line | null {
  const { wishes, status } = run
  if (status !== 'running') return null
  const asked = optionsText(wishes)
  const hearing = slots.filter((slot) => isTaskHeld(slot, run, queue))
  const deaf = unawareTasks(hearing, run)
  const all = hearing.length
  const isSent = queue.sent?.runId === run.runId
  if (!isSent && (wishes.orderedAt === undefined || (asked === '' && deaf === 0))) return null
  const what = asked === '' ? 'resume' : asked
  const isOpen = isSent || (all > 0 && deaf > 0)
  const heard = isSent ? 'on its way to the queue' : receivedText(all, deaf, sharedWord(run, queue, slots))
  const text = cells < 60 ? `${heard}: ${what}` : `ordered  ${what}: ${heard}`
  return line(` ${cutEnd(text, cells - 2)}`, isOpen ? 'warn' : 'plain')
}

function receivedText(all: number, deaf: number, word: SharedWord): string {
  if (all === 0) return 'applied by the next worker that takes a task'
  if (deaf === 0)
    return `all tasks have received it${word === 'pausing' || word === 'stopping' ? ', and finish their batches' : ''}`
  const who =
    all === 1 ? 'its task has' : `${shownCount(deaf)} of ${amount(all, 'task')} ${deaf === 1 ? 'has' : 'have'}`
  return `${who} not received it yet`
}

/** A URL as host and path: without system, user and connection settings. */
export const urlPlaceText = (url: string): string =>
  clean(url.replace(/^\w+:\/\/(?:[^/@]*@)?/, '').replace(/\?.*$/, ''))

/** State of the queue in one line. @param list the list that is shown @param more text at the end, if it fits */
export function queueLine(queue: QueueShown, list: QueueList, cells: number, more = ''): Line {
  const label = (room: number): string => cutMiddle(urlPlaceText(queue.label), Math.max(8, room))
  if (queue.error !== null) {
    const { message, reason } = queue.error
    const heardAt = queue.receivedAt[list]
    const since = heardAt === null ? '' : `, shown is ${timeOfDay(heardAt)}`
    const why = `${clean(message)}${reason === undefined ? '' : `: ${clean(reason)}`}`
    const text = `${since}; tries again · ${why}`
    return line(` queue ${label(Math.min(40, Math.floor(cells / 3)))} is away${text}`, 'bad')
  }
  if (queue.receivedAt.workers === null) return line(` queue ${label(cells - 18)}: asking …`, 'muted')
  const counts = workerCounts(queue)
  const reported = `${counts.text}${more}`
  const head = `queue ${urlPlaceText(queue.label)}: `
  // The state of the workers has priority over the name of the queue.
  const text = width(head) + width(reported) + 2 <= cells ? head + reported : reported
  return line(` ${cutEnd(text, cells - 2)}`, counts.live === 0 ? 'warn' : 'muted')
}

/** Number of workers by state, such as `2 workers live, 1 lost`, and the number of live ones. */
export function workerCounts(queue: QueueShown): { readonly text: string; readonly live: number } {
  const words = queue.workers.map((worker) => workerWord(worker, queue))
  const of = (word: WorkerWord): number => words.filter((one) => one === word).length
  const live = of('lives')
  const rest = (['draining', 'silent', 'lost'] as const).flatMap((word) =>
    of(word) === 0 ? [] : [`${shownCount(of(word))} ${word}`],
  )
  const head = live === 0 ? 'no live worker' : live === 1 ? '1 worker live' : `${shownCount(live)} workers live`
  return { text: [head, ...rest].join(', '), live }
}
