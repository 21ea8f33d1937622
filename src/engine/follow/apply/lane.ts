/**
 * Applies a stream to the target, in commit order: several transactions of the source become one of the target, which moves the position with its rows. A
 * transaction of the source is never cut: readers of the target see all of it or nothing. While one batch is written the next one is folded.
 */
import type { Change, LogPosition, RowChange } from '../../../model/copy/change.ts'
import { keyText } from '../../../model/copy/key-text.ts'
import { keyPart } from '../../../model/copy/row-key.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { Statement } from '../../../model/copy/port.ts'
import { bytesOf, MOST_BYTES } from './change-bytes.ts'
import { Fold } from './fold.ts'
import { HeldRows } from './held-rows.ts'
import { identityPlaces, type FollowTable } from '../stream/followed-table.ts'
import { positionClosing } from '../ledger/position.ts'
import type { LaneRow } from '../../copy/ledger/stream-row.ts'
import { LaneCounts } from './lane-counts.ts'
import type { LaneParts } from './lane-parts.ts'
import { applyBatches, refusedNow } from './set-aside.ts'
import { TakenTransactions, type Snapshot } from '../compare/visible.ts'
import { Apart, BatchRows } from './waiting-changes.ts'

/** Changed rows that are held in memory: a larger transaction reaches the target in pieces, and is committed at its end. */
const PIECE_ROWS = 20_000
/** How soon to ask again while a batch is written. */
const WRITING_MS = 10
/** What waits for others to share a commit with is committed where nothing comes for so long: longer than the source rests between two readings. */
const QUIET_MS = 10

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
  readonly #counts: LaneCounts
  readonly #held: HeldRows
  /** The transaction whose changes arrive now. */
  #open: Extract<Change, { type: 'begin' }> | null = null
  /** It has changed nothing here so far; also where none is open. */
  #isEmpty = true
  /** The open transaction of the target has something in it. */
  #isBegun = false
  /** Transactions that are complete, and that nobody writes yet. */
  #waiting = 0
  /** Those of them that no other lane counts. */
  #counted = 0
  readonly #apart = new Apart()
  readonly #addEach = (change: RowChange): void => this.#add(change)
  #writing: Writing | null = null
  /** What made writing impossible. */
  #failure: unknown = null
  #end: LogPosition
  #oldestMs: number | null = null
  /** The transaction that was complete last; null where none was since this run began. */
  #last: Extract<Change, { type: 'begin' }> | null = null
  #since = 0
  /** By the run's clock, when the changes came that are looked at. */
  #now = 0
  #rows = 0
  /** Rows and bytes that were not handed to the target yet. */
  #folded = 0
  #bytes = 0
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
    this.#counts = new LaneCounts(tables, row.counts)
    this.#held = new HeldRows(
      tables.map(({ name }) => name),
      row.counts,
      parts.known,
    )
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

  /** Whether there are tables of which nobody knows whether they hold rows. */
  get hasUnsure(): boolean {
    return this.#held.unsure.length > 0
  }

  /** Those tables, where a look at the target tells it because all that was written is durable; none otherwise. */
  get unsure(): readonly number[] {
    return this.#writing !== null || this.#isBegun ? [] : this.#held.unsure
  }

  /** What a look at a table of `unsure` has found, before anything else was written. */
  found(table: number, hasRows: boolean): void {
    this.#held.found(table, hasRows)
  }

  /** Makes durable what looks have found, where no batch is about to. */
  async noteFound(): Promise<void> {
    if (this.#held.isFresh && this.isSettled) await this.#closed()()
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
    return Math.min(QUIET_MS, Math.max(0, this.#dueIn(this.#parts.clock.ticks())))
  }

  /**
   * @throws SluiceError STREAM_HALTED where a table is no longer what was planned, LEASE_LOST where another program has the lane, and what the writer throws;
   *   the lane cannot be used any more then
   */
  async take(changes: readonly Change[]): Promise<void> {
    this.#now = this.#parts.clock.ticks()
    // Most changes are done with at once, and there are hundreds of thousands of them a second.
    for (let at = 0; at < changes.length; at++) {
      const waits = this.#see(changes[at] as Change)
      if (waits === null) continue
      await waits
      this.#now = this.#parts.clock.ticks()
    }
  }

  /** @returns null where nothing has to be waited for */
  #see(change: Change): Promise<void> | null {
    switch (change.type) {
      case 'begin':
        this.#open = change
        return null
      case 'insert':
      case 'update':
      case 'delete':
        this.#joined()
        if (this.#waiting === 0) {
          this.#add(change)
          return this.#folded >= PIECE_ROWS || this.#bytes >= MOST_BYTES ? this.#piece() : null
        }
        return this.#apart.add(change) ? this.#complete() : null
      case 'truncate':
        this.#joined()
        return this.#emptied(change.tables)
      case 'reshaped':
        throw this.#reshaped(change)
      case 'commit':
        return this.#ended(change.end, change.isCounted !== false)
      case 'idle':
        // Behind the transactions that wait: their commit covers it.
        if (change.position > this.#end) this.#end = change.position
        return null
    }
  }

  /** The open transaction changes something here. */
  #joined(): void {
    if (!this.#isEmpty || this.#open === null) return
    this.#isEmpty = false
    // Of a stream without numbers nothing is told before it is visible.
    if (this.#open.xid !== 0) this.#taken.add(this.#open.xid)
  }

  #ended(end: LogPosition, isCounted: boolean): Promise<void> | null {
    if (this.#isEmpty) {
      // A position that no row has moved is not worth a transaction of its own at once.
      this.#open = null
      if (end > this.#end) this.#end = end
      return null
    }
    this.#join()
    if (isCounted) this.#counted++
    this.#close(end)
    if (this.#isBatch) return this.#full()
    if (this.#writing === null && this.#dueIn(this.#now) <= 0) this.#writeComplete()
    return null
  }

  /** While a batch is written the next one grows, but not without an end. */
  async #full(): Promise<void> {
    await this.written()
    const isDue = this.#dueIn(this.#parts.clock.ticks()) <= 0
    if (isDue || this.#isBatch) this.#writeComplete()
  }

  /** A part of a large transaction goes to the target. */
  async #piece(): Promise<void> {
    await this.written()
    this.#write(this.#flush())
  }

  /** Complete transactions are written before an open one that grows behind them. */
  async #complete(): Promise<void> {
    await this.written()
    this.#writeComplete()
    this.#join()
  }

  async #emptied(tables: readonly number[]): Promise<void> {
    this.#join()
    await this.written()
    await this.#flush()()
    await this.#truncate(tables)
  }

  /** Makes durable what is complete, and the position of an idle source. Nothing happens within a transaction, or where nothing has moved. */
  async commit(): Promise<void> {
    await this.written()
    if (this.#open !== null || this.isSettled) return
    this.#writeComplete()
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
    this.#isBegun = true
    try {
      const batch = { puts: keyed, gone }
      const { lacking } = await this.#parts.writer.apply(table, batch)
      this.#held.applied(table, batch, lacking.length)
    } catch (error) {
      throw refusedNow(error)
    }
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

  /** Whether what waits is enough for a transaction of the target. */
  get #isBatch(): boolean {
    return this.#rows >= this.#batch.most || this.#bytes >= MOST_BYTES
  }

  /** Ms from `now` until complete transactions should be committed. */
  #dueIn(now: number): number {
    const withinMs = now - this.#since
    return this.#batch.lingerMs(this.#rows, this.#waiting, withinMs) - withinMs
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
    this.#apart.drain(this.#addEach)
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
          change.frame?.layout.identity(change.frame.data, change.frame.at) ??
            this.#identity(change.table).map((at) => change.row[at] ?? null),
        )
        if (change.type === 'update' && change.key !== null) this.#touch(change.table, change.key)
      }
    }
    const where = change.type === 'delete' ? 'copied' : (states.part(change.table)?.of(change.row) ?? 'copied')
    if (where === 'copied' || change.type === 'delete')
      fold.add(change, isHeld || (change.type === 'insert' && states.isLive(change.table)))
    else this.#leave(fold, change, where)
    this.#counts.add(change.table, change.type)
    this.#rows++
    this.#folded++
    this.#bytes += bytesOf(change)
  }

  /** A row of which only its going away is applied: its chunk is still to be copied, or the source has to be asked. */
  #leave(fold: Fold, change: Exclude<RowChange, { type: 'delete' }>, where: 'open' | 'unsure'): void {
    const key = fold.leave(change)
    if (where === 'open') return
    const { held, ledger } = this.#parts
    this.#also.push(
      ...ledger.rereads.statements(held.stream, this.#table(change.table).key, [key.map(keyPart)], 'bound'),
    )
  }

  #touch(table: number, key: Row): void {
    this.#parts.touched?.note(table, key.map(keyPart))
  }

  #close(end: LogPosition): void {
    if (this.#waiting === 0) {
      this.#since = this.#now
      this.#oldestMs = this.#open?.at ?? null
    }
    this.#waiting++
    this.#end = end
    this.#last = this.#open ?? this.#last
    this.#open = null
    this.#isEmpty = true
  }

  /** Hands everything that is complete to the target, and waits for nothing. */
  #writeComplete(): void {
    // `#closed` counts from zero again.
    const [transactions, oldestMs] = [this.#waiting, this.#oldestMs]
    this.#write(this.#closed(), transactions, oldestMs)
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
    this.#bytes = 0
    const batches = [...this.#folds.entries()].flatMap(([at, fold]) => (fold.size === 0 ? [] : { at, ...fold.take() }))
    return async () => {
      const { held, ledger, writer } = this.#parts
      const isAlone = !this.#isBegun
      this.#isBegun ||= batches.length > 0
      const name = (at: number): string => this.#table(at).name
      for (const { at, batch, unwritten, lacking, refused } of await applyBatches(batches, { writer, name, isAlone })) {
        this.#held.applied(at, batch, unwritten)
        for (const [keys, reason] of [
          [lacking, 'unchanged'],
          [refused, 'refused'],
        ] as const) {
          if (keys.length === 0) continue
          const named = keys.map((key) => key.map(keyPart))
          this.#also.push(...ledger.rereads.statements(held.stream, this.#table(at).key, named, reason))
        }
      }
    }
  }

  async #truncate(tables: readonly number[]): Promise<void> {
    this.#parts.touched?.noteAll()
    this.#isBegun = true
    await this.#parts.writer.truncate(tables)
    this.#held.emptied(tables)
    for (const table of tables) this.#counts.add(table, 'truncate')
  }

  /** @returns what makes everything durable that is complete by now @param also statements of the same transaction */
  #closed(also: readonly Statement[] = []): () => Promise<void> {
    const flush = this.#flush()
    const [end, transactions] = [this.#end, this.#counted]
    const moved = { commitMs: this.#last?.at ?? this.#row.commitMs, counts: this.#counts.sums() }
    this.#waiting = 0
    this.#counted = 0
    this.#rows = 0
    return async () => {
      await flush()
      const { database, held, positions, writer, confirm } = this.#parts
      const after = {
        ...moved,
        counts: this.#held.noted(moved.counts),
        position: positions.text(end),
        transactions: this.#row.transactions + transactions,
      }
      const closing = positionClosing(database, held, this.#row, after, [...this.#also.splice(0), ...also])
      if ((await writer.commit(closing)) === 'fenced') {
        throw new SluiceError('LEASE_LOST', 'another program follows this stream now', {
          hint: 'nothing of this batch was written; end one of both programs',
        })
      }
      this.#isBegun = false
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
