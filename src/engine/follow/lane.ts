/**
 * Applies a stream to the target, in commit order: several transactions of the source become one of the target, which moves the position with its rows. A
 * transaction of the source is never cut: readers of the target see all of it or nothing. While one batch is written the next one is folded.
 */
import type { Change, LogPosition, RowChange } from '../../model/copy/change.ts'
import { keyText } from '../../model/copy/key-text.ts'
import { keyPart } from '../../model/copy/row-key.ts'
import type { Row } from '../../model/copy/rows.ts'
import type { Clock } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../stores/copy-port.ts'
import type { ChangeWriter } from '../../stores/follow-port.ts'
import { BatchRows } from './batch-rows.ts'
import { Fold } from './fold.ts'
import { identityPlaces, type FollowTable } from './followed-table.ts'
import { positionClosing, type HeldLane } from './ledger/position.ts'
import type { ChangeCounts, LaneRow } from './ledger/stream-row.ts'
import type { Positions, StreamLedger } from './ledger/streams.ts'
import type { TableStates } from './table-states.ts'
import type { TouchedRows } from './touched-rows.ts'
import { TakenTransactions, type Snapshot } from './visible.ts'

/** Changed rows that are held in memory: a larger transaction reaches the target in pieces, and is committed at its end. */
const PIECE_ROWS = 20_000
/** Changes of an open transaction that are kept apart from complete ones before it: with more of them the complete ones are written first, and need not wait for its end. */
const APART = 2_000
/** How long a transaction waits for others to share a commit with. */
const LINGER_MS = 20
/** How soon to ask again while a batch is written. */
const WRITING_MS = 5

const COUNTED = { insert: 'inserts', update: 'updates', delete: 'deletes' } as const

export type LaneParts = {
  /** Told what is durable in the target. */
  readonly confirm: (position: LogPosition) => void
  readonly writer: ChangeWriter
  readonly database: LedgerDatabase
  readonly ledger: StreamLedger
  readonly held: HeldLane
  readonly row: LaneRow
  readonly tables: readonly FollowTable[]
  readonly states: Pick<TableStates, 'isApplied' | 'isExact' | 'isLive' | 'part'>
  readonly positions: Positions
  readonly clock: Clock
  /** Who is told which rows change; nobody when absent. */
  readonly touched?: TouchedRows
}

/** What the target writes now. */
type Writing = {
  /** Transactions that are durable once it is written; none for a part of one. */
  readonly transactions: number
  readonly oldestMs: number | null
  readonly ended: Promise<void>
}

export class Lane {
  readonly #parts: LaneParts
  readonly #folds: readonly Fold[]
  #row: LaneRow
  #applied: LogPosition
  #counts: Record<string, ChangeCounts>
  /** The transaction whose changes arrive now. */
  #open: Extract<Change, { type: 'begin' }> | null = null
  /** Transactions that are complete, and that nobody writes yet. */
  #waiting = 0
  /** The first changes of the open transaction, as long as complete ones wait. */
  #apart: RowChange[] = []
  #writing: Writing | null = null
  /** What made writing impossible. */
  #failure: unknown = null
  #end: LogPosition
  #oldestMs: number | null = null
  #commitMs: number | null
  #since = 0
  #rows = 0
  #folded = 0
  /** Statements of the ledger that belong to the transaction which is written next. */
  #also: Statement[] = []
  readonly #batch = new BatchRows()
  readonly #taken = new TakenTransactions()

  constructor(parts: LaneParts) {
    const { row, positions, tables } = parts
    this.#parts = parts
    this.#row = row
    this.#applied = positions.position(row.position)
    this.#end = this.#applied
    this.#commitMs = row.commitMs
    this.#counts = structuredClone(row.counts)
    this.#folds = tables.map((table) => new Fold(identityPlaces(table)))
  }

  /** Durable in the target; exclusive, see `LogPosition`. */
  get applied(): LogPosition {
    return this.#applied
  }

  /** Behind everything that was taken; exclusive as well. */
  get taken(): LogPosition {
    return this.#end
  }

  /** The lane's row as it was written last. */
  get row(): LaneRow {
    return this.#row
  }

  /** Whether everything that was taken is durable in the target. */
  get isSettled(): boolean {
    return this.hasNothing && this.#writing === null && this.#end === this.#applied
  }

  /** Whether no change waits: at most the position of an idle source is not written down yet. */
  get hasNothing(): boolean {
    return this.#open === null && !this.hasTransactions
  }

  /** Whether no transaction of the source is half taken. */
  get isBoundary(): boolean {
    return this.#open === null
  }

  /** Whether complete transactions wait for their commit; false where nothing but the position of an idle source would be written. */
  get hasTransactions(): boolean {
    return this.#waiting > 0 || (this.#writing?.transactions ?? 0) > 0
  }

  /** Whether a snapshot that was taken since the last change shows all that was taken: else it is older than what the target holds, or is about to. */
  isShownBy(snapshot: Snapshot): boolean {
    return this.#taken.areVisible(snapshot)
  }

  /** When the oldest transaction was committed that is taken and not durable, ms since the epoch by the clock of the source; null where none is. */
  get oldestMs(): number | null {
    const written = this.#writing?.oldestMs ?? null
    return written ?? (this.#waiting > 0 ? this.#oldestMs : (this.#open?.at ?? null))
  }

  /** Ms until complete transactions should be committed, if nothing else comes; null where none wait, or one behind them has no end yet. */
  get dueMs(): number | null {
    if (this.#writing !== null) return WRITING_MS
    if (this.#waiting === 0 || this.#open !== null) return null
    return Math.max(0, this.#since + LINGER_MS - this.#parts.clock.ticks())
  }

  /**
   * @throws SluiceError STREAM_HALTED where a table is no longer what was planned, LEASE_LOST where another program has the lane, and what the writer throws;
   *   the lane cannot be used any more then
   */
  async take(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      switch (change.type) {
        case 'begin':
          this.#open = change
          // Of a stream without numbers nothing is told before it is visible.
          if (change.xid !== 0) this.#taken.add(change.xid)
          break
        case 'insert':
        case 'update':
        case 'delete':
          if (this.#waiting > 0) {
            this.#apart.push(change)
            if (this.#apart.length < APART) break
            await this.written()
            this.#write(this.#closed(), this.#waiting, this.#oldestMs)
            this.#join()
            break
          }
          this.#add(change)
          if (this.#folded >= PIECE_ROWS) {
            await this.written()
            this.#write(this.#flush())
          }
          break
        case 'truncate':
          this.#join()
          await this.written()
          await this.#flush()()
          await this.#truncate(change.tables)
          break
        case 'reshaped':
          throw this.#reshaped(change)
        case 'commit':
          this.#join()
          this.#close(change.end)
          // While a batch is written the next one grows, but not without an end.
          if (this.#rows >= this.#batch.most) await this.written()
          if (this.#rows >= this.#batch.most || this.dueMs === 0)
            this.#write(this.#closed(), this.#waiting, this.#oldestMs)
          break
        case 'idle':
          // Behind the transactions that wait: their commit covers it.
          if (change.position > this.#end) this.#end = change.position
      }
    }
  }

  /** Makes durable what is complete, and the position of an idle source. Nothing happens within a transaction, or where nothing has moved. */
  async commit(): Promise<void> {
    await this.written()
    if (this.#open !== null || this.isSettled) return
    this.#write(this.#closed(), this.#waiting, this.#oldestMs)
    await this.written()
  }

  /**
   * Rows beside the stream, in a transaction of their own: rows that were read again.
   * @param also statements of the same transaction
   */
  async amend(table: number, puts: readonly Row[], gone: readonly Row[], also: readonly Statement[]): Promise<void> {
    if (!this.isSettled) throw new Error('rows beside the stream are written between two of its transactions only')
    const places = this.#identity(table)
    for (const row of puts)
      this.#touch(
        table,
        places.map((at) => row[at] ?? null),
      )
    for (const key of gone) this.#touch(table, key)
    const keyed = puts.map((row) => ({ row, key: places.map((at) => row[at] ?? null), base: null }))
    await this.#parts.writer.apply(table, { puts: keyed, gone })
    await this.#closed(also)()
  }

  /**
   * Changes the ledger beside the stream: at once, or with the rows that wait. While a transaction is half written, a target with one writer lets nobody else in.
   * @returns whether it is durable
   */
  async note(statements: readonly Statement[]): Promise<boolean> {
    await this.written()
    if (this.isSettled) await this.#parts.database.batch(statements)
    else this.#also.push(...statements)
    return this.isSettled
  }

  /** Waits for what the target writes now; nothing is begun. @throws what it failed with */
  async written(): Promise<void> {
    await this.#writing?.ended
    if (this.#failure !== null) throw this.#failure
  }

  /** Nothing of what was taken and not committed is written; the lane cannot be used any more. */
  async giveUp(): Promise<void> {
    await this.#writing?.ended
    await this.#parts.writer.rollBack().catch(() => undefined)
  }

  #identity(table: number): readonly number[] {
    return identityPlaces(this.#table(table))
  }

  #table(at: number): FollowTable {
    const table = this.#parts.tables[at]
    if (table === undefined) throw new Error(`the stream tells of table ${at}, which nobody follows`)
    return table
  }

  /** What was kept apart goes with the others. */
  #join(): void {
    for (const change of this.#apart) this.#add(change)
    this.#apart = []
  }

  #add(change: RowChange): void {
    const open = this.#open
    if (open === null) throw new SluiceError('BAD_STREAM', 'a change came outside of a transaction')
    const { states } = this.#parts
    const fold = this.#folds[change.table]
    if (fold === undefined || !states.isApplied(change.table))
      throw new Error(`table ${change.table} is not applied to yet`)
    // Of nothing but moved and new rows it matters what the target holds.
    const isMoved = change.type === 'update' && change.key !== null
    const isHeld = isMoved && states.isExact(change.table, open.commit, keyText(change.key))
    const { touched } = this.#parts
    if (touched !== undefined) {
      if (change.type === 'delete') this.#touch(change.table, change.key)
      else {
        this.#touch(
          change.table,
          change.frame?.identity ?? this.#identity(change.table).map((at) => change.row[at] ?? null),
        )
        if (change.type === 'update' && change.key !== null) this.#touch(change.table, change.key)
      }
    }
    const where = change.type === 'delete' ? 'copied' : (states.part(change.table)?.of(change.row) ?? 'copied')
    if (where === 'copied' || change.type === 'delete')
      fold.add(change, isHeld || (change.type === 'insert' && states.isLive(change.table)))
    else this.#leave(fold, change, where)
    this.#countsOf(change.table)[COUNTED[change.type]]++
    this.#rows++
    this.#folded++
  }

  /** A row of which only its going away is applied: its chunk is still to be copied, or the source has to be asked. */
  #leave(fold: Fold, change: Exclude<RowChange, { type: 'delete' }>, where: 'open' | 'unsure'): void {
    const key = fold.leave(change)
    if (where === 'open') return
    const { held, ledger } = this.#parts
    this.#also.push(...ledger.rereadStatements(held.stream, this.#table(change.table).key, [key.map(keyPart)], 'bound'))
  }

  #touch(table: number, key: Row): void {
    this.#parts.touched?.note(table, key.map(keyPart))
  }

  #countsOf(table: number): ChangeCounts {
    const { name } = this.#table(table)
    return (this.#counts[name] ??= { inserts: 0, updates: 0, deletes: 0, truncates: 0 })
  }

  #close(end: LogPosition): void {
    if (this.#waiting === 0) {
      this.#since = this.#parts.clock.ticks()
      this.#oldestMs = this.#open?.at ?? null
    }
    this.#waiting++
    this.#end = end
    this.#commitMs = this.#open?.at ?? this.#commitMs
    this.#open = null
  }

  /** Hands a batch to the target, and waits for nothing. @param transactions that are durable behind it @param oldestMs when the first of them was committed */
  #write(body: () => Promise<void>, transactions = 0, oldestMs: number | null = null): void {
    const from = this.#parts.clock.ticks()
    const ended = body()
      .then(() => {
        if (transactions > 0) this.#batch.took(this.#parts.clock.ticks() - from)
      })
      .catch((error: unknown) => {
        this.#failure = error
      })
      .then(() => {
        this.#writing = null
      })
    this.#writing = { transactions, oldestMs, ended }
  }

  /** @returns what brings everything that was folded by now to the target, into its open transaction */
  #flush(): () => Promise<void> {
    this.#folded = 0
    const batches = [...this.#folds.entries()].flatMap(([at, fold]) => (fold.size === 0 ? [] : { at, ...fold.take() }))
    return async () => {
      for (const { at, batch, lacking } of batches) {
        const applied = await this.#parts.writer.apply(at, batch)
        const keys = [...lacking, ...applied.lacking].map((key) => key.map(keyPart))
        if (keys.length === 0) continue
        const { held, ledger } = this.#parts
        this.#also.push(...ledger.rereadStatements(held.stream, this.#table(at).key, keys, 'unchanged'))
      }
    }
  }

  async #truncate(tables: readonly number[]): Promise<void> {
    this.#parts.touched?.noteAll()
    await this.#parts.writer.truncate(tables)
    for (const table of tables) this.#countsOf(table).truncates++
  }

  /** @returns what makes everything durable that is complete by now @param also statements of the same transaction */
  #closed(also: readonly Statement[] = []): () => Promise<void> {
    const flush = this.#flush()
    const [end, transactions] = [this.#end, this.#waiting]
    const moved = { commitMs: this.#commitMs, counts: structuredClone(this.#counts) }
    this.#waiting = 0
    this.#rows = 0
    return async () => {
      await flush()
      const { database, held, positions, writer, confirm } = this.#parts
      const after = {
        ...moved,
        position: positions.text(end),
        transactions: this.#row.transactions + transactions,
      }
      const closing = positionClosing(database, held, this.#row, after, [...this.#also.splice(0), ...also])
      if ((await writer.commit(closing)) === 'fenced') {
        throw new SluiceError('LEASE_LOST', 'another program follows this stream now', {
          hint: 'nothing of this batch was written; end one of both programs',
        })
      }
      this.#row = { ...this.#row, ...after, batches: this.#row.batches + 1 }
      this.#applied = end
      confirm(end)
    }
  }

  #reshaped({ table, reason }: Extract<Change, { type: 'reshaped' }>): SluiceError {
    return new SluiceError('STREAM_HALTED', `the columns of ${this.#table(table).name} changed: ${reason}`, {
      where: this.#table(table).name,
    })
  }
}
