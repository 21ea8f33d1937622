/** The screen of schedules: next run, result of the last one, and errors. */
import type { ScheduleEvent } from '../../../model/share/schedule-events.ts'
import { shownCount, fullTime, shownTime, msOf } from '../../../render/screen-format.ts'
import { block, line, rule, span, type Line, type Span } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, wrap } from '../../../render/screen-text.ts'
import { marksOf, type ThemeMarks } from '../../draw/theme.ts'
import { geometry } from '../../state/geometry.ts'
import { scheduleAtCursor, scheduleLines, type ScheduleLine } from './queue-rows.ts'
import { queueView } from './queue-open.ts'
import type { QueueShown } from './queue-shown.ts'
import type { State } from '../../state/state.ts'
import { gridOf, type GridColumn } from './grid.ts'
import { queueLine, stateSpan } from './words.ts'

const DETAIL_ROWS = 5
const ROOMY = 14

const below = (state: State): number => (geometry(state).body >= ROOMY ? DETAIL_ROWS : 0)

/** Rows of the list of schedules, without the queue line and the heading. */
export function schedulesHeight(state: State): number {
  return Math.max(1, geometry(state).body - 2 - below(state))
}

function columnsOf(queue: QueueShown, state: State): readonly GridColumn<ScheduleLine>[] {
  const marks = marksOf(state.ascii)
  const { now } = state
  const narrow = state.size.columns < 60
  return [
    { title: 'SCHEDULE', cells: narrow ? 13 : 20, draw: ({ schedule }) => clean(schedule.schedule) },
    { title: 'STATE', cells: 11, draw: ({ schedule }) => [scheduleState(schedule, queue, marks)] },
    {
      title: 'NEXT',
      cells: 11,
      draw: ({ schedule }) => (schedule.nextAt === undefined ? '' : shownTime(msOf(schedule.nextAt), now)),
    },
    {
      title: 'LAST',
      cells: 11,
      from: 60,
      draw: ({ schedule }) => (schedule.lastAt === undefined ? '' : shownTime(msOf(schedule.lastAt), now)),
    },
    { title: 'RESULT', cells: 13, from: 60, draw: ({ schedule }) => [lastResult(schedule, marks)] },
    { title: 'RULE', cells: 0, from: 100, draw: ({ schedule }) => schedule.rule },
  ]
}

/** State of a schedule; `not known` while the queue cannot be reached. */
function scheduleState({ state, running, wanted, error }: ScheduleEvent, queue: QueueShown, marks: ThemeMarks): Span {
  if (queue.error !== null) return stateSpan('not known', marks)
  if (state === 'void') return span(`${marks.bad} void`, 'bad')
  if (running !== undefined) return stateSpan('running', marks)
  if (state === 'paused') return stateSpan('paused', marks)
  if (error !== undefined) return span(`${marks.behind} fails`, 'bad')
  return wanted === true ? span(`${marks.none} starting`, 'muted') : span(`${marks.ok} on`, 'ok')
}

function lastResult({ lastAt, lastStatus }: ScheduleEvent, marks: ThemeMarks): Span {
  if (lastStatus !== undefined) return stateSpan(lastStatus, marks)
  return lastAt === undefined ? span('') : span(`${marks.none} skipped`, 'muted')
}

function detail(state: State, cells: number): Line[] {
  const schedule = scheduleAtCursor(state)
  if (schedule === null) return []
  const { schedule: name, rule: when, nextAt, nextPeriod, command, error, queue, slots } = schedule
  const next =
    nextAt === undefined ? 'runs at no time now' : `next ${fullTime(msOf(nextAt))} UTC for ${nextPeriod ?? '?'}`
  const where = queue === undefined ? '' : ` · only workers of ${clean(queue)}`
  const many = slots === '1' ? '' : ` · ${shownCount(Number(slots))} tasks`
  const why = error === undefined ? [] : wrap(clean(error), cells - 2).slice(0, 2)
  return [
    rule(`schedule ${clean(name)}`, cells),
    line(` ${cutEnd(`${when} · ${next}${many}${where}`, cells - 2)}`),
    line(` ${cutMiddle(clean(command.replace(/^sluice /, '')), cells - 2)}`, 'muted'),
    ...[0, 1].map((at) => line(why[at] === undefined ? '' : ` ${why[at]}`, 'bad')),
  ]
}

/** Lines of the screen. */
export function schedulesScreen(state: State, cells: number): Line[] {
  const { body } = geometry(state)
  const { queue } = state
  const view = queueView(state)
  if (queue === null || view?.kind !== 'schedules') return block([], cells, body)
  const lines = scheduleLines(queue)
  const height = schedulesHeight(state)
  const { head, rows } = gridOf(columnsOf(queue, state), lines, view.at, height, cells, state)
  const empty =
    queue.schedules === null
      ? [line('   reading …', 'muted')]
      : [line('   there is none; schedule add, in the palette, runs a command on a calendar', 'muted')]
  return block(
    [
      queueLine(queue, 'schedules', cells),
      head,
      ...block(lines.length === 0 ? empty : rows, cells, height),
      ...(below(state) === 0 ? [] : detail(state, cells)),
    ],
    cells,
    body,
  )
}
