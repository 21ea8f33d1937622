/** All that is looked at of a table before anything is said of its phases. */
import type { ArchiveRecord } from '../../archive/ledger/record.ts'
import type { LifecyclePhaseEvent, LifecyclePhaseName } from '../../model/partition/lifecycle-events.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore, LedgerDatabase } from '../../model/copy/port.ts'
import type { SluiceError } from '../../shared/errors.ts'
import { hasSwitched, type SwitchRow } from '../../engine/follow/cutover/switch-row.ts'
import type { DatabaseStep } from '../decommission/database/steps.ts'
import type { DecommissionRow } from '../decommission/decommission-ledger.ts'
import type { Standing } from '../standing.ts'
import type { Run } from '../../engine/run/run-context.ts'
import type { LifecycleEntry } from './entry.ts'
import type { StreamStanding } from './stream-standing.ts'

export type LookedTable = {
  readonly entry: LifecycleEntry
  /** With its schema, `tableText`. */
  readonly name: string
  /** The database in which the table has its public name now. */
  readonly store: CopyStore
  /** Its ledger. */
  readonly database: LedgerDatabase
  readonly table: TableSpec
  /** Null without partitions. */
  readonly standing: Standing | null
  /** Why its partitions are none that could be kept; null where they could, and where there are none. */
  readonly odd: SluiceError | null
  /** The partitioned table that the stream fills, while another one has the public name; null where there is none. */
  readonly copy: PartitionedCopy | null
  readonly archive: ArchiveRecord | null
  /** The stream that fills, or filled, the partitioned table. */
  readonly stream: StreamStanding | null
  /** The stream that keeps the old table equal since the last switch; null where none does. */
  readonly wayBack: StreamStanding | null
  /** What was done to retire the old table. */
  readonly retired: readonly DecommissionRow[]
  /** What became of the database that was closed by a switch between two; null of a switch within one, and before any. */
  readonly left: LeftDatabase | null
  /** Turns, the oldest first. */
  readonly switches: readonly SwitchRow[]
  readonly now: Date
  readonly run: Run<'log'>
  /** Takes what nobody looked at, in words. */
  readonly leave: (what: string) => void
}

/** A table that is going to take the public name. */
export type PartitionedCopy = {
  /** With its schema, and its database where that is another one. */
  readonly name: string
  readonly standing: Standing
}

/** The database that a table has left. */
export type LeftDatabase = {
  /** As the stream noted it, without password. */
  readonly url: string
  /** The last step of its retirement; null where none was made, or all was taken back. */
  readonly step: DatabaseStep | null
  /** Why it could not be opened; null where it was, and where the entry does not name it. */
  readonly error: SluiceError | null
  /** Whether the entry names it. */
  readonly isNamed: boolean
}

/** What is said of a phase. */
export type Phase = Omit<LifecyclePhaseEvent, 'type' | 'table' | 'phase' | 'name'>

/** The phases by their names, in order. */
export type Phases = Readonly<Record<LifecyclePhaseName, Phase>>

/** The last turn that happened, or is about to. */
export function lastTurn({ switches }: Pick<LookedTable, 'switches'>): SwitchRow | null {
  return switches.at(-1) ?? null
}

/** Whether the partitioned table has the public name by a switch of ours. */
export function isSwitched({ switches }: Pick<LookedTable, 'switches'>): boolean {
  const happened = switches.filter(({ status }) => hasSwitched(status)).at(-1)
  return happened !== undefined && happened.turn % 2 === 1
}
