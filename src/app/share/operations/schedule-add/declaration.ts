import type { CatchUp } from '../../../../model/share/schedule.ts'
import { CALENDAR_UNITS } from '../../../../model/calendar/calendar.ts'
import type { Declaration } from '../../../../engine/run/operations/declaration.ts'
import { calendarOptions } from '../../../../engine/run/operations/calendar-options.ts'
import { PAGES } from '../../../../engine/run/operations/pages.ts'
import { CONNECT } from '../../../../engine/run/operations/shared-options.ts'

/** Schedules a command at calendar times. */
export type ScheduleAddOperation = {
  readonly kind: 'schedule-add'
  /** URL of the queue's database. */
  readonly connect: string
  readonly name: string
  /** Calendar rule as text; format: `app/share/schedules/rule-text`. */
  readonly rule: string
  readonly catchUp: CatchUp
  /** The command without the program name, as words and as shell text; with store names instead of URLs. */
  readonly words: readonly string[]
  readonly commandLine: string
  /** Operation parsed from `words`, with store names instead of URLs. */
  readonly scheduled: unknown
  /** Stores of the config file: names, and their URLs at the same index. */
  readonly names: readonly string[]
  readonly stores: readonly string[]
  readonly slots: number
  readonly queue?: string
  /** True: replace the schedule of this name; its history is kept. */
  readonly replace: boolean
}

const EVENTS = ['schedule.changed', 'schedule.time', 'log'] as const

/** Options of `add` and `print`. */
export const SCHEDULE_RULE_OPTIONS = [
  'every',
  'at',
  'day',
  'first-month',
  'year-offset',
  'first-weekday',
  'zone',
] as const

export const scheduleAdd: Declaration<ScheduleAddOperation, (typeof EVENTS)[number]> = {
  kind: 'schedule-add',
  command: {
    ...PAGES.schedule,
    takes: [
      {
        name: 'action',
        operand: true,
        type: 'text',
        describe: 'add, list, next, history, pause, resume, run-now, remove, print',
      },
      { name: 'name', operand: true, type: 'text', describe: 'name of the schedule' },
      {
        name: 'command',
        operand: true,
        type: 'list',
        describe: 'for add and print: the command, after --: -- archive run --from shop --table orders --older-than 8q',
      },
      { ...CONNECT, group: 'all actions but print:' },
      {
        name: 'every',
        type: 'text',
        shown: 'day',
        group: 'add and print:',
        describe: `${CALENDAR_UNITS.join(', ')}, or a part of a day such as 15m, 1h or 6h`,
      },
      {
        name: 'at',
        type: 'text',
        shown: '00:00',
        group: 'add and print:',
        describe: 'time of day in --zone, such as 02:30',
      },
      {
        name: 'day',
        type: 'text',
        fallback: '1',
        group: 'add and print:',
        describe: 'day of the period: 1 is its first, -1 its last',
      },
      ...calendarOptions('add and print:', {
        'first-month': 'january',
        'year-offset': '0',
        'first-weekday': 'monday',
        zone: 'UTC',
      }),
      {
        name: 'catch-up',
        type: 'choice',
        choices: ['last', 'all', 'none'],
        fallback: 'last',
        group: 'add:',
        describe:
          'due times that passed while no worker was running: last (run only the newest), all (run each), none (run the newest if it is at most 1 h late)',
      },
      {
        name: 'tasks',
        type: 'number',
        fallback: 1,
        least: 1,
        most: 64,
        group: 'add:',
        describe: 'maximum number of workers that share each run',
      },
      {
        name: 'queue',
        type: 'text',
        group: 'add:',
        describe: 'queue of its runs (default: the unnamed queue)',
      },
      {
        name: 'replace',
        type: 'flag',
        fallback: false,
        group: 'add:',
        describe: 'replace the schedule of this name; its history is kept',
      },
      {
        name: 'limit',
        type: 'number',
        fallback: 20,
        least: 1,
        group: 'next and history:',
        describe: 'lines to show',
      },
      {
        name: 'output',
        type: 'flag',
        fallback: false,
        group: 'history:',
        describe: "print the output of the schedule's newest run",
      },
      { name: 'run', type: 'text', completes: 'run', group: 'history:', describe: 'output of this run' },
      {
        name: 'as',
        type: 'choice',
        choices: ['systemd', 'crontab'],
        fallback: 'systemd',
        group: 'print:',
        describe: 'output format: systemd units or a crontab line',
      },
    ],
    first: ['connect', 'every', 'at', 'day', 'zone', 'tasks', 'queue', 'replace', 'limit', 'as'],
    notes:
      'Workers start what is due, so sluice worker must run somewhere. Each period has one run; the next run ' +
      'waits until it has ended. A destructive command is planned when it is added, and the schedule becomes ' +
      'void if its plan changes; archives need --confirm=NAME in the command. May be scheduled: partition ' +
      'ensure, archive run, archive verify, archive expire, import, batch-import, sync, validate, fsck, diff, ' +
      'copy --again and lifecycle status. print needs no queue.\n',
  },
  actions: {
    'schedule add': {
      byHand: ['name', 'command', 'connect', ...SCHEDULE_RULE_OPTIONS, 'catch-up', 'tasks', 'queue', 'replace'],
    },
  },
  display: 'answer',
  stores: [
    { field: 'connect', family: 'database', access: 'write', end: 'target' },
    { field: 'stores', family: 'database', access: 'read' },
  ],
  about: 'name',
  events: EVENTS,
}
