/** Schedules of a queue, their times and their runs, as rows of an aligned table. */
import { visible } from '../shared/visible.ts'
import { exitCell, left, NONE, right, timeCell } from './column.ts'
import { timeText } from '../shared/figures.ts'
import { listing } from './listing.ts'

export const SCHEDULES = listing('schedule', [
  left('SCHEDULE', (event) => visible(event.schedule)),
  left('STATE', (event) =>
    event.running !== undefined
      ? `${event.state}, runs`
      : event.wanted === true
        ? `${event.state}, wanted`
        : event.state,
  ),
  left('WHEN', (event) => event.rule),
  left('NEXT', (event) => timeCell(event.nextAt)),
  left('FOR', (event) => event.nextPeriod ?? NONE, { rank: 3 }),
  left('LAST', (event) => timeCell(event.lastAt), { rank: 1 }),
  left('CAME', (event) => event.lastStatus ?? (event.lastAt === undefined ? NONE : 'passed over'), { rank: 2 }),
  left('ERROR', (event) => visible(event.error ?? ''), { below: true }),
  left('COMMAND', (event) => visible(event.command), { below: true }),
])

export const SCHEDULE_TIMES = listing('schedule.time', [
  left('PERIOD', (event) => event.period),
  left('LOCAL', (event) => event.local),
  left('ZONE', (event) => event.zone, { rank: 1 }),
  left('UTC', (event) => timeText(event.at)),
])

export const SCHEDULE_RUNS = listing('schedule.run', [
  left('PERIOD', (event) => event.period ?? (event.run === undefined ? NONE : 'by hand')),
  left('DUE', (event) => timeCell(event.dueAt)),
  left('BEGUN', (event) => timeCell(event.at)),
  left('ENDED', (event) => timeCell(event.endedAt), { rank: 1 }),
  left('RUN', (event) => event.run ?? NONE),
  left('STATUS', (event) => event.status ?? (event.run === undefined ? 'passed over' : NONE)),
  right('EXIT', (event) => exitCell(event.exitCode)),
  left('ERROR', (event) => visible(event.error ?? ''), { below: true }),
  left('NOTE', (event) => visible(event.note ?? ''), { below: true }),
])
