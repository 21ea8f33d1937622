/**
 * Capabilities that not every system has, each with a name and a port: `store.offers.periods?.counts(…)`. A system
 * declares the names; `Offered` requires its store to have exactly these.
 */
import type { ReferrerStore, UncheckedStore } from '../archive/constraints-port.ts'
import type { PartitionStore, PeriodStore, RemovalStore, RowTriggerStore, TableIdentities } from '../archive/port.ts'
import type { ColumnFacts, RowValues, TimeExtents, Times } from '../archive/values-port.ts'
import type { OperationalPreflight } from '../follow/operational-port.ts'
import type { Cdc, ChangeSource, ChangeTarget } from '../follow/port.ts'
import type { SwitchStore } from '../follow/switch-port.ts'
import type { SwitchSide } from '../follow/switch-side-port.ts'
import type { DecommissionStore } from '../partition/decommission-port.ts'
import type { InPlaceStore } from '../partition/in-place-port.ts'
import type { MaintenanceStore } from '../partition/maintenance-port.ts'
import type { PartitionPlanStore } from '../partition/plan-port.ts'
import type { Durability, LosableTables } from './durability-port.ts'
import type { Identification } from './identification-port.ts'
import type { OtherLedgers } from './ledgers-port.ts'
import type { TokenRing } from './ring-distribution.ts'
import type { SharedViews, Spellings } from './source-port.ts'
import type { TableOptions } from './target-port.ts'
import type { Tracks } from './track-port.ts'

/** @typeParam Store `CopyStore`; a parameter, because `CopyStore` itself has capabilities */
export type Capabilities<Store> = {
  /** Options of tables, such as compaction. */
  readonly tableOptions: TableOptions
  /** Joins a read view that another program opened. */
  readonly sharedViews: SharedViews
  /** Waits until commits are on disk, for systems that may acknowledge a commit earlier. */
  readonly durability: Durability
  /** Finds tables that a crash of the server may empty, for systems that have such tables. */
  readonly losable: LosableTables
  /** Ledgers of other schemas in the same database, for systems in which each login may have its own schema. */
  readonly otherLedgers: OtherLedgers<Store>
  /** Tables of the Cassandra Data Migrator. */
  readonly tracks: Tracks
  /** Distribution of rows, for systems whose tables lie on a ring of tokens. */
  readonly ring: TokenRing
  /** Distinguishes a database from a copy of it, and a table from another one with the same name. */
  readonly identification: Identification
  /** How a table is recognised after a rename. */
  readonly identities: TableIdentities
  readonly columnFacts: ColumnFacts
  /** Conditions on the times in a column. */
  readonly times: Times
  readonly timeExtents: TimeExtents
  /** Conditions for values that are not in canonical form, for systems that do not check the spelling of values. */
  readonly spellings: Spellings
  /** Conditions by value, for systems that can select and remove rows in one transaction. */
  readonly rowValues: RowValues
  /** Row counts of periods and their cost, for systems with a query planner. */
  readonly periods: PeriodStore
  /** Foreign keys that reference a table. */
  readonly referrers: ReferrerStore
  /** Triggers and rules of plain tables, for systems whose rows can be archived. */
  readonly rowTriggers: RowTriggerStore
  /** Says before an archive runs that no row of a table can be removed. */
  readonly removals: RemovalStore
  /** Constraints that archived rows may violate. */
  readonly unchecked: UncheckedStore
  /** Native partitions that are tables. */
  readonly partitions: PartitionStore
  /** Partitions of a table, and creation of new ones, for systems with range partitioning. */
  readonly maintenance: MaintenanceStore
  /** Facts for a plan that partitions an unpartitioned table. */
  readonly partitionPlan: PartitionPlanStore
  /** Partitions a table without copying it. */
  readonly inPlace: InPlaceStore
  /** Retires the old table after a cutover. */
  readonly decommission: DecommissionStore
  /** Committed changes in commit order, from the log. Each call returns a new source with the state of one stream. */
  readonly slotChanges: () => ChangeSource
  /** Committed changes in commit order, as recorded by triggers. Each call returns a new source. */
  readonly triggerChanges: () => ChangeSource
  /** Applies changes of a source. */
  readonly changeTarget: ChangeTarget
  /** Swaps the names of two tables of a database in one transaction. */
  readonly switches: SwitchStore
  /** Closes and opens a table that moves between two databases of the same system. */
  readonly switchSide: SwitchSide
  /** Preflight check whether tables are usable. */
  readonly operational: OperationalPreflight
}

export type Capability = keyof Capabilities<unknown>

/** Capabilities of a store; absent if its system lacks them. */
export type Offers<Store> = Partial<Capabilities<Store>>

type Offering = { readonly offers: Offers<unknown> }

/** Source of changes that are captured by `cdc`. @returns undefined if the system does not capture them in this way */
export function changesBy(cdc: Cdc, { offers }: Offering): ChangeSource | undefined {
  return cdc === 'slot' ? offers.slotChanges?.() : offers.triggerChanges?.()
}

/** True if a stream from the first store to the second is possible. */
export function canFollow({ offers: from }: Offering, { offers: to }: Offering): boolean {
  return (from.slotChanges ?? from.triggerChanges) !== undefined && to.changeTarget !== undefined
}
