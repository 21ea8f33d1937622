import type { Epoch } from '../../../model/calendar/calendar.ts'
import type { CalendarOptions } from '../../partition-coverage.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Inspects a table and writes its lifecycle entry. */
export type LifecycleInitOperation = {
  readonly kind: 'lifecycle-init'
  readonly from: string
  readonly table: string
  /** Time column; derived for a partitioned table. */
  readonly by?: string
  readonly calendar: CalendarOptions
  /** Unit of integers in the time column, counted from 1970; needed if bounds and ledger do not determine it. */
  readonly epoch?: Epoch | undefined
  readonly archive?: string
  readonly olderThan?: string
  /** Text for the database in the file; absent if the file names the database for all tables. */
  readonly fromText?: string
  /** The config file; null prints the entry. */
  readonly write: string | null
  /** True to overwrite an existing entry. */
  readonly replace: boolean
}

const EVENTS = ['lifecycle.config', 'log'] as const

export const lifecycleInit: Declaration<LifecycleInitOperation, (typeof EVENTS)[number]> = {
  kind: 'lifecycle-init',
  command: 'lifecycle',
  actions: {
    'lifecycle init': {
      byHand: ['from', 'table', 'by', 'epoch', ...words.CALENDAR_FLAGS, 'archive', 'older-than', 'write', 'replace'],
    },
  },
  display: 'answer',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'table',
  events: EVENTS,
}
