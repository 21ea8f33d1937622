/**
 * What a system offers to retire a whole database after its tables have moved. Everything but `inside` uses another
 * database of the same server, because a session cannot close or drop the database to which it is connected.
 */
import type { Interrupt } from '../../shared/abort.ts'
import type { TableName } from '../copy/column-type.ts'
import type { DecommissionFinding } from './decommission-port.ts'

/** State of a database on its server. */
export type DatabaseSettings = {
  /** As `CopyStore.identity`: differs for another database of the same name. */
  readonly identity: string
  readonly isOpen: boolean
  readonly connectionLimit: number
  /** True after a DROP that was interrupted on the server: it then accepts no other statement for this database. */
  readonly isHalfDropped: boolean
}

/** Counters of the server, as decimal texts. Null if an older server lacks the counter. */
export type DatabaseUse = {
  readonly sessions: string | null
  readonly writes: string
  /** Changes whenever the counters are reset, also by a crash of the server; null if unknown. */
  readonly resetAt: string | null
}

export type DatabaseState = { readonly use: DatabaseUse; readonly findings: readonly DecommissionFinding[] }

/** A table of a user or of sluice, partitions included. */
export type ContainedTable = {
  readonly table: TableName
  /** Prefix of `TableSpec.identity`. */
  readonly identity: string
  /** Estimate of the server; null if there is none. */
  readonly rows: string | null
  readonly bytes: string
  /** Columns that are not generated. */
  readonly columns: readonly string[]
}

export type Contents = {
  readonly tables: readonly ContainedTable[]
  /** Number of large objects, which no copy includes. */
  readonly largeObjects: string
  readonly findings: readonly DecommissionFinding[]
}

/** A session in the database, which stays open when the database refuses connections. */
export interface DatabaseInside extends AsyncDisposable {
  /** @throws SluiceError CONNECTION_LOST … */
  inspect(signal: AbortSignal): Promise<Contents>
  /**
   * Number of rows of a table now; null if this login has no right to read all of them. @throws SluiceError
   * TARGET_BUSY …
   */
  count(table: ContainedTable, signal: AbortSignal): Promise<bigint | null>
}

export type Closed = {
  /** Sessions that were ended, as text. */
  readonly ended: readonly string[]
}

export interface DatabaseRetirement extends AsyncDisposable {
  /** URL without password. */
  readonly label: string
  /** Name of the database. */
  readonly name: string
  /** Common prefix of the identities of all databases of its server. */
  readonly server: string
  /** Another database of the same server, to which this connects. */
  readonly through: string
  /** Locks the database against concurrent retirement until disposed. @returns false if another program has the lock */
  lock(): Promise<boolean>
  /** @returns null if the server has no database of that name */
  state(signal: AbortSignal): Promise<DatabaseSettings | null>
  /** Current name of the database with this identity; null if it does not exist. */
  nameOf(identity: string, signal: AbortSignal): Promise<string | null>
  /** Counters and findings of the server, even if the database refuses connections. @throws SluiceError SOURCE_GONE */
  inspect(signal: AbortSignal): Promise<DatabaseState>
  /** @throws SluiceError CONNECT_FAILED if it refuses connections */
  inside(signal: AbortSignal): Promise<DatabaseInside>
  /**
   * Makes the database refuse connections, and ends all its sessions except `inside`. Idempotent. A stop ends only the
   * wait for sessions: `reopen` works after it.
   * @throws SluiceError SOURCE_GONE, TARGET_DENIED; TARGET_BUSY if sessions remain after `retryLimitMs`: connections
   * are refused nevertheless
   */
  close(identity: string, inside: DatabaseInside, retryLimitMs: number, interrupt: Interrupt): Promise<Closed>
  /** Accepts connections again, up to the previous limit. Idempotent. @throws SluiceError SOURCE_GONE, TARGET_DENIED */
  reopen(identity: string, connectionLimit: number, signal: AbortSignal): Promise<void>
  /**
   * Drops the database, never while sessions use it. A stop ends the wait for its lock.
   * @throws SluiceError SOURCE_GONE if another database has its name, TARGET_BUSY while it is used, TARGET_DENIED
   */
  drop(identity: string, interrupt: Interrupt): Promise<void>
}
