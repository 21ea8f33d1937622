/** The partitions of a table as a line of time, as far as they have been read. */
import type { PartitionAlarmEvent, PartitionedEvent, PartitionEvent } from '../../model/partition/events.ts'
import type { ArchivedEvent } from '../../model/archive/events.ts'
import type { ErrorInfo } from '../../shared/errors.ts'

export type TimelineShown = {
  /** Null until it is read. */
  readonly table: PartitionedEvent | null
  /** In the order of time; the default partition last. */
  readonly partitions: readonly PartitionEvent[]
  readonly alarms: readonly PartitionAlarmEvent[]
  /**
   * Periods that have left the archive for good, by the ledger; the table and the archive know nothing of them any
   * more.
   */
  readonly expired: readonly ArchivedEvent[]
  readonly error: ErrorInfo | null
}

export const READING_TIMELINE: TimelineShown = { table: null, partitions: [], alarms: [], expired: [], error: null }
