import { EPOCHS, type CalendarSpec, type Epoch } from '../../../model/calendar/calendar.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** What partitioning a table would take; nothing is changed. */
export type PartitionPlanOperation = {
  readonly kind: 'partition-plan'
  readonly from: string
  /** The database of the new table; that of the old one when absent. */
  readonly to?: string | undefined
  /** Name of the new table; when absent that of the old one, with `_partitioned` where both are in one database. */
  readonly into?: string | undefined
  readonly table: string
  /** The column that says when a row belongs. */
  readonly by: string
  readonly calendar: Partial<CalendarSpec>
  /** What whole numbers count since 1970, where bounds and ledger do not say it. */
  readonly epoch?: Epoch | undefined
  /** Parts of a period that are copied beside each other. */
  readonly slices?: 'week' | 'month' | undefined
  /** Time that there is for one period, ms. */
  readonly windowMs?: number | undefined
  /** Slices that are copied at the same time. */
  readonly lanes: number
  /** Count rows, whatever it takes. */
  readonly exact: boolean
}

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
      lanes: words.count('lanes'),
      exact: words.flag('exact'),
    },
  },
  shape: 'listing',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: EVENTS,
}
