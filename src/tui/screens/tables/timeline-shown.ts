/** Partitions of a table as a time line, as far as read. */
import type { PartitionAlarmEvent, PartitionedEvent, PartitionEvent } from '../../../model/partition/events.ts'
import type { ArchivedEvent } from '../../../model/archive/events.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'

export type TimelineShown = {
  /** Null until read. */
  readonly table: PartitionedEvent | null
  /** In time order; the default partition last. */
  readonly partitions: readonly PartitionEvent[]
  readonly alarms: readonly PartitionAlarmEvent[]
  /**
   * Periods whose archive has expired, as the ledger lists them: neither the table nor the archive contains their rows.
   */
  readonly expired: readonly ArchivedEvent[]
  readonly error: ErrorInfo | null
}

export const READING_TIMELINE: TimelineShown = { table: null, partitions: [], alarms: [], expired: [], error: null }
