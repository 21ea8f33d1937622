/** What a store offers to copies: tables, a source, a target, a ledger; `offers`: capabilities of some systems. */
import type { StoreAbilities } from './abilities.ts'
import type { DependencyStore } from './dependency-port.ts'
import type { Column, ColumnType, TableSpec } from './column-type.ts'
import type { ObjectStore } from './objects-port.ts'
import type { Capabilities, Capability, Offers } from './offers.ts'
import type { SourceView } from './source-port.ts'
import type { CopyTarget } from './target-port.ts'
import type { LedgerDatabase } from '../run/ledger-port.ts'

/** How to declare a column if a system has several types for its values. */
export type DeclareOptions = {
  /** Decimals in a system without them: text that keeps every digit, or floats that compare as numbers. */
  readonly decimal?: 'text' | 'real'
  /** Set to keep JSON as written, if the system has a type for that. */
  readonly spelled?: true
}

export type DeclaredColumn = Pick<Column, 'native' | 'type' | 'sortedAs' | 'spelled'>

export interface CopyStore extends AsyncDisposable {
  /** Name of its system declaration. */
  readonly system: string
  /** URL without password. */
  readonly label: string
  /** Identity of the database, independent of the host name in the URL: equal for all URLs of one database. */
  readonly identity: string
  readonly can: StoreAbilities
  /** Capabilities that not every system has. */
  readonly offers: Offers<CopyStore>
  /** Default schema for table names without one; null if the system has no schemas. */
  readonly schema: string | null
  /** Set if the URL names `schema`: then tables in the default schema of another store also map to this schema. */
  readonly namesSchema?: true
  /**
   * Tables by name: `schema.name` or `name`, with `*` for any characters.
   * @returns sorted by name; empty if nothing matches
   */
  tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]>
  /**
   * The column type that this system would create for a type: its name, and the type when read back.
   * @param inKey set for key columns: some systems allow no long texts there, and the type must sort like its values
   */
  declare(type: ColumnType, inKey?: boolean, options?: DeclareOptions): DeclaredColumn
  /** @throws SluiceError CONNECT_FAILED … */
  source(signal: AbortSignal): Promise<SourceView>
  target(): CopyTarget
  /** Refuses what `CopyTarget.create` would refuse, without creating anything. @throws SluiceError TABLE_REFUSED */
  refuseUncreatable(table: TableSpec, signal: AbortSignal): Promise<void>
  objects(): ObjectStore
  /** Sequences, generated expressions, and dependencies that a copy does not transfer. */
  dependencies(): DependencyStore
  /** Opens the ledger in the schema of the URL, or in the default schema of the login. */
  ledger(): Promise<LedgerDatabase>
}

/** Exactly the capabilities of a system's declaration. */
export type Offered<Names extends readonly Capability[]> = Pick<Capabilities<CopyStore>, Names[number]>
