import type { AlertOptions } from '../../../model/run/alert.ts'
import { EPOCHS, type CalendarSpec, type Epoch } from '../../../model/calendar/calendar.ts'
import { COPY_EVENTS } from '../../../engine/copy/operations/copy/declaration.ts'
import { FOLLOW_CAUSES } from '../../../engine/copy/operations/copy/options.ts'
import type { SliceNumbers } from '../../../model/calendar/slices.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'
import { CHUNK_PROOFS } from './options.ts'

/** Creates a partitioned new table, copies a table in use into it period by period, and replicates changes. */
export type PartitionRunOperation = {
  readonly kind: 'partition-run'
  readonly from: string
  /** The database of the new table; default: the old table's database. */
  readonly to?: string | undefined
  readonly table: string
  /** Time column. */
  readonly by: string
  readonly calendar: Partial<CalendarSpec>
  /** Unit of integers in the time column, counted from 1970; needed if bounds and ledger do not determine it. */
  readonly epoch?: Epoch | undefined
  /** Name of the new table; default: the old table's name, with `_partitioned` if both are in one database. */
  readonly into?: string | undefined
  /** Unit of the slices of a period, each of which is reported when copied. */
  readonly slices?: 'week' | 'month' | undefined
  /** Numbers of slices of the first period: this run copies only these; default: the whole table. */
  readonly numbers?: SliceNumbers | undefined
  /** Partition, or label of its period, that is copied first. */
  readonly first?: string | undefined
  /** Time after which no chunk begins, ms. The run then applies pending changes of the copied rows, and ends. */
  readonly windowMs?: number | undefined
  /** Chunks copied at the same time. */
  readonly workers: number
  readonly chunkRows?: number | undefined
  /** Proof of each chunk; default: row count and checksum. */
  readonly proof?: (typeof CHUNK_PROOFS)[number] | undefined
  /** Rows per second. */
  readonly rate?: number | undefined
  readonly untilCaughtUp: boolean
  readonly untilEqual: boolean
  readonly proveEveryMs?: number | undefined
  /** True to block writers for some seconds, while the slot is created. */
  readonly quiesce: boolean
  readonly restart: boolean
  readonly alert?: AlertOptions | undefined
}

const EVENTS = [...COPY_EVENTS, 'partition.finding', 'partition.pace'] as const

export const partitionRun: Declaration<PartitionRunOperation, (typeof EVENTS)[number]> = {
  kind: 'partition-run',
  command: 'partition',
  actions: {
    'partition run': {
      from: words.end('from'),
      to: words.optionalEnd('to'),
      table: words.oneTable,
      by: words.text('by'),
      calendar: words.calendar,
      epoch: words.optionalChoice('epoch', EPOCHS),
      into: words.optionalText('into'),
      slices: words.sliceUnit('slices'),
      numbers: words.sliceNumbers('slices'),
      first: words.optionalText('first'),
      windowMs: words.optionalDuration('window'),
      workers: words.countOr('workers', 4),
      chunkRows: words.optionalCount('checkpoint-size'),
      proof: words.optionalChoice('verify', CHUNK_PROOFS),
      rate: words.optionalCount('rate'),
      untilCaughtUp: words.flag('until-caught-up'),
      untilEqual: words.flag('until-equal'),
      proveEveryMs: words.optionalDuration('prove-every'),
      quiesce: words.flag('quiesce'),
      restart: words.flag('restart'),
      alert: words.alert,
    },
  },
  display: 'long',
  doing: 'partitioning',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: 'table',
  inspection: {
    command: 'partition plan',
    keeps: ['from', 'to', 'into', 'table', 'by', 'epoch', ...words.CALENDAR_FLAGS, 'slices', 'window'],
  },
  distributes: { by: 'parts' },
  alerts: { causes: FOLLOW_CAUSES },
  events: EVENTS,
}
