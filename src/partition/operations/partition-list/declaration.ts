import type { AlertOptions } from '../../../model/run/alert.ts'
import { EPOCHS, type Epoch } from '../../../model/calendar/calendar.ts'
import type { CalendarOptions } from '../../partition-coverage.ts'
import { alertOptions, formsText } from '../../../engine/run/operations/alert-options.ts'
import { FOLLOW_CAUSES } from '../../../engine/copy/operations/copy/options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'
import * as words from '../../../engine/run/operations/words.ts'
import { PLAN_OPTIONS } from '../partition-plan/declaration.ts'
import { DECOMMISSION_OPTIONS } from '../partition-decommission/options.ts'
import { IN_PLACE_OPTIONS } from '../partition-in-place/options.ts'
import { RUN_OPTIONS } from '../partition-run/options.ts'
import { PARTITION_OPTIONS } from './options.ts'

export type PartitionListOperation = {
  readonly kind: 'partition-list'
  readonly from: string
  /** Names or patterns; a pattern selects only tables that are partitioned by time. */
  readonly tables: readonly string[]
  readonly calendar: CalendarOptions
  /** Unit of integers in the time column, counted from 1970; needed if bounds and ledger do not determine it. */
  readonly epoch?: Epoch | undefined
  /** Age such as `8q`: periods older than this are due; if absent, none is due. */
  readonly olderThan?: string
  /** Required whole periods after the current one. */
  readonly ahead: number
  /** True to count rows instead of using the system's statistics. */
  readonly count: boolean
  readonly alert?: AlertOptions
}

const ALERTS = alertOptions(
  `${formsText(['none-ahead', 'default-rows', 'failed'])} (list, ensure); failed (in-place, decommission); ${formsText(FOLLOW_CAUSES)} (run)`,
  'all but plan:',
)

const EVENTS = ['partition.table', 'partition', 'partition.alarm', 'partition.stands', 'log'] as const

export const partitionList: Declaration<PartitionListOperation, (typeof EVENTS)[number]> = {
  kind: 'partition-list',
  command: {
    ...PAGES.partition,
    takes: [
      ...PARTITION_OPTIONS,
      ...PLAN_OPTIONS,
      ...RUN_OPTIONS,
      ...ALERTS,
      ...IN_PLACE_OPTIONS,
      ...DECOMMISSION_OPTIONS,
    ],
    first: ['from', 'table', 'by', 'calendar', 'ahead', 'to', 'into', 'workers', 'until-caught-up', 'dry-run'],
    notes:
      'list shows the partitions of tables that are partitioned by time ranges, created by any program, and ' +
      'which partitions are missing. ensure creates the partitions of the current and the coming periods, like ' +
      'their neighbours, and moves rows from the default partition into them; it can run at any time. Calendar ' +
      'and names are derived from existing partitions. plan shows what the partitioning of a table needs, and ' +
      'changes nothing. run does it while the table is in use: it creates a partitioned table next to it, ' +
      'copies the current period first and older ones after it, proves each, and replicates changes; a cutover ' +
      'exchanges both tables. in-place needs no copy, for tables too large to store twice: all rows become the ' +
      'first partition, and new periods get their own partitions. decommission retires the old table of a ' +
      'cutover: its first run revokes the rights on it, a run after the grace period drops it. If ' +
      '`lifecycle:` of the config file has an entry of exactly this table, its options apply unless the command line ' +
      'sets them.\n',
  },
  actions: {
    'partition list': {
      from: words.end('from'),
      tables: words.someTables,
      calendar: words.calendar,
      epoch: words.optionalChoice('epoch', EPOCHS),
      olderThan: words.optionalAge('older-than'),
      ahead: words.count('ahead'),
      count: words.flag('count'),
      alert: words.alert,
    },
  },
  display: 'listing',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'tables',
  alerts: { causes: ['none-ahead', 'default-rows', 'failed'], by: ['ahead'] },
  events: EVENTS,
}
