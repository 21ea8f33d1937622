/** Partitions that may be archived, and the request that selects them. */
import type { NewPartition } from '../ledger/partition-facts.ts'
import type { NamedPartition } from '../work/named-partitions.ts'
import type { PartName } from './further-part.ts'
import type { CalendarSpec, Epoch } from '../../model/calendar/calendar.ts'

export type CandidateRequest = {
  /** Partitions that the user named; empty means all. */
  readonly asked: readonly NamedPartition[]
  /** First day that is kept; null if no age was given. */
  readonly until: string | null
  readonly calendar: CalendarSpec
  /** Unit of whole numbers that count since 1970, as requested. */
  readonly epoch?: Epoch | undefined
  /**
   * True if the log of the archive is partitioned by this column: then its whole numbers are times, and their size
   * decides the unit.
   */
  readonly isLogged?: true
}

export type ArchiveCandidate = Omit<NewPartition, keyof PartName> &
  PartName & {
    readonly status: 'due' | 'later' | 'blocked'
    readonly rows: bigint
    readonly estimated: boolean
    readonly bytes: bigint
    readonly note?: string
    /** True if the partition is itself partitioned. */
    readonly isDivided?: true
  }
