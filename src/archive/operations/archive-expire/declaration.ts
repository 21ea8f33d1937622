import type { AlertOptions } from '../../../model/run/alert.ts'
import { EPOCHS, type Epoch } from '../../../model/calendar/calendar.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Removes archived partitions with old periods from the archive; their files stay until the retention has passed. */
export type ArchiveExpireOperation = {
  readonly kind: 'archive-expire'
  readonly from: string
  readonly table: string
  /** Age such as `10y`: the current year and the 10 years before it are kept. */
  readonly olderThan: string
  readonly epoch?: Epoch
  /** Labels of the partitions to expire; empty means all that are old enough. */
  readonly partitions: readonly string[]
  /** Retention of files that the archive no longer names, ms; default: the ledger's. */
  readonly retentionMs?: number
  /** Name of the table, as confirmation. */
  readonly confirm?: string
  readonly alert?: AlertOptions
  readonly dryRun: boolean
}

const EVENTS = ['archive.expiry', 'archive.state', 'archive.progress', 'log'] as const

export const archiveExpire: Declaration<ArchiveExpireOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-expire',
  command: 'archive',
  actions: {
    'archive expire': {
      from: words.end('from'),
      table: words.oneTable,
      olderThan: words.text('older-than'),
      epoch: words.optionalChoice('epoch', EPOCHS),
      partitions: words.list('partition'),
      retentionMs: words.optionalDuration('retention'),
      confirm: words.optionalText('confirm'),
      alert: words.alert,
      dryRun: words.flag('dry-run'),
    },
  },
  display: 'lines',
  doing: 'expiring',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  about: 'table',
  destroys: [
    {
      what: 'archived partitions that have no other copy',
      confirm: 'confirm',
      asked: 'to let these partitions expire',
      named: { field: 'table' },
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED, by: ['partitions'] },
  distributes: { by: 'parts' },
  comesAgain: true,
  events: EVENTS,
}
