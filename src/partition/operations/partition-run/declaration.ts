import type { AlertWish } from '../../../model/run/alert.ts'
import { EPOCHS, type CalendarSpec, type Epoch } from '../../../model/calendar/calendar.ts'
import { COPY_EVENTS } from '../../../engine/copy/operations/copy/declaration.ts'
import { FOLLOW_CAUSES } from '../../../engine/copy/operations/copy/options.ts'
import type { SliceNumbers } from '../../../model/calendar/slices.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'
import { CHUNK_PROOFS } from './options.ts'

/** Makes the partitioned twin of a table that is in use, copies the table into it period by period, and follows what changes. */
export type PartitionRunOperation = {
  readonly kind: 'partition-run'
  readonly from: string
  /** The database of the new table; that of the old one when absent. */
  readonly to?: string | undefined
  readonly table: string
  /** The column that says when a row belongs. */
  readonly by: string
  readonly calendar: Partial<CalendarSpec>
  /** What whole numbers count since 1970, where bounds and ledger do not say it. */
  readonly epoch?: Epoch | undefined
  /** Name of the new table; when absent that of the old one, with `_partitioned` where both are in one database. */
  readonly into?: string | undefined
  /** Parts of a period that are told by themselves as they land. */
  readonly slices?: 'week' | 'month' | undefined
  /** Slices of the first period that this run copies and no others, by their numbers; all of the table when absent. */
  readonly numbers?: SliceNumbers | undefined
  /** Partition, or label of its period, that is copied before all others. */
  readonly first?: string | undefined
  /** After so long no chunk is begun any more, ms; what is copied by then is followed all the same. */
  readonly windowMs?: number | undefined
  /** Chunks that are copied at the same time. */
  readonly workers: number
  readonly chunkRows?: number | undefined
  /** Proof of each chunk; number and checksum of its rows when absent. */
  readonly proof?: (typeof CHUNK_PROOFS)[number] | undefined
  /** Rows a second. */
  readonly rate?: number | undefined
  readonly untilCaughtUp: boolean
  readonly untilEqual: boolean
  readonly proveEveryMs?: number | undefined
  /** Writers wait while the slot is made, for seconds. */
  readonly quiesce: boolean
  readonly restart: boolean
  readonly alert?: AlertWish | undefined
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
      workers: words.count('workers'),
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
  shape: 'long',
  doing: 'partitioning',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: 'table',
  look: {
    command: 'partition plan',
    keeps: [
      'from',
      'to',
      'into',
      'table',
      'by',
      'epoch',
      'calendar',
      'first-month',
      'year-offset',
      'first-weekday',
      'zone',
      'slices',
      'window',
    ],
  },
  distributes: { by: 'parts' },
  alerts: { causes: FOLLOW_CAUSES },
  events: EVENTS,
}
