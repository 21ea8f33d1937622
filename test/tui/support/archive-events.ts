/** Events of an archive run as an engine sends them. */
import type { ArchiveOperation } from '../../../src/archive/operations/archive-run/declaration.ts'
import type { RestoreOperation } from '../../../src/archive/operations/restore/declaration.ts'
import type { ArchivePlanEvent, ArchiveProgressEvent, ArchiveStateEvent } from '../../../src/model/archive/events.ts'
import type { EventBody } from '../../../src/model/run/event.ts'

export const FROM = 'postgresql://app@db/shop'
export const TABLE = 'public.bookings'
export const COMMAND = `sluice archive run --from ${FROM} --table ${TABLE} --older-than 8q --to /archive`
export const ROWS = 12_000_000

export const ARCHIVE: ArchiveOperation = {
  kind: 'archive',
  from: FROM,
  tables: [TABLE],
  to: '/archive',
  olderThan: '8q',
  partitions: [],
  asText: [],
  detach: true,
  drop: false,
  dryRun: false,
}

export const RESTORE: RestoreOperation = {
  kind: 'restore',
  from: FROM,
  table: TABLE,
  partitions: ['Q2-FY21'],
  dryRun: false,
}

export const columns: EventBody = {
  type: 'archive.columns',
  table: TABLE,
  archive: '/archive/public.bookings',
  partitionColumn: 'fiscal_quarter',
  calendar: 'quarters from January, years +1, UTC',
  columns: [
    { column: 'id', source: 'bigint', stored: 'long' },
    { column: 'details', source: 'jsonb', stored: 'string', note: 'as the text that the source prints' },
  ],
}

export const planned = (partition: string, more: Partial<ArchivePlanEvent> = {}): ArchivePlanEvent => ({
  type: 'archive.planned',
  table: TABLE,
  partition,
  status: 'due',
  from: '2020-04-01',
  to: '2020-07-01',
  rows: String(ROWS),
  estimated: true,
  bytes: '1200000000',
  ...more,
})

/** At 100 bytes a row. */
export const moved = (
  partition: string,
  step: ArchiveProgressEvent['step'],
  rows: number,
  table = TABLE,
): ArchiveProgressEvent => ({
  type: 'archive.progress',
  table,
  partition,
  step,
  rows: String(rows),
  total: String(ROWS),
  bytes: String(rows * 100),
})

export const reached = (
  partition: string,
  state: ArchiveStateEvent['state'],
  more: Partial<ArchiveStateEvent> = {},
): ArchiveStateEvent => ({ type: 'archive.state', table: TABLE, partition, state, ms: 1000, ...more })

export const STORED = { rows: String(ROWS), sourceBytes: '1200000000', bytes: '210000000', files: '2' } as const

export const changed = {
  code: 'PARTITION_CHANGED',
  message: 'Q2-FY21 changed after it was exported',
  where: 'public.bookings_q2_fy21',
  hint: 'run the same command again: it is exported anew',
  retryable: false,
} as const
