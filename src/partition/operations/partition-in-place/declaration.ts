import type { AlertOptions } from '../../../model/run/alert.ts'
import { EPOCHS, type CalendarSpec, type Epoch } from '../../../model/calendar/calendar.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Partitions a table in use without copying it: all of its rows become the first partition. */
export type PartitionInPlaceOperation = {
  readonly kind: 'partition-in-place'
  readonly from: string
  readonly table: string
  /** Time column. */
  readonly by: string
  readonly calendar: Partial<CalendarSpec>
  /** Unit of integers in the time column, counted from 1970; needed if bounds and ledger do not determine it. */
  readonly epoch?: Epoch | undefined
  /** Name of the first partition; default: the name of the table with `_past`. */
  readonly past?: string | undefined
  /** Label of the last period of the past partition; default: the later of the current one and the latest with rows. */
  readonly last?: string | undefined
  /** Label of the last period of the past partition, to be split off as its own partition. */
  readonly slice?: string | undefined
  /** Longest wait of other sessions per try, ms. */
  readonly budgetMs: number
  /** Total time for tries, ms. */
  readonly triesForMs: number
  readonly revert: boolean
  readonly dryRun: boolean
  /** Name of the table as confirmation. */
  readonly confirm?: string
  readonly alert?: AlertOptions
}

const EVENTS = [
  'partition.finding',
  'partition.sql',
  'partition.made',
  'partition.step',
  'partition.waits',
  'log',
] as const

export const partitionInPlace: Declaration<PartitionInPlaceOperation, (typeof EVENTS)[number]> = {
  kind: 'partition-in-place',
  command: 'partition',
  actions: {
    'partition in-place': {
      from: words.end('from'),
      table: words.oneTable,
      by: words.text('by'),
      calendar: words.calendar,
      epoch: words.optionalChoice('epoch', EPOCHS),
      past: words.optionalText('past'),
      last: words.optionalText('last'),
      slice: words.optionalText('slice'),
      budgetMs: words.duration('pause-budget'),
      triesForMs: words.duration('tries-for'),
      revert: words.flag('revert'),
      dryRun: words.flag('dry-run'),
      confirm: words.optionalText('confirm'),
      alert: words.alert,
    },
  },
  display: 'lines',
  doing: 'partitioning in place',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  about: 'table',
  destroys: [
    {
      what: 'which table the public name means',
      confirm: 'confirm',
      asked: 'to go on',
      named: {
        event: 'partition.step',
        field: 'table',
        where: { step: ['switch', 'slice', 'revert'], status: 'planned' },
      },
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED, by: ['slice', 'revert'] },
  events: EVENTS,
}
