/** State of a table, read before its phases are determined. */
import type { ArchiveRecord } from '../../archive/ledger/record.ts'
import type { LifecyclePhaseEvent, LifecyclePhaseName } from '../../model/partition/lifecycle-events.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { SluiceError } from '../../shared/errors.ts'
import { hasSwitched, type CutoverRow } from '../../engine/follow/cutover/cutover-row.ts'
import type { DatabaseStep } from '../decommission/database/steps.ts'
import type { DecommissionRow } from '../decommission/decommission-ledger.ts'
import type { PartitionCoverage } from '../partition-coverage.ts'
import type { Run } from '../../engine/run/run-context.ts'
import type { LifecycleEntry } from './entry.ts'
import type { TableStreamState } from './table-stream-state.ts'

export type InspectedTable = {
  readonly entry: LifecycleEntry
  /** Name with schema, `tableText`. */
  readonly name: string
  /** The database in which the table has its public name now. */
  readonly store: CopyStore
  /** Ledger of `store`. */
  readonly database: LedgerDatabase
  readonly table: TableSpec
  /** Coverage of the table by its partitions; null if it has none. */
  readonly standing: PartitionCoverage | null
  /** Why its partitioning is not supported; null if it is, or if there are no partitions. */
  readonly odd: SluiceError | null
  /** The partitioned table that the stream fills before the cutover; null if there is none. */
  readonly copy: PartitionedCopy | null
  /** The copy by a stream that has ended, with the name of its table, or null if that is gone; null if there is none. */
  readonly earlier: { readonly table: string | null } | null
  readonly archive: ArchiveRecord | null
  /** The stream that fills, or filled, the partitioned table. */
  readonly stream: TableStreamState | null
  /** The reverse stream since the last cutover; null if there is none. */
  readonly wayBack: TableStreamState | null
  /** Steps that retire the old table. */
  readonly retired: readonly DecommissionRow[]
  /** The database that writers left in a cutover; null after a cutover within one database, and before any cutover. */
  readonly left: OldDatabase | null
  /** Cutovers of the newest move, oldest first; empty if that was given up. */
  readonly switches: readonly CutoverRow[]
  readonly now: Date
  readonly run: Run<'log'>
  /** Reports what was not inspected, as text. */
  readonly noteUninspected: (what: string) => void
}

/** The new table before its cutover. */
export type PartitionedCopy = {
  /** Name with schema, and with the database if that is another one. */
  readonly name: string
  readonly standing: PartitionCoverage
}

/** The database that a table moved from. */
export type OldDatabase = {
  /** URL as recorded by the stream, without password. */
  readonly url: string
  /** The last step of its retirement; null if there was none, or if the retirement was undone. */
  readonly step: DatabaseStep | null
  /** Why it could not be opened; null if it was opened, or if the entry does not name it. */
  readonly error: SluiceError | null
  /** True if the config entry names this database. */
  readonly isNamed: boolean
}

/** Event data of a phase. */
export type Phase = Omit<LifecyclePhaseEvent, 'type' | 'table' | 'phase' | 'name'>

/** The phases by name, in order. */
export type LifecyclePhases = Readonly<Record<LifecyclePhaseName, Phase>>

/** The last cutover, done or in preparation. */
export function lastCutover({ switches }: Pick<InspectedTable, 'switches'>): CutoverRow | null {
  return switches.at(-1) ?? null
}

/** True if the partitioned table has the public name through a cutover. */
export function isSwitched({ switches }: Pick<InspectedTable, 'switches'>): boolean {
  const happened = switches.filter(({ status }) => hasSwitched(status)).at(-1)
  return happened !== undefined && happened.turn % 2 === 1
}
