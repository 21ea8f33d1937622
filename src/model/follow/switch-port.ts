/**
 * What a store offers to a cutover within one database. One commit gives the public name to the new table, and
 * recreates for it the objects that are bound to the old table, not to its name.
 */
import type { CutoverFindingEvent } from './cutover-events.ts'
import type { LogPosition } from '../copy/change.ts'
import type { TableName } from '../copy/column-type.ts'
import type { RowKey } from '../copy/row-key.ts'
import type { FollowedTable, StreamStart } from './port.ts'
import type { Closing } from '../run/ledger-port.ts'

/** Both tables have the same columns in the same order. */
export type SwitchRequest = {
  /** The table that has the public name until the cutover. */
  readonly from: TableName
  /** The table that gets this name. */
  readonly to: TableName
  /** New name of `from`, in its own schema. */
  readonly oldTable: string
}

/**
 * One object that affects the cutover, as it is now. `refused`: the cutover would lose it, or the server would refuse.
 * `fine`: checked, needs nothing.
 */
export type SwitchFinding = Readonly<Omit<CutoverFindingEvent, 'type'>>

export type SwitchLimits = {
  /** Lock timeout of one try, ms: all other sessions wait behind it. */
  readonly lockTimeoutMs: number
  /** Longest total wait of other sessions, ms; default 5000. The server ends a hung program shortly after. */
  readonly pauseLimitMs?: number
}

/** Comparison of rows by digest, for given keys on both sides. */
export type SwitchProof = { readonly rows: bigint; readonly targetRows: bigint; readonly isEqual: boolean }

/**
 * Opaque snapshot of both tables' columns, partitions, bounds and files: it changes if rows change outside of any
 * stream.
 */
export type SwitchMark = { readonly text: string }

/** Furthest values of rows in the columns that sequences number. Opaque. */
export type FurthestValues = { readonly text: string }

export interface SwitchStore {
  /** Checks a cutover; read-only. */
  inspect(request: SwitchRequest, signal: AbortSignal): Promise<readonly SwitchFinding[]>
  /** @throws SluiceError SOURCE_GONE if a table does not exist; CONNECTION_LOST */
  mark(request: SwitchRequest, signal: AbortSignal): Promise<SwitchMark>
  /** Furthest values of all rows of the new table. May read the whole table. @throws SluiceError SOURCE_GONE */
  furthest(request: SwitchRequest, signal: AbortSignal): Promise<FurthestValues>
  /**
   * One try: locks the table with the public name against all other sessions, readers too.
   * @returns null if the lock was not granted in time; it is not requested any more then
   * @throws SluiceError SOURCE_GONE if a table does not exist; CONNECTION_LOST
   */
  open(request: SwitchRequest, limits: SwitchLimits, signal: AbortSignal): Promise<SwitchAttempt | null>
  /**
   * Prevents other sessions from writing to the new table and its partitions, unless it is protected already. Blocks
   * sessions only briefly.
   * @throws SluiceError SOURCE_GONE, TARGET_BUSY
   */
  guard(request: SwitchRequest, signal: AbortSignal): Promise<void>
  /** Removes the write protection of a table. Idempotent. */
  unguard(table: TableName, signal: AbortSignal): Promise<void>
}

/** The transaction of a cutover. Disposed without `commit`, it rolls back, and waiting sessions use the old table. */
export interface SwitchAttempt extends AsyncDisposable {
  /** Log position after every committed change of `from`; no session can change `from` any more. */
  readonly fence: LogPosition
  /**
   * How long other sessions may have waited so far, ms: the time since the first lock request, at most until the server
   * ends the session of a hung program.
   */
  waitedMs(): number
  /**
   * Locks the new table too.
   * @returns changes of either table since the mark, except changed rows, as text
   * @throws SluiceError NOT_SWITCHABLE if a partition of the new table was removed; TARGET_BUSY
   */
  changesSince(mark: SwitchMark): Promise<readonly string[]>
  /** Compares rows with these keys on both sides, as of now. @param identity key columns, named as in `from` */
  compare(identity: readonly string[], keys: readonly RowKey[]): Promise<SwitchProof>
  /**
   * Renames both tables, recreates objects bound to the old one, sets sequences, protects the old table from writes.
   * @param furthest values of all rows except the compared ones
   * @returns what was recreated
   */
  exchange(furthest: FurthestValues): Promise<readonly SwitchFinding[]>
  /**
   * After `exchange`: start record of a stream from the table with the public name; null if its slot has lost changes.
   * @param start slot position
   */
  startRecord(slot: string, start: string, tables: readonly FollowedTable[]): Promise<StreamStart | null>
  /** After `exchange`: start position of a stream that misses no change of the table that now has the public name. */
  position(): Promise<LogPosition>
  /**
   * Runs the closing statements of the ledger in the same transaction and commits; after a lost reply it asks the
   * server for the result.
   * @throws SluiceError COMMIT_UNKNOWN if the result cannot be determined
   */
  commit(closing: Closing): Promise<'committed' | 'fenced'>
}
