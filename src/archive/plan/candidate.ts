/** Partitions that may be archived, and which of them are wanted. */
import type { NewPartition } from '../ledger/partition-ledger.ts'
import type { Asked } from '../work/named-partitions.ts'
import type { PartName } from './further-part.ts'
import type { CalendarSpec, Epoch } from '../../model/calendar/calendar.ts'

export type Wanted = {
  /** Only these; all when empty. */
  readonly asked: readonly Asked[]
  /** The first day that is kept; null where nobody said how old a partition has to be. */
  readonly until: string | null
  readonly calendar: CalendarSpec
  /** What whole numbers count since 1970, as it was asked for. */
  readonly epoch?: Epoch | undefined
  /** The log of the archive is cut by this column: its whole numbers are times, of the unit that their size says. */
  readonly isLogged?: true
}

export type Candidate = Omit<NewPartition, keyof PartName> &
  PartName & {
    readonly status: 'due' | 'later' | 'blocked'
    readonly rows: bigint
    readonly estimated: boolean
    readonly bytes: bigint
    readonly note?: string
    /** It is a table that is partitioned itself. */
    readonly isDivided?: true
  }
