import type { AlertWish } from '../../../model/run/alert.ts'
import { EPOCHS, type Epoch } from '../../../model/calendar/calendar.ts'
import type { CalendarWish } from '../../standing.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Makes what is missing of the current and the coming partitions, and says what somebody has to look at. */
export type PartitionEnsureOperation = {
  readonly kind: 'partition-ensure'
  readonly from: string
  /** Names or patterns; of a pattern the tables that are partitioned by time. */
  readonly tables: readonly string[]
  /** What the table does not say itself. */
  readonly calendar: CalendarWish
  /** What whole numbers count since 1970, where bounds and ledger do not say it. */
  readonly epoch?: Epoch | undefined
  /** Whole periods after that of today. */
  readonly ahead: number
  /** Most that others wait for a lock because of us, ms. */
  readonly patienceMs: number
  /** How long locks are tried for, ms. */
  readonly budgetMs: number
  readonly dryRun: boolean
  readonly alert?: AlertWish
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
      patienceMs: words.duration('patience'),
      budgetMs: words.duration('budget'),
      dryRun: words.flag('dry-run'),
      alert: words.alert,
    },
  },
  shape: 'lines',
  doing: 'making partitions',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'target' }],
  about: 'tables',
  plans: 'dryRun',
  distributes: { by: 'parts', field: 'tables' },
  alerts: { causes: ['none-ahead', 'default-rows', 'failed'], by: ['ahead'] },
  comesAgain: true,
  events: EVENTS,
}
