/** What a target offers: tables, and chunks that it writes with their ledger row in one transaction. */
import type { RemoveRequest, StepEnd } from '../archive/port.ts'
import type { TableName, TableSpec } from './column-type.ts'
import type { Range } from './range.ts'
import type { Digest, FrameFormat, Row, WriteTimes } from './rows.ts'
import type { ColumnSequence } from './sequence.ts'
import type { WriteColumn } from './write-column.ts'
import type { BatchStep, Closing } from '../run/ledger-port.ts'
import type { Turn } from '../run/turn.ts'

/** A chunk in terms of its target: columns and keys have the target's names. */
export type ChunkRequest = {
  readonly table: TableSpec
  readonly columns: readonly WriteColumn[]
  readonly range: Range
  /** False if the target sorts keys differently, so that bounds of a range mean nothing in the target. */
  readonly sortsAlike?: boolean
  readonly onExisting: 'refuse' | 'upsert' | 'replace-range' | 'append'
  /** True if a failed call of `write` does not end the chunk, so that further calls may follow. This is slower. */
  readonly careful: boolean
  /** Set to bypass triggers and foreign keys, if the role may. A replicated table's source has fired its triggers. */
  readonly pastTriggers?: boolean
  /** Set if a stream copies the table: then a table that a cutover has closed accepts the rows. */
  readonly isOfStream?: boolean
  /** Progress of an earlier attempt that committed in batches; null for a new chunk. */
  readonly cursor?: string | null
  /**
   * Write times of rows that `replace-range` removes, as they were read, by index of `range.keys`. In systems with
   * write times, a row that was written later stays.
   */
  readonly removed?: readonly (WriteTimes | undefined)[]
  readonly signal: AbortSignal
}

export type DigestRequest = {
  readonly scheme: 'echo' | 'canonical' | 'count'
  /** Limits the digest to rows with these `keyText`s, if the range may contain other rows. */
  readonly only?: ReadonlySet<string>
  readonly frames?: FrameFormat
  /**
   * Columns of the digest, instead of the chunk's columns. The digest may then include rows that this chunk did not
   * write. Only with the scheme `canonical`.
   */
  readonly columns?: readonly WriteColumn[]
}

export interface CopyTarget {
  /** Creates a table with its key. @throws SluiceError TARGET_DENIED … */
  create(table: TableSpec, signal: AbortSignal): Promise<void>
  /** Options that the system refused when this target created the table, with reasons; the table lacks them. */
  refusedSettings?(table: TableName): readonly string[]
  /** Removes every row of a table that a copy created and must restart. */
  clear(table: TableSpec, signal: AbortSignal): Promise<void>
  /**
   * Finishes a loaded table: sequence positions, statistics. Idempotent.
   * @param sequences of the source, by target column: sequences of the target advance at least to their positions, and
   * are never set to an earlier one. Other numbered columns continue after their largest value
   * @returns properties of the source's sequences that the target cannot have, as text
   */
  finish(table: TableSpec, signal: AbortSignal, sequences?: readonly ColumnSequence[]): Promise<readonly string[]>
  /** Begins the transaction of a chunk, if the system has transactions. */
  open(request: ChunkRequest): Promise<ChunkWriter>
  /**
   * Removes rows if they match the expected digest. Rows and ledger change in one transaction if possible. Otherwise a
   * row that was written after its read stays, and the result may be `differs` although other rows were removed.
   * Repeating the request continues after a crash.
   */
  remove?(request: RemoveRequest): Promise<StepEnd>
}

/** The transaction of a chunk. Disposed without `commit`, it rolls back; if `atomic` is 'batch', batches stay. */
export interface ChunkWriter extends AsyncDisposable {
  /** Id of the session for `LedgerDatabase.endSession`; empty if there is no session to end. */
  readonly session: string
  /** Write turn of the transaction, for stores with one writer: ledger batches wait until it ends. See `withWriter`. */
  readonly turn?: Turn
  /**
   * False if `digest` covers only the rows given to `write`, because range bounds mean nothing in the target. True if
   * it covers the range.
   */
  readonly seesRange: boolean
  /** True if the target already held rows in the range before this chunk. */
  hasRows(): Promise<boolean>
  /**
   * Writes all of these rows or none. A taken key is refused like any other constraint violation; `upsert` overwrites
   * the row, `append` keeps the old one.
   * @param stamps one per row, from a source that has them
   * @returns rows written: fewer than given if `append` found keys taken
   * @throws SluiceError ROW_REFUSED if a row is not accepted (constraint, type, size); this ends the transaction unless
   * it is `careful`
   */
  write(rows: readonly Row[], step?: BatchStep, stamps?: readonly WriteTimes[]): Promise<number>
  /** Writes rows that `SourceView.frames` returned. @returns rows written */
  writeFrames?(frames: AsyncIterable<Buffer>, format: FrameFormat): Promise<bigint>
  /** Digest of the range now, read within the transaction. */
  digest(request: DigestRequest): Promise<Digest>
  /**
   * Rows of the range as the last commits and this transaction left them, with values as `RowRequest.asStored` returns
   * them. No other transaction can change the rows until this one ends. If this is the first call, the rows that
   * `replace-range` will remove are returned too. Only if `atomic` is 'chunk'.
   */
  stored?(columns: readonly WriteColumn[]): Promise<readonly Row[]>
  /**
   * Runs the closing statements in the transaction and commits. If the reply to COMMIT is lost, finds out whether it
   * committed.
   * @returns `fenced` if another worker has the chunk now; nothing is written then
   * @throws SluiceError COMMIT_UNKNOWN if the result cannot be determined
   */
  commit(closing: Closing): Promise<'committed' | 'fenced'>
}

export interface TableOptions {
  /** Splits options of a table of the same system: `kept`: this system accepts them; `left`: other non-default ones. */
  fitted(settings: Readonly<Record<string, string>>): {
    readonly kept: Readonly<Record<string, string>>
    readonly left: readonly string[]
  }
}
