/**
 * Apply worker: applies changes to the target in commit order. Several transactions of the source become one
 * transaction of the target, which also advances the position. A transaction of the source is never split: readers of
 * the target see all of it or nothing. While one batch is written the next one is folded.
 */
import type { Change, LogPosition, RowChange } from '../../../model/copy/change.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import { FoldedChanges } from './folded-changes.ts'
import { RowBounds } from './row-bounds.ts'
import { positionClosing } from '../ledger/position.ts'
import type { ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'
import type { ApplyWorkerParts } from './apply-worker-parts.ts'
import { applyBatches, refusedNow } from './refused-rows.ts'
import { ReportedTransactions, type VisibleTransactions } from '../compare/visible.ts'
import { WaitingChanges, BatchRows } from './waiting-changes.ts'

/** Longest wait for changes while a batch is being written, ms. */
const WRITING_MS = 10
/** Complete transactions are committed after this time without a change: longer than the time between two reads. */
const QUIET_MS = 10

/** The write in progress. */
type Writing = {
  /** Source transactions that are durable after this write; 0 for a piece of a large one. */
  readonly transactions: number
  readonly oldestMs: number | null
  readonly ended: Promise<void>
}

export class ApplyWorker {
  readonly #parts: ApplyWorkerParts
  readonly #folded: FoldedChanges
  #row: ApplyWorkerRow
  #applied: LogPosition
  readonly #heldRows: RowBounds
  /** The transaction whose changes arrive now. */
  #open: Extract<Change, { type: 'begin' }> | null = null
  /** True if the open transaction has changed no table of this worker so far, or if none is open. */
  #isEmpty = true
  /** True if the target's transaction is open and has changes. */
  #isBegun = false
  /** Number of complete transactions that are not being written yet. */
  #waiting = 0
  /** Transactions of `#waiting` that this worker counts; each transaction is counted by one worker only. */
  #counted = 0
  readonly #separateChanges = new WaitingChanges()
  readonly #name = (at: number): string => this.#folded.table(at).name
  readonly #addEach = (change: RowChange): void => this.#add(change)
  #writing: Writing | null = null
  /** Error of a failed write; null if no write has failed. */
  #failure: unknown = null
  #end: LogPosition
  #oldestMs: number | null = null
  /** The last complete transaction; null if this run has none yet. */
  #last: Extract<Change, { type: 'begin' }> | null = null
  #since = 0
  /** Tick of the run's clock when the current changes arrived. */
  #now = 0
  readonly #batch = new BatchRows()
  readonly #taken = new ReportedTransactions()

  constructor(parts: ApplyWorkerParts) {
    const { row, positions, tables } = parts
    this.#parts = parts
    this.#row = row
    this.#applied = positions.position(row.position)
    this.#end = this.#applied
    this.#folded = new FoldedChanges(parts)
    this.#heldRows = new RowBounds(
      tables.map(({ name }) => name),
      row.counts,
      parts.known,
    )
  }

  /** Position up to which changes are durable in the target; exclusive, see `LogPosition`. */
  get applied(): LogPosition {
    return this.#applied
  }

  /** Position up to which changes were taken; exclusive. */
  get taken(): LogPosition {
    return this.#end
  }

  /** This worker's ledger row as last written. */
  get row(): ApplyWorkerRow {
    return this.#row
  }

  /** True if everything taken is durable in the target. */
  get isSettled(): boolean {
    return this.hasNothing && this.#writing === null && this.#end === this.#applied
  }

  /** True if no change waits: at most the position of an idle source is not yet written. */
  get hasNothing(): boolean {
    return this.#open === null && !this.hasTransactions
  }

  /** True if complete transactions wait for their commit. A position of an idle source is no transaction. */
  get hasTransactions(): boolean {
    return this.#waiting > 0 || (this.#writing?.transactions ?? 0) > 0
  }

  /**
   * True if this snapshot of the source contains all taken transactions, so it is not older than the target.
   * @param snapshot made after the last change was taken
   */
  isShownBy(snapshot: VisibleTransactions): boolean {
    return this.#taken.areVisible(snapshot)
  }

  /** True if it is unknown for some table whether the target has rows. */
  get hasUnknownTables(): boolean {
    return this.#heldRows.unknownTables.length > 0
  }

  /** Tables of `hasUnknownTables`; none while a write is not durable, because the target cannot be queried then. */
  get unknownTables(): readonly number[] {
    return this.#writing !== null || this.#isBegun ? [] : this.#heldRows.unknownTables
  }

  /** Records whether a table of `unknownTables` has rows. Call it before anything else is written. */
  noteRows(table: number, hasRows: boolean): void {
    this.#heldRows.found(table, hasRows)
  }

  /** Writes results of `noteRows` to the ledger. If changes wait, the next batch writes them instead. */
  async storeRowStates(): Promise<void> {
    if (this.#heldRows.isUnrecorded && this.isSettled) await this.#closed()()
  }

  /** Commit time of the oldest transaction that is not durable yet: ms since the epoch, source clock; null if none. */
  get oldestMs(): number | null {
    const written = this.#writing?.oldestMs ?? null
    return written ?? (this.#waiting > 0 ? this.#oldestMs : (this.#open?.at ?? null))
  }

  /** Ms until waiting transactions are due if no change comes; null if none wait, or a later one is open. */
  get dueMs(): number | null {
    if (this.#writing !== null) return WRITING_MS
    if (this.#waiting === 0 || this.#open !== null) return null
    return Math.min(QUIET_MS, Math.max(0, this.#dueIn(this.#parts.clock.ticks())))
  }

  /**
   * @throws SluiceError STREAM_HALTED if a table differs from the plan, LEASE_LOST if another program owns the stream;
   * errors of the writer. The apply worker cannot be used after that
   */
  async take(changes: readonly Change[]): Promise<void> {
    this.#now = this.#parts.clock.ticks()
    // No await per change: most changes need none, and hundreds of thousands come per second.
    for (let at = 0; at < changes.length; at++) {
      const waits = this.#takeChange(changes[at] as Change)
      if (waits === null) continue
      await waits
      this.#now = this.#parts.clock.ticks()
    }
  }

  /** @returns null if there is nothing to await */
  #takeChange(change: Change): Promise<void> | null {
    switch (change.type) {
      case 'begin':
        this.#open = change
        return null
      case 'insert':
      case 'update':
      case 'delete':
        this.#noteOwnChange()
        if (this.#waiting === 0) {
          this.#add(change)
          return this.#folded.isPiece ? this.#writePiece() : null
        }
        return this.#separateChanges.add(change) ? this.#complete() : null
      case 'truncate':
        this.#noteOwnChange()
        return this.#emptied(change.tables)
      case 'partition':
        return null
      case 'reshaped': {
        const { name } = this.#folded.table(change.table)
        throw new SluiceError('STREAM_HALTED', `the columns of ${name} changed: ${change.reason}`, { where: name })
      }
      case 'commit':
        return this.#ended(change.end, change.isCounted !== false)
      case 'idle':
        // The commit of waiting transactions covers this position.
        if (change.position > this.#end) this.#end = change.position
        return null
    }
  }

  /** Notes that the open transaction changes a table of this apply worker. */
  #noteOwnChange(): void {
    if (!this.#isEmpty || this.#open === null) return
    this.#isEmpty = false
    // xid 0: the stream has no transaction ids, and reports changes only once they are visible.
    if (this.#open.xid !== 0) this.#taken.add(this.#open.xid)
  }

  #ended(end: LogPosition, isCounted: boolean): Promise<void> | null {
    if (this.#isEmpty) {
      // Without changed rows the position need not be written at once.
      this.#open = null
      if (end > this.#end) this.#end = end
      return null
    }
    this.#join()
    if (isCounted) this.#counted++
    this.#close(end)
    if (this.#isBatch) return this.#writeFullBatch()
    if (this.#writing === null && this.#dueIn(this.#now) <= 0) this.#writeComplete()
    return null
  }

  /** Waits for the write in progress, because the next batch is full. Then writes the complete transactions, if due. */
  async #writeFullBatch(): Promise<void> {
    await this.written()
    const isDue = this.#dueIn(this.#parts.clock.ticks()) <= 0
    if (isDue || this.#isBatch) this.#writeComplete()
  }

  /** Sends a piece of a large transaction to the target. */
  async #writePiece(): Promise<void> {
    await this.written()
    this.#write(this.#flush())
  }

  /** Writes complete transactions because the open one has too many changes to keep separately. */
  async #complete(): Promise<void> {
    await this.written()
    this.#writeComplete()
    this.#join()
  }

  async #emptied(tables: readonly number[]): Promise<void> {
    this.#join()
    await this.written()
    await this.#flush()()
    this.#parts.touched?.noteAll()
    this.#isBegun = true
    await this.#parts.writer.truncate(tables)
    this.#heldRows.emptied(tables)
    for (const table of tables) this.#folded.truncated(table)
  }

  /** Makes complete transactions and an idle source's position durable. No effect within a transaction. */
  async commit(): Promise<void> {
    await this.written()
    if (this.#open !== null || this.isSettled) return
    this.#writeComplete()
    await this.written()
  }

  /** Writes rows that were read again, in a transaction outside of the stream. @param also statements to add to it */
  async rewrite(table: number, puts: readonly Row[], gone: readonly Row[], also: readonly Statement[]): Promise<void> {
    if (!this.isSettled)
      throw new Error('rows from outside of the stream are written between two of its transactions only')
    const batch = this.#folded.keyed(table, puts, gone)
    this.#isBegun = true
    try {
      const { lacking } = await this.#parts.writer.apply(table, batch)
      this.#heldRows.applied(table, batch, lacking.length)
    } catch (error) {
      throw await refusedNow(error, { at: table, batch }, { writer: this.#parts.writer, name: this.#name })
    }
    await this.#closed(also)()
  }

  /**
   * Changes the ledger at once; if changes wait, together with them. During a half-written transaction, a target with
   * a single writer accepts no other write. @returns true if the change is durable
   */
  async note(statements: readonly Statement[]): Promise<boolean> {
    await this.written()
    if (this.isSettled) await this.#parts.database.batch(statements)
    else this.#folded.note(statements)
    return this.isSettled
  }

  /** As `ChangeWriter.forget`. */
  forget(tables: readonly number[]): void {
    this.#parts.writer.forget?.(tables)
  }

  /** Waits for the write in progress; starts none. @throws the error of a failed write */
  async written(): Promise<void> {
    await this.#writing?.ended
    if (this.#failure !== null) throw this.#failure
  }

  /** Rolls back uncommitted changes; the apply worker cannot be used after that. */
  async giveUp(): Promise<void> {
    await this.#writing?.ended
    await this.#parts.writer.rollBack().catch(() => undefined)
  }

  /** True if the waiting rows are enough for a transaction of the target. */
  get #isBatch(): boolean {
    return this.#folded.rows >= this.#batch.most || this.#folded.isLarge
  }

  /** Ms from `now` until complete transactions should be committed. */
  #dueIn(now: number): number {
    const withinMs = now - this.#since
    return this.#batch.lingerMs(this.#folded.rows, this.#waiting, withinMs) - withinMs
  }

  /** Merges the changes that were kept separately into the batch. */
  #join(): void {
    this.#separateChanges.drain(this.#addEach)
  }

  #add(change: RowChange): void {
    if (this.#open === null) throw new SluiceError('BAD_STREAM', 'the stream sent a change outside of a transaction')
    this.#folded.add(change, this.#open)
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

  /** Starts to write all complete transactions; does not wait. */
  #writeComplete(): void {
    // Read before `#closed`, which resets the counts.
    const [transactions, oldestMs] = [this.#waiting, this.#oldestMs]
    this.#write(this.#closed(), transactions, oldestMs)
  }

  /** Starts a write; does not wait. @param transactions that become durable @param oldestMs commit time of the first */
  #write(body: () => Promise<void>, transactions = 0, oldestMs: number | null = null): void {
    const from = this.#parts.clock.ticks()
    const ended = body()
      .then(() => {
        if (transactions > 0) this.#batch.adapt(this.#parts.clock.ticks() - from)
      })
      .catch((error: unknown) => {
        this.#failure = error
      })
      .then(() => void (this.#writing = null))
    this.#writing = { transactions, oldestMs, ended }
  }

  /** @returns a function that sends everything folded so far to the target, within its open transaction */
  #flush(): () => Promise<void> {
    const batches = this.#folded.takeBatches()
    return async () => {
      const { writer } = this.#parts
      const mayRollBack = !this.#isBegun
      this.#isBegun ||= batches.length > 0
      for (const one of await applyBatches(batches, { writer, name: this.#name, mayRollBack })) {
        this.#heldRows.applied(one.at, one.batch, one.unwritten)
        this.#folded.reread(one.at, one.lacking, 'unchanged')
        this.#folded.reread(one.at, one.refused, 'refused')
      }
    }
  }

  /** @returns a function that makes everything complete so far durable @param also further statements */
  #closed(also: readonly Statement[] = []): () => Promise<void> {
    const flush = this.#flush()
    const [end, transactions] = [this.#end, this.#counted]
    const moved = { commitMs: this.#last?.at ?? this.#row.commitMs, counts: this.#folded.closed() }
    this.#waiting = 0
    this.#counted = 0
    return async () => {
      await flush()
      const { database, held, positions, writer, confirm } = this.#parts
      const after = {
        ...moved,
        counts: this.#heldRows.withRowCounts(moved.counts),
        position: positions.text(end),
        transactions: this.#row.transactions + transactions,
      }
      const closing = positionClosing(database, held, this.#row, after, [...this.#folded.takeStatements(), ...also])
      if ((await writer.commit(closing)) === 'fenced') {
        throw new SluiceError('LEASE_LOST', 'another program runs this stream now', {
          hint: 'this batch was not written; end one of the two programs',
        })
      }
      this.#isBegun = false
      this.#row = { ...this.#row, ...after, batches: this.#row.batches + 1 }
      this.#applied = end
      confirm(end)
    }
  }
}
