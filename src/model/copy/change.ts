/** A stream of committed transactions from any source: rows in canonical form, columns in the requested order. */
import type { RowFrame } from './frame.ts'
import type { PackedRows } from './packed-rows.ts'
import type { Cell, Row } from './rows.ts'

/**
 * A position in the log of a source (an LSN in PostgreSQL). An applied position is exclusive: transactions whose commit
 * record begins before it are applied, a transaction whose commit record begins at it is not. The end of one commit may
 * be the begin of the next commit record.
 */
export type LogPosition = bigint

/** A row of a change. `undefined`: the value is unchanged and was not sent by the source (unchanged TOAST). */
export type ChangeRow = readonly (Cell | undefined)[]

/**
 * `table` is an index into the list that the stream was opened with. `frame`: the same row as bytes, if the source sent
 * bytes; `row` and `key` are then decoded on demand. The frame of a DELETE has the row key only.
 */
export type RowChange =
  | { readonly type: 'insert'; readonly table: number; readonly row: ChangeRow; readonly frame?: RowFrame }
  /** `key`: row key before the change, if it changed; otherwise null. */
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
   * @property xid transaction id, unsigned 32 bits; 0 if the changes come from a snapshot instead of a transaction
   * @property commit position where its commit record begins
   * @property at ms since the epoch, by the clock of the source
   */
  | { readonly type: 'begin'; readonly xid: number; readonly commit: LogPosition; readonly at: number }
  | RowChange
  /** All rows of these tables were removed. */
  | { readonly type: 'truncate'; readonly tables: readonly number[] }
  /**
   * The next rows belong to a partition that the stream has not recorded yet. The source is checked before they are
   * applied, because the stream does not report that a partition was removed.
   * @property id names the partition in the source, also after a rename
   */
  | { readonly type: 'partition'; readonly table: number; readonly id: string; readonly name: string }
  /** The columns of a table changed since the stream was opened. Its changes cannot be applied from here on. */
  | { readonly type: 'reshaped'; readonly table: number; readonly reason: string }
  /**
   * @property end position where the next log record may begin; the applied position after this transaction
   * @property isCounted false if another apply worker counts the transaction
   */
  | { readonly type: 'commit'; readonly end: LogPosition; readonly isCounted?: false }
  /** The source has sent everything before this position. Never within a transaction. */
  | { readonly type: 'idle'; readonly position: LogPosition }

/** Net result of one or more transactions for one table: each row key once. */
export type ChangeBatch = {
  readonly puts: readonly Put[]
  /** Keys of removed rows. */
  readonly gone: readonly Row[]
  /** Further changed or removed rows, as bytes. A writer that cannot use bytes calls `unpackBatch` first. */
  readonly packed?: PackedRows
}

/** A batch without packed rows. */
export type CellBatch = ChangeBatch & { readonly packed?: undefined }

/** A row that the table has after the batch: inserted or updated. */
export type Put = {
  readonly row: ChangeRow
  /** Its row key. */
  readonly key: Row
  /** Row key in the target before this batch; `undefined` values are those of that row. Null if the row is complete. */
  readonly base: Row | null
  /** True if the target probably has no row with this key yet: a hint to select the faster way, not a guarantee. */
  readonly isNew?: boolean
}
