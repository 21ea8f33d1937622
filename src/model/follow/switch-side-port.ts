/**
 * What a store offers to a switch between two databases: no transaction holds both, so each side is closed and opened by itself. A closed table takes changes of its
 * stream and of nobody else; it can be read.
 */
import type { LogPosition } from '../copy/change.ts'
import type { TableName } from '../copy/column-type.ts'
import type { RowKey } from '../copy/row-key.ts'
import type { Closing } from '../run/ledger-port.ts'
import type { SwitchFinding, SwitchMark } from './switch-port.ts'

/** What belongs to a table and is no row: columns, indexes, rights, views. The store's own. */
export type SideFacts = { readonly text: string }

/** Positions of the sequences that number the rows of a table, by column. The store's own. */
export type SidePositions = { readonly text: string }

/** Who may write into a table. */
export type SideWriters = {
  /** Sessions that hold it for writing now, in words. */
  readonly holding: readonly string[]
  /** Prepared transactions that hold it: they have no session that could be ended. */
  readonly prepared: readonly string[]
  /** Sessions of roles that may write into it. */
  readonly connected: number
  /** Roles of such sessions that this role may not end. */
  readonly protected: readonly string[]
}

export type SideCloseRequest = {
  readonly table: TableName
  /** Names this closing and no other one: letters, digits and underscores. */
  readonly token: string
  /** What a statement that is refused is told. */
  readonly says: string
  readonly hint: string
  /** Longest that one try waits for the lock, ms: writers wait behind it. */
  readonly lockTimeoutMs: number
  /** Longest that all tries together may take, ms. */
  readonly budgetMs: number
  /** Sessions that hold the table for writing after the first tries are ended. */
  readonly endsSessions: boolean
}

export type SideClosed = {
  /** Behind every change that anybody but the stream has committed. */
  readonly fence: LogPosition
  /** Sessions that were ended, in words. */
  readonly ended: readonly string[]
}

/** Rows of some identities, and a digest of them that is the same on both sides for the same rows. */
export type SideDigest = { readonly rows: bigint; readonly sums: string }

/** Where users find a database; no password. */
export type SideAddress = { readonly host: string; readonly port: string; readonly database: string }

export interface SwitchSide {
  readonly address: SideAddress
  /** @throws SluiceError SOURCE_GONE where the table is not there */
  facts(table: TableName, signal: AbortSignal): Promise<SideFacts>
  /** Looks at the side that is going to be opened. @param source facts of the other side */
  examine(table: TableName, source: SideFacts, signal: AbortSignal): Promise<readonly SwitchFinding[]>
  writers(table: TableName, signal: AbortSignal): Promise<SideWriters>
  /** @throws SluiceError SOURCE_GONE */
  mark(table: TableName, signal: AbortSignal): Promise<SwitchMark>
  /** @returns in words, what has become of the table since the mark, besides changes of rows */
  changesSince(table: TableName, mark: SwitchMark, signal: AbortSignal): Promise<readonly string[]>
  /**
   * Closes a table that nobody writes into, unless it is closed already, and partitions that have come since.
   * @throws SluiceError SOURCE_GONE, TARGET_BUSY
   */
  guard(request: Pick<SideCloseRequest, 'table' | 'token' | 'says' | 'hint'>, signal: AbortSignal): Promise<void>
  /**
   * Closes a table that everybody writes into. A closing of another token is replaced.
   * @returns null where others kept the lock for the whole budget
   * @throws SluiceError SOURCE_GONE, CONNECTION_LOST: it may be closed by then
   */
  close(request: SideCloseRequest, ended: (session: string) => void, signal: AbortSignal): Promise<SideClosed | null>
  /** Whether a table and all of its partitions are closed by this token. */
  isClosed(table: TableName, token: string, signal: AbortSignal): Promise<boolean>
  /** Opens a table that this token has closed; done twice, or of another token, it does no harm. Nobody waits for it. */
  release(table: TableName, token: string, signal: AbortSignal): Promise<void>
  /** Removes what is left of a closing from a table that is open. @returns false where others hold the table */
  tidy(table: TableName, signal: AbortSignal): Promise<boolean>
  /** @param identity names of the columns */
  digest(
    table: TableName,
    identity: readonly string[],
    keys: readonly RowKey[],
    signal: AbortSignal,
  ): Promise<SideDigest>
  positions(table: TableName, signal: AbortSignal): Promise<SidePositions>
  /** Sets sequences behind those of both sides, and behind what sessions may have taken ahead. @returns in words, which ones */
  advance(table: TableName, source: SidePositions, signal: AbortSignal): Promise<readonly string[]>
  /**
   * Opens a table in the transaction of the closing statements, which the ledger of this database runs.
   * @param mark nothing of the table may have changed since, besides rows
   * @returns in words what has, where something has; nothing is opened then
   * @throws SluiceError COMMIT_UNKNOWN, CONNECTION_LOST, TARGET_BUSY
   */
  open(
    table: TableName,
    mark: SwitchMark,
    closing: Closing,
    signal: AbortSignal,
  ): Promise<'opened' | 'fenced' | { readonly changed: readonly string[] }>
}
