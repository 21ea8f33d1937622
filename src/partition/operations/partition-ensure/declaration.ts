import type { AlertOptions } from '../../../model/run/alert.ts'
import { EPOCHS, type Epoch } from '../../../model/calendar/calendar.ts'
import type { CalendarOptions } from '../../partition-coverage.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Creates missing partitions of the current and future periods, and reports alarms. */
export type PartitionEnsureOperation = {
  readonly kind: 'partition-ensure'
  readonly from: string
  /** Names or patterns; a pattern selects only tables that are partitioned by time. */
  readonly tables: readonly string[]
  /** Overrides of the calendar that is derived from the table. */
  readonly calendar: CalendarOptions
  /** Unit of integers in the time column, counted from 1970; needed if bounds and ledger do not determine it. */
  readonly epoch?: Epoch | undefined
  /** Whole periods after the current one. */
  readonly ahead: number
  /** Longest wait of other sessions for a lock of sluice, ms. */
  readonly patienceMs: number
  /** Total time for lock tries, ms. */
  readonly budgetMs: number
  readonly dryRun: boolean
  readonly alert?: AlertOptions
}

const EVENTS = [
  'partition.table',
  'partition.made',
  'partition.progress',
  'partition.waits',
  'partition.alarm',
  'partition.stands',
  'log',
] as const

export const partitionEnsure: Declaration<PartitionEnsureOperation, (typeof EVENTS)[number]> = {
  kind: 'partition-ensure',
  command: 'partition',
  actions: {
    'partition ensure': {
      from: words.end('from'),
      tables: words.someTables,
      calendar: words.calendar,
      epoch: words.optionalChoice('epoch', EPOCHS),
      ahead: words.count('ahead'),
      patienceMs: words.duration('lock-timeout'),
      budgetMs: words.duration('retry-limit'),
      dryRun: words.flag('dry-run'),
      alert: words.alert,
    },
  },
  display: 'lines',
  doing: 'making partitions',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'target' }],
  about: 'tables',
  plans: 'dryRun',
  distributes: { by: 'parts', field: 'tables' },
  alerts: { causes: ['none-ahead', 'default-rows', 'failed'], by: ['ahead'] },
  comesAgain: true,
  events: EVENTS,
}
