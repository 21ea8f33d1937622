import type { AlertWish } from '../../../model/run/alert.ts'
import { EPOCHS, type CalendarSpec, type Epoch } from '../../../model/calendar/calendar.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Partitions a table that is in use without a copy of it: all of its rows become the first partition. */
export type PartitionInPlaceOperation = {
  readonly kind: 'partition-in-place'
  readonly from: string
  readonly table: string
  /** The column that says when a row belongs. */
  readonly by: string
  readonly calendar: Partial<CalendarSpec>
  /** What whole numbers count since 1970, where bounds and ledger do not say it. */
  readonly epoch?: Epoch | undefined
  /** Name of the first partition; that of the table with `_past` when absent. */
  readonly past?: string | undefined
  /** Label of the last period of the past; the current one, or the latest with rows, when absent. */
  readonly last?: string | undefined
  /** Label of the last period of the past: it gets a partition of its own. */
  readonly slice?: string | undefined
  /** Longest that anybody may wait for one try, ms. */
  readonly budgetMs: number
  /** How long tries are made, ms. */
  readonly triesForMs: number
  readonly revert: boolean
  readonly dryRun: boolean
  /** Name of the table, said twice. */
  readonly confirm?: string
  readonly alert?: AlertWish
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
  shape: 'lines',
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
