/**
 * What a store offers to those who let two tables of one database change places: from one commit on the public name means the other table, with everything
 * that is bound to a table and not to its name.
 */
import type { LogPosition } from '../copy/change.ts'
import type { TableName } from '../copy/column-type.ts'
import type { RowKey } from '../copy/row-key.ts'
import type { FollowedTable, StreamBirth } from './port.ts'
import type { Closing } from '../run/ledger-port.ts'

/** Both tables have the same columns in the same order. */
export type SwitchRequest = {
  /** The table that has the public name until the switch. */
  readonly from: TableName
  /** The table that gets it. */
  readonly to: TableName
  /** Name that `from` gets, in its own schema. */
  readonly parked: string
}

/**
 * `refused`: the switch would lose it, or the server would refuse it. `made`: it is bound to the old table and is made again for the new one within the switch.
 * `left`: it stays with the old table. `fine`: was looked at, and needs nothing.
 */
export type SwitchVerdict = 'refused' | 'made' | 'left' | 'fine'

/** One thing that the switch would meet, as it stands now. */
export type SwitchFinding = {
  readonly verdict: SwitchVerdict
  /** Of what kind it is, such as `view`. */
  readonly about: string
  readonly object?: string
  readonly detail: string
  readonly hint?: string
}

export type SwitchLimits = {
  /** Longest that one try waits for the lock, ms: everybody else waits behind it. */
  readonly lockTimeoutMs: number
  /** Others may wait so long for the whole of it, ms. A program that stands still is ended by the server shortly behind it; 5000 unless given. */
  readonly budgetMs?: number
}

/** What the rows of some identities come to on both sides, by one digest. */
export type SwitchProof = { readonly rows: bigint; readonly targetRows: bigint; readonly isEqual: boolean }

/** Partitions, their bounds and files, of both tables at some moment: by them rows come and go, and no stream tells of it. The store's own. */
export type SwitchMark = { readonly text: string }

export interface SwitchStore {
  /** Looks, and changes nothing. */
  examine(request: SwitchRequest, signal: AbortSignal): Promise<readonly SwitchFinding[]>
  /** @throws SluiceError SOURCE_GONE where a table is not there; CONNECTION_LOST */
  mark(request: SwitchRequest, signal: AbortSignal): Promise<SwitchMark>
  /**
   * One try: takes the table that has the public name from everybody, readers too.
   * @returns null where the lock was not to be had in time; nobody waits then any more
   * @throws SluiceError SOURCE_GONE where a table is not there; CONNECTION_LOST
   */
  open(request: SwitchRequest, limits: SwitchLimits, signal: AbortSignal): Promise<SwitchAttempt | null>
  /**
   * Keeps others from writing into the table that is about to get the public name, and into its partitions, unless something does already. Nobody waits long for it.
   * @throws SluiceError SOURCE_GONE, TARGET_BUSY
   */
  guard(request: SwitchRequest, signal: AbortSignal): Promise<void>
  /** Removes what keeps others from writing into a table; done twice it does no harm. */
  unguard(table: TableName, signal: AbortSignal): Promise<void>
}

/** The transaction of a switch. Disposed without `commit`, nothing of it stays, and whoever waited goes on with the old table. */
export interface SwitchAttempt extends AsyncDisposable {
  /** Behind every change of `from` that anybody has committed: nobody can make another one. */
  readonly fence: LogPosition
  /** How long others may have waited by now, ms: since the lock was first asked for, and until the server has ended the session of a program that stood still. */
  waitedMs(): number
  /**
   * Takes the other table from everybody, too.
   * @returns in words, what has become of either table since the mark, besides changes of rows
   * @throws SluiceError NOT_SWITCHABLE where a partition of the table that gets the public name is gone; TARGET_BUSY
   */
  changesSince(mark: SwitchMark): Promise<readonly string[]>
  /** Compares rows on both sides by their identities, as of now. @param identity names of the columns, those of `from` */
  compare(identity: readonly string[], keys: readonly RowKey[]): Promise<SwitchProof>
  /** Counts of the switch: renames both tables, makes again what is bound to the old one, sets sequences, guards the parked table. @returns what was made */
  exchange(): Promise<readonly SwitchFinding[]>
  /** After `exchange`: what a stream out of the table that now has the public name is known by. @param start position of its slot */
  born(slot: string, start: string, tables: readonly FollowedTable[]): Promise<StreamBirth>
  /** After `exchange`: a stream that begins here misses nothing of the table that now has the public name. */
  position(): Promise<LogPosition>
  /**
   * Runs the closing statements of the ledger in the same transaction and commits; a lost answer is settled by asking the server.
   * @throws SluiceError COMMIT_UNKNOWN where nobody can tell
   */
  commit(closing: Closing): Promise<'committed' | 'fenced'>
}
