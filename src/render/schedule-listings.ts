/** Schedules of a queue, their times and their runs, as rows of an aligned table. */
import { visible } from '../shared/visible.ts'
import { left, NONE, right, timeCell } from './column.ts'
import { timeText } from '../shared/figures.ts'
import type { Listing } from './listing.ts'

export const SCHEDULES: Listing = {
  columns: [
    left('SCHEDULE'),
    left('STATE'),
    left('WHEN'),
    left('NEXT'),
    { ...left('FOR'), rank: 3 },
    { ...left('LAST'), rank: 1 },
    { ...left('CAME'), rank: 2 },
    { ...left('ERROR'), below: true },
    { ...left('COMMAND'), below: true },
  ],
  row: (event) =>
    event.type !== 'schedule'
      ? null
      : [
          visible(event.schedule),
          event.running !== undefined
            ? `${event.state}, runs`
            : event.wanted === true
              ? `${event.state}, wanted`
              : event.state,
          event.rule,
          timeCell(event.nextAt),
          event.nextPeriod ?? NONE,
          timeCell(event.lastAt),
          event.lastStatus ?? (event.lastAt === undefined ? NONE : 'passed over'),
          visible(event.error ?? ''),
          visible(event.command),
        ],
}

export const SCHEDULE_TIMES: Listing = {
  columns: [left('PERIOD'), left('LOCAL'), { ...left('ZONE'), rank: 1 }, left('UTC')],
  row: (event) => (event.type !== 'schedule.time' ? null : [event.period, event.local, event.zone, timeText(event.at)]),
}

export const SCHEDULE_RUNS: Listing = {
  columns: [
    left('PERIOD'),
    left('DUE'),
    left('BEGUN'),
    { ...left('ENDED'), rank: 1 },
    left('RUN'),
    left('STATUS'),
    right('EXIT'),
    { ...left('ERROR'), below: true },
    { ...left('NOTE'), below: true },
  ],
  row: (event) =>
    event.type !== 'schedule.run'
      ? null
      : [
          event.period ?? (event.run === undefined ? NONE : 'by hand'),
          timeCell(event.dueAt),
          timeCell(event.at),
          timeCell(event.endedAt),
          event.run ?? NONE,
          event.status ?? (event.run === undefined ? 'passed over' : NONE),
          event.exitCode === undefined ? NONE : String(event.exitCode),
          visible(event.error ?? ''),
          visible(event.note ?? ''),
        ],
}
