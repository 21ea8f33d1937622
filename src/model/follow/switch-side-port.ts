/**
 * What a store offers to a cutover between two databases. No transaction spans both, so each side is closed and opened
 * for writers separately. A closed table can be read, and only its stream can write to it.
 */
import type { LogPosition } from '../copy/change.ts'
import type { TableName } from '../copy/column-type.ts'
import type { RowKey } from '../copy/row-key.ts'
import type { Closing, Statement } from '../run/ledger-port.ts'
import type { FurthestValues, SwitchFinding, SwitchMark } from './switch-port.ts'

/** Columns, indexes, rights and views of a table. Opaque. */
export type SideFacts = { readonly text: string }

/** Positions of the sequences that number rows of a table, by column. Opaque. */
export type SidePositions = { readonly text: string }

/** Possible writers of a table. */
export type SideWriters = {
  /** Sessions that have a write lock on it now, as text. */
  readonly holding: readonly string[]
  /** Prepared transactions that have a write lock on it: they have no session that could be ended. */
  readonly prepared: readonly string[]
  /** Sessions of roles that may write to it. */
  readonly connected: number
  /** Roles of connected sessions that this login has no right to end. */
  readonly protected: readonly string[]
}

export type SideCloseRequest = {
  readonly table: TableName
  /** Identifies this closing: letters, digits and underscores. */
  readonly token: string
  /** Error message of a refused statement. */
  readonly says: string
  readonly hint: string
  /** Lock timeout of one try, ms: writers wait behind it. */
  readonly lockTimeoutMs: number
  /** Longest total time of all tries, ms. */
  readonly pauseLimitMs: number
  /** True to end sessions that still have a write lock on the table after the first tries. */
  readonly endsSessions: boolean
  /** False for the token of a closing that must stay. */
  readonly mayReplace: (token: string) => boolean
}

export type SideClosed = {
  /** Log position after every committed change that is not from the stream. */
  readonly fence: LogPosition
  /** Sessions that were ended, as text. */
  readonly ended: readonly string[]
}

/** Row count for given keys, a digest that is equal on both sides for equal rows, and furthest values of these rows. */
export type SideDigest = { readonly rows: bigint; readonly sums: string; readonly furthest: FurthestValues }

/** Address of a database for users; without password. */
export type SideAddress = { readonly host: string; readonly port: string; readonly database: string }

export interface SwitchSide {
  readonly address: SideAddress
  /** @throws SluiceError SOURCE_GONE if the table does not exist */
  facts(table: TableName, signal: AbortSignal): Promise<SideFacts>
  /** Checks the side that will be opened. @param source facts of the other side */
  inspect(table: TableName, source: SideFacts, signal: AbortSignal): Promise<readonly SwitchFinding[]>
  writers(table: TableName, signal: AbortSignal): Promise<SideWriters>
  /** @throws SluiceError SOURCE_GONE */
  mark(table: TableName, signal: AbortSignal): Promise<SwitchMark>
  /** @returns changes of the table since the mark, except changed rows, as text */
  changesSince(table: TableName, mark: SwitchMark, signal: AbortSignal): Promise<readonly string[]>
  /**
   * Closes a table that has no writers. If it is closed already, closes partitions that were added since.
   * @param held query that returns a row while this program may close the table; runs in the transaction that closes it
   * @returns false if `held` returned no row: nothing is closed
   * @throws SluiceError SOURCE_GONE, TARGET_BUSY
   */
  guard(
    request: Pick<SideCloseRequest, 'table' | 'token' | 'says' | 'hint'>,
    held: Statement,
    signal: AbortSignal,
  ): Promise<boolean>
  /**
   * Closes a table that is in use. Replaces a closing that has another token, if `mayReplace` allows this.
   * @returns null if other sessions kept the lock for the whole budget; `closedBy` if another closing must stay
   * @throws SluiceError SOURCE_GONE; CONNECTION_LOST, after which the table may be closed
   */
  close(
    request: SideCloseRequest,
    ended: (session: string) => void,
    signal: AbortSignal,
  ): Promise<SideClosed | { readonly closedBy: string } | null>
  /** Token that has closed the table; null if it is open, or does not exist. */
  closedBy(table: TableName, signal: AbortSignal): Promise<string | null>
  /** True if a table exists, and it and all of its partitions are closed by this token. */
  isClosed(table: TableName, token: string, signal: AbortSignal): Promise<boolean>
  /**
   * Opens the table closed by this token, also if it has another name by now. Idempotent; no effect if there is no
   * such table. Blocks no sessions.
   */
  release(table: TableName, token: string, signal: AbortSignal): Promise<void>
  /**
   * Removes leftovers of a closing from an open table, if it exists. @returns false if other sessions lock the table
   */
  tidy(table: TableName, signal: AbortSignal): Promise<boolean>
  /** Digest of the rows with these keys. @param identity names of the columns */
  digest(
    table: TableName,
    identity: readonly string[],
    keys: readonly RowKey[],
    signal: AbortSignal,
  ): Promise<SideDigest>
  positions(table: TableName, signal: AbortSignal): Promise<SidePositions>
  /** Furthest values of all rows. May read the whole table. @throws SluiceError SOURCE_GONE */
  furthest(table: TableName, signal: AbortSignal): Promise<FurthestValues>
  /**
   * Sets sequences beyond the positions of both sides, cached values of sessions, and values of rows.
   * @returns what was set, as text
   */
  advance(
    table: TableName,
    source: SidePositions,
    furthest: readonly FurthestValues[],
    signal: AbortSignal,
  ): Promise<readonly string[]>
  /**
   * Opens a table in the transaction of the closing statements, which the ledger of this database runs.
   * @param mark the table must not have changed since this mark, except its rows
   * @returns the changes as text, if there are any; nothing is opened then
   * @throws SluiceError COMMIT_UNKNOWN, CONNECTION_LOST, TARGET_BUSY
   */
  open(
    table: TableName,
    mark: SwitchMark,
    closing: Closing,
    signal: AbortSignal,
  ): Promise<'opened' | 'fenced' | { readonly changed: readonly string[] }>
}
