/**
 * Applies a stream with several sessions: each apply worker has its own tables, session and position. A source
 * transaction that changes tables of several apply workers becomes several transactions of the target. When all apply
 * workers are at one position, the target equals the source at this position.
 */
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { ApplyWorker } from './apply-worker.ts'
import { joinedApplyWorkers, type ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'
import type { Positions } from '../../copy/ledger/streams.ts'
import type { VisibleTransactions } from '../compare/visible.ts'

type Begin = Extract<Change, { type: 'begin' }>

export class ApplyWorkers {
  readonly #workers: readonly ApplyWorker[]
  /** Index of the apply worker of each table, by the table's number in the stream. */
  readonly #workerOfTable: readonly number[]
  readonly #positions: Positions
  readonly #database: LedgerDatabase
  /**
   * Start position of each worker, which has applied all changes before it. The stream delivers these changes again if
   * another worker was behind.
   */
  readonly #from: readonly LogPosition[]
  /** The transaction whose changes arrive now. */
  #open: Begin | null = null
  /** Worker of the open transaction's first table: only it counts the transaction, even if other workers get it. */
  #counting: number | null = null

  /** @param workers at least one @param of index of the apply worker of each table, by table number */
  constructor(workers: readonly ApplyWorker[], of: readonly number[], positions: Positions, database: LedgerDatabase) {
    this.#database = database
    this.#workers = workers
    this.#workerOfTable = of
    this.#positions = positions
    this.#from = workers.map(({ applied }) => applied)
  }

  /** Position up to which changes are durable in all apply workers; exclusive, see `LogPosition`. */
  get applied(): LogPosition {
    return least(this.#workers.map(({ applied }) => applied))
  }

  /** Position up to which all apply workers have taken changes; exclusive. */
  get taken(): LogPosition {
    return least(this.#workers.map(({ taken }) => taken))
  }

  /** Ledger rows of all apply workers as last written, joined into one row. */
  get row(): ApplyWorkerRow {
    return joinedApplyWorkers(
      this.#workers.map(({ row }) => row),
      this.#positions,
    )
  }

  /** True if everything taken is durable in the target: then all apply workers are at one position. */
  get isSettled(): boolean {
    return this.#open === null && this.#workers.every(({ isSettled }) => isSettled)
  }

  /** True if no row waits: at most positions of an idle source are not written. */
  get hasNothing(): boolean {
    return this.#open === null && this.#workers.every(({ hasNothing }) => hasNothing)
  }

  /** True between two transactions of the source. */
  get isBoundary(): boolean {
    return this.#open === null
  }

  /** True if all apply workers have reached one position. */
  get isAtOnePosition(): boolean {
    return new Set(this.#workers.map(({ taken }) => taken)).size === 1
  }

  /** True if complete transactions wait for their commit; false if only positions would be written. */
  get hasTransactions(): boolean {
    return this.#workers.some(({ hasTransactions }) => hasTransactions)
  }

  /** True if `ApplyWorker.isShownBy` is true for all apply workers. */
  isShownBy(snapshot: VisibleTransactions): boolean {
    return this.#workers.every((applyWorker) => applyWorker.isShownBy(snapshot))
  }

  /** Commit time of the oldest transaction that is not durable yet: ms since the epoch, source clock; null if none. */
  get oldestMs(): number | null {
    const oldest = this.#workers.flatMap((applyWorker) => applyWorker.oldestMs ?? [])
    return oldest.length === 0 ? (this.#open?.at ?? null) : Math.min(...oldest)
  }

  /** Ms until waiting transactions are due if no change comes; null if none wait, or if one is open. */
  get dueMs(): number | null {
    if (this.#open !== null) return null
    const due = this.#workers.flatMap((applyWorker) => applyWorker.dueMs ?? [])
    return due.length === 0 ? null : Math.min(...due)
  }

  /** @throws as `ApplyWorker.take`, for the first one that fails; no apply worker can be used after that */
  async take(changes: readonly Change[]): Promise<void> {
    const [only, ...others] = this.#workers
    if (only !== undefined && others.length === 0 && this.#isForOne(changes)) return await only.take(changes)
    const parts: Change[][] = this.#workers.map(() => [])
    for (const change of changes) {
      switch (change.type) {
        case 'begin':
          this.#open = change
          this.#counting = null
          for (const [worker, part] of parts.entries())
            if (change.commit >= (this.#from[worker] ?? 0n)) part.push(change)
          break
        case 'insert':
        case 'update':
        case 'delete':
          this.#distribute(parts, change.table, change)
          break
        case 'reshaped':
          // A read reports a changed table before it returns changes, so the report may come between two transactions.
          if (this.#open === null) parts[this.#workerOfTable[change.table] ?? -1]?.push(change)
          else this.#distribute(parts, change.table, change)
          break
        case 'truncate':
          for (const worker of new Set(change.tables.map((table) => this.#workerOfTable[table]))) {
            const tables = change.tables.filter((table) => this.#workerOfTable[table] === worker)
            this.#distribute(parts, tables[0] ?? -1, { ...change, tables })
          }
          break
        case 'commit':
          for (const [worker, part] of parts.entries())
            part.push(worker === this.#counting ? change : { ...change, isCounted: false })
          this.#open = null
          break
        case 'idle':
          for (const part of parts) part.push(change)
          break
        case 'partition':
          break
      }
    }
    await this.#all((applyWorker, at) => applyWorker.take(parts[at] ?? []))
  }

  /** For a single apply worker: true if it has applied none of these changes, so all can be passed on as they are. */
  #isForOne(changes: readonly Change[]): boolean {
    const [from = 0n] = this.#from
    let open = this.#open
    if (open !== null && open.commit < from) return false
    for (let at = 0; at < changes.length; at++) {
      const change = changes[at] as Change
      if (change.type === 'commit') open = null
      else if (change.type === 'begin') {
        if (change.commit < from) return false
        open = change
      }
    }
    this.#open = open
    return true
  }

  /** Makes complete transactions and positions durable. No effect within a transaction, or if everything is durable. */
  async commit(): Promise<void> {
    if (this.#open === null) await this.#all((applyWorker) => applyWorker.commit())
  }

  /** As `commit`, only for apply workers in which transactions wait. */
  async commitTransactions(): Promise<void> {
    if (this.#open === null)
      await this.#all(async (applyWorker) => {
        if (applyWorker.hasTransactions) await applyWorker.commit()
      })
  }

  /** True if `ApplyWorker.hasUnknownTables` is true for any apply worker. */
  get hasUnknownTables(): boolean {
    return this.#workers.some((applyWorker) => applyWorker.hasUnknownTables)
  }

  /** As `ApplyWorker.unknownTables`, for all apply workers. */
  get unknownTables(): readonly number[] {
    return this.#workers.flatMap((applyWorker) => applyWorker.unknownTables)
  }

  /** As `ApplyWorker.noteRows`. */
  noteRows(table: number, hasRows: boolean): void {
    this.#workerOf(table).noteRows(table, hasRows)
  }

  /** As `ApplyWorker.storeRowStates`, for all apply workers. */
  async storeRowStates(): Promise<void> {
    await this.#all((applyWorker) => applyWorker.storeRowStates())
  }

  /** Waits for the writes in progress; starts none. */
  async written(): Promise<void> {
    await this.#all((applyWorker) => applyWorker.written())
  }

  /** As `ChangeWriter.forget`, for all apply workers. */
  forget(tables: readonly number[]): void {
    for (const applyWorker of this.#workers) applyWorker.forget(tables)
  }

  /** Writes rows outside the stream, in a separate transaction, see `ApplyWorker.rewrite`. */
  async rewrite(table: number, puts: readonly Row[], gone: readonly Row[], also: readonly Statement[]): Promise<void> {
    if (!this.isSettled)
      throw new Error('rows from outside of the stream are written between two of its transactions only')
    await this.#workerOf(table).rewrite(table, puts, gone, also)
  }

  /** Changes the ledger outside the stream, before anything taken later is written. @returns true if it is durable */
  async note(statements: readonly Statement[]): Promise<boolean> {
    const [only, ...others] = this.#workers
    if (only !== undefined && others.length === 0) return await only.note(statements)
    // A target with several sessions accepts other writes while a transaction is half written.
    await this.#database.batch(statements)
    return true
  }

  /** Rolls back uncommitted changes; the apply workers cannot be used after that. */
  async giveUp(): Promise<void> {
    await Promise.all(this.#workers.map((applyWorker) => applyWorker.giveUp()))
  }

  #workerOf(table: number): ApplyWorker {
    const worker = this.#workers[this.#workerOfTable[table] ?? -1]
    if (worker === undefined) throw new Error(`the stream reports table ${table}, which is not followed`)
    return worker
  }

  #distribute(parts: readonly Change[][], table: number, change: Change): void {
    const worker = this.#workerOfTable[table] ?? -1
    const part = parts[worker]
    if (part === undefined || this.#open === null)
      throw new Error(`a change of table ${table} belongs to no apply worker`)
    this.#counting ??= worker
    if (this.#open.commit < (this.#from[worker] ?? 0n)) return
    part.push(change)
  }

  /** Waits for all apply workers, also if one has failed. */
  async #all(body: (applyWorker: ApplyWorker, at: number) => Promise<void>): Promise<void> {
    const ends = await Promise.allSettled(this.#workers.map(body))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }
}

function least(positions: readonly LogPosition[]): LogPosition {
  const [first = 0n, ...others] = positions
  return others.reduce((low, one) => (one < low ? one : low), first)
}
