import { EPOCHS, type CalendarSpec, type Epoch } from '../../../model/calendar/calendar.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import type { Option } from '../../../engine/run/operations/option.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Findings and forecast for partitioning a table. Read-only. */
export type PartitionPlanOperation = {
  readonly kind: 'partition-plan'
  readonly from: string
  /** The database of the new table; default: the old table's database. */
  readonly to?: string | undefined
  /** Name of the new table; default: the old table's name, with `_partitioned` if both are in one database. */
  readonly into?: string | undefined
  readonly table: string
  /** Time column. */
  readonly by: string
  readonly calendar: Partial<CalendarSpec>
  /** Unit of integers in the time column, counted from 1970; needed if bounds and ledger do not determine it. */
  readonly epoch?: Epoch | undefined
  /** Unit of the slices of a period, which are copied concurrently. */
  readonly slices?: 'week' | 'month' | undefined
  /** Time available for one period, ms. */
  readonly windowMs?: number | undefined
  /** Slices copied at the same time. */
  readonly lanes: number
  /** True to count rows, even by a full scan. */
  readonly exact: boolean
}

const PLAN = 'plan:'
const BOTH = 'plan and run:'
const ALL = 'plan, run and in-place:'

/** Options of `sluice partition plan`, besides those of all `partition` actions. */
export const PLAN_OPTIONS: readonly Option[] = [
  {
    name: 'by',
    type: 'text',
    group: ALL,
    completes: 'column',
    describe: 'time column',
  },
  {
    name: 'slices',
    type: 'text',
    choices: ['week', 'month', 'week:1-6', 'month:1-2'],
    shown: 'none',
    group: BOTH,
    describe:
      'slices of a period that are copied in parallel and reported separately: week or month, cut off at its bounds; with week:1-6 or month:1-2, partition run copies only these slices of the first period and ends (exit 75)',
  },
  {
    name: 'window',
    type: 'text',
    unit: 'duration',
    group: BOTH,
    describe:
      'time limit for one period, such as 3h; after it, partition run begins no more chunks and ends (exit 75); the same command resumes',
  },
  {
    name: 'exact',
    type: 'flag',
    fallback: false,
    group: PLAN,
    describe: 'count all rows, however long it takes; else use a sample if no index helps',
  },
]

const EVENTS = ['partition.finding', 'partition.rate', 'partition.forecast', 'partition.sql'] as const

export const partitionPlan: Declaration<PartitionPlanOperation, (typeof EVENTS)[number]> = {
  kind: 'partition-plan',
  command: 'partition',
  actions: {
    'partition plan': {
      from: words.end('from'),
      to: words.optionalEnd('to'),
      into: words.optionalText('into'),
      table: words.oneTable,
      by: words.text('by'),
      calendar: words.calendar,
      epoch: words.optionalChoice('epoch', EPOCHS),
      slices: words.sliceUnit('slices'),
      windowMs: words.optionalDuration('window'),
      lanes: words.countOr('workers', 1),
      exact: words.flag('exact'),
    },
  },
  display: 'listing',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: EVENTS,
}
