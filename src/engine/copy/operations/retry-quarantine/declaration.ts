import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { ENDS } from '../copy/options.ts'
import { QUARANTINED } from './options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import { ALERT_FLAGS } from '../../../run/operations/words.ts'

export type RetryQuarantineOperation = {
  readonly kind: 'retry-quarantine'
  /** Only rows of this run; absent: all. */
  readonly runId?: string
  /** The source; absent: as the run recorded it. */
  readonly from?: string
  readonly to: string
  /** Only rows of this table of the target. */
  readonly table?: string
  readonly alert?: AlertOptions
}

const EVENTS = ['row.aside', 'table.finished', 'log'] as const

export const retryQuarantine: Declaration<RetryQuarantineOperation, (typeof EVENTS)[number]> = {
  kind: 'retry-quarantine',
  command: {
    ...PAGES['retry-quarantine'],
    takes: [QUARANTINED.run, ...ENDS, QUARANTINED.table, ...alertOptions(FAILED)],
  },
  actions: { 'quarantine retry': { byHand: ['run', 'from', 'to', 'table', ...ALERT_FLAGS] } },
  display: 'lines',
  doing: 'retrying quarantined rows',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: 'table',
  alerts: { causes: FAILED, by: ['runId'] },
  events: EVENTS,
}
