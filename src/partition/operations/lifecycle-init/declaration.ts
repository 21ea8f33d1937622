import type { Epoch } from '../../../model/calendar/calendar.ts'
import type { CalendarWish } from '../../standing.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'

/** Looks at a table and writes down what is wanted of it. */
export type LifecycleInitOperation = {
  readonly kind: 'lifecycle-init'
  readonly from: string
  readonly table: string
  /** The column that says when a row belongs; a partitioned table says it itself. */
  readonly by?: string
  readonly calendar: CalendarWish
  /** What whole numbers count since 1970, where bounds and ledger do not say it. */
  readonly epoch?: Epoch | undefined
  readonly archive?: string
  readonly olderThan?: string
  /** The database as the file is to name it; absent where the file names it for all tables. */
  readonly fromText?: string
  /** The config file; null prints the entry. */
  readonly write: string | null
  /** Write the entry anew where the file has one. */
  readonly replace: boolean
}

const EVENTS = ['lifecycle.config', 'log'] as const

export const lifecycleInit: Declaration<LifecycleInitOperation, (typeof EVENTS)[number]> = {
  kind: 'lifecycle-init',
  command: 'lifecycle',
  actions: {
    'lifecycle init': {
      byHand: [
        'from',
        'table',
        'by',
        'epoch',
        'calendar',
        'first-month',
        'year-offset',
        'first-weekday',
        'zone',
        'archive',
        'older-than',
        'write',
        'replace',
      ],
    },
  },
  shape: 'answer',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'table',
  events: EVENTS,
}
