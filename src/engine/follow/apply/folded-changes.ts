/** Changes of an apply worker that the target does not have yet: the last state of each row, counts and sizes. */
import type { Change, ChangeBatch, RowChange } from '../../../model/copy/change.ts'
import { keyText } from '../../../model/copy/key-text.ts'
import { keyPart } from '../../../model/copy/row-key.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { ChangeCounts } from '../../copy/ledger/stream-row.ts'
import { rowKeyPositions, type FollowTable } from '../stream/followed-table.ts'
import { changeBytes, MOST_BYTES } from '../../../model/copy/change-bytes.ts'
import { Fold } from './fold.ts'
import { ApplyWorkerCounts } from './apply-worker-counts.ts'
import type { ApplyWorkerParts } from './apply-worker-parts.ts'
import type { TableBatch } from './refused-rows.ts'

/** Maximum changed rows in memory: a larger transaction is sent to the target in pieces, and committed at its end. */
const PIECE_ROWS = 20_000

export class FoldedChanges {
  readonly #parts: ApplyWorkerParts
  readonly #folds: readonly Fold[]
  readonly #counts: ApplyWorkerCounts
  #rows = 0
  /** Number of rows, and of bytes, that are not yet passed to the target. */
  #folded = 0
  #bytes = 0
  /** Ledger statements for the next transaction. */
  readonly #also: Statement[] = []

  constructor(parts: ApplyWorkerParts) {
    this.#parts = parts
    this.#counts = new ApplyWorkerCounts(parts.tables, parts.row.counts)
    this.#folds = parts.tables.map((table) => new Fold(rowKeyPositions(table)))
  }

  /** Rows since the last `closed`. */
  get rows(): number {
    return this.#rows
  }

  /** True if more changes would take too much memory. */
  get isPiece(): boolean {
    return this.#folded >= PIECE_ROWS || this.isLarge
  }

  /** True if the bytes alone are enough for a transaction of the target. */
  get isLarge(): boolean {
    return this.#bytes >= MOST_BYTES
  }

  table(at: number): FollowTable {
    const table = this.#parts.tables[at]
    if (table === undefined) throw new Error(`the stream reports table ${at}, which is not followed`)
    return table
  }

  /** Returns rows from outside of the stream as a batch, and notes their keys for a comparison. */
  keyed(table: number, puts: readonly Row[], gone: readonly Row[]): ChangeBatch {
    const places = this.#identity(table)
    const keyed = puts.map((row) => ({ row, key: places.map((at) => row[at] ?? null), base: null }))
    for (const key of [...keyed.map((put) => put.key), ...gone]) this.#touch(table, key)
    return { puts: keyed, gone }
  }

  /** @param open the transaction of the change */
  add(change: RowChange, open: Extract<Change, { type: 'begin' }>): void {
    const { states } = this.#parts
    const fold = this.#folds[change.table]
    if (fold === undefined || !states.isApplied(change.table))
      throw new Error(`changes of table ${change.table} are not applied yet`)
    // The target's stored row matters only for new rows and changed row keys.
    const isMoved = change.type === 'update' && change.key !== null
    const isHeld = isMoved && states.isExact(change.table, open.commit, keyText(change.key))
    const { touched } = this.#parts
    if (touched !== undefined) {
      if (change.type === 'delete') this.#touch(change.table, change.key)
      else {
        this.#touch(
          change.table,
          change.frame?.layout.identity(change.frame.data, change.frame.at) ??
            this.#identity(change.table).map((at) => change.row[at] ?? null),
        )
        if (change.type === 'update' && change.key !== null) this.#touch(change.table, change.key)
      }
    }
    const where = change.type === 'delete' ? 'copied' : (states.part(change.table)?.of(change.row) ?? 'copied')
    if (where === 'copied' || change.type === 'delete')
      fold.add(change, isHeld || (change.type === 'insert' && states.isLive(change.table)))
    else {
      // Only delete the row: its chunk is not copied yet, or the row must be read from the source.
      const key = fold.deleteUncopied(change)
      if (where === 'unsure') this.reread(change.table, [key], 'bound')
    }
    this.#counts.add(change.table, change.type)
    this.#rows++
    this.#folded++
    this.#bytes += changeBytes(change)
  }

  /** Notes the key of a changed row for a comparison. */
  #touch(table: number, key: Row): void {
    this.#parts.touched?.note(table, key.map(keyPart))
  }

  #identity(table: number): readonly number[] {
    return rowKeyPositions(this.table(table))
  }

  truncated(table: number): void {
    this.#counts.add(table, 'truncate')
  }

  /** Adds ledger statements to the next transaction. */
  note(statements: readonly Statement[]): void {
    this.#also.push(...statements)
  }

  /** Notes that rows of these keys must be read again at the source. */
  reread(table: number, keys: readonly Row[], reason: 'unchanged' | 'refused' | 'bound'): void {
    if (keys.length === 0) return
    const { held, ledger } = this.#parts
    const named = keys.map((key) => key.map(keyPart))
    this.#also.push(...ledger.rereads.statements(held.stream, this.table(table).key, named, reason))
  }

  /** Returns and removes everything folded so far, by table. */
  takeBatches(): readonly TableBatch[] {
    this.#folded = 0
    this.#bytes = 0
    return [...this.#folds.entries()].flatMap(([at, fold]) => (fold.size === 0 ? [] : { at, ...fold.take() }))
  }

  /** Returns and removes the noted statements. */
  takeStatements(): readonly Statement[] {
    return this.#also.splice(0)
  }

  /** Ends the batch: `rows` counts from 0 again. @returns all change counts, by name of the source's table */
  closed(): Record<string, ChangeCounts> {
    this.#rows = 0
    return this.#counts.sums()
  }
}
