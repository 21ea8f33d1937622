/** A stream of committed transactions, as every source of changes tells them: rows in canonical form, columns in the order that was asked for. */
import type { RowFrame } from './frame.ts'
import type { PackedRows } from './packed-rows.ts'
import type { Cell, Row } from './rows.ts'

/**
 * A position in the log of a source (an LSN in PostgreSQL). As an applied position it is exclusive: every transaction whose commit record begins before it is
 * applied, and a transaction whose commit record begins at it is not. Adjacent commits differ by nothing else.
 */
export type LogPosition = bigint

/** A row of a change. `undefined`: the value is unchanged and the source does not tell it (unchanged TOAST). */
export type ChangeRow = readonly (Cell | undefined)[]

/**
 * Tables are numbers: their places in the list that the stream was opened with. `frame`: the same row as bytes, if the source sent it so; `row` and `key` are decoded on
 * demand. The frame of a DELETE holds the identity only.
 */
export type RowChange =
  | { readonly type: 'insert'; readonly table: number; readonly row: ChangeRow; readonly frame?: RowFrame }
  /** `key`: identity of the row before the change, where it is another one; null where it is the same. */
  | {
      readonly type: 'update'
      readonly table: number
      readonly key: Row | null
      readonly row: ChangeRow
      readonly frame?: RowFrame
    }
  | { readonly type: 'delete'; readonly table: number; readonly key: Row; readonly frame?: RowFrame }

export type Change =
  /**
   * @property xid number of the transaction, 32 bits, unsigned; 0 where the stream tells what one snapshot shows, and no single transactions
   * @property commit where its commit record begins
   * @property at ms since the epoch, by the clock of the source
   */
  | { readonly type: 'begin'; readonly xid: number; readonly commit: LogPosition; readonly at: number }
  | RowChange
  /** All rows of these tables are gone. */
  | { readonly type: 'truncate'; readonly tables: readonly number[] }
  /** The columns of a table are no longer those that the stream was opened with. Nothing of it can be applied from here on. */
  | { readonly type: 'reshaped'; readonly table: number; readonly reason: string }
  /**
   * @property end where the next record of the log may begin: the applied position once this transaction is applied
   * @property isCounted false where another lane counts the transaction
   */
  | { readonly type: 'commit'; readonly end: LogPosition; readonly isCounted?: false }
  /** The source has nothing before this position that it has not sent. Never within a transaction. */
  | { readonly type: 'idle'; readonly position: LogPosition }

/** What a transaction, or several one after the other, come to for one table: each identity once. */
export type ChangeBatch = {
  readonly puts: readonly Put[]
  /** Identities of rows that are gone. */
  readonly gone: readonly Row[]
  /** Further rows that are put or gone, as bytes. A writer that cannot use bytes calls `unpacked` first. */
  readonly packed?: PackedRows
}

/** A batch of which all rows are cells. */
export type CellBatch = ChangeBatch & { readonly packed?: undefined }

/** A row that is in the table afterwards, whether it was before or not. */
export type Put = {
  readonly row: ChangeRow
  /** Its identity. */
  readonly key: Row
  /** Identity under which the target holds the row before this batch: values that are `undefined` are taken from there. Null where the row is complete. */
  readonly base: Row | null
  /** The target should have no row of this identity before this batch: a hint which way is fast, and nothing to rely on. */
  readonly isNew?: boolean
}
