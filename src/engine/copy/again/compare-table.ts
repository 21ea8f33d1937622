/**
 * `copy --again`: compares both sides of chunks that earlier runs copied, and repairs differences as `diff --fix` does.
 * Runs after the unfinished chunks have been copied. Only one process compares a table at a time: it holds the lease
 * that is also needed to divide the table into chunks.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { EVERY_KEY } from '../../../model/copy/range.ts'
import { dec } from '../../../model/run/event.ts'
import type { ReadPoint, TallyOfChunk } from '../../../model/copy/plan.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { chunkKeyBounds } from '../chunk/chunk-events.ts'
import type { TableContext } from '../table/context.ts'
import { overLimit } from '../chunk/chunk-quarantine.ts'
import type { RowDifference } from '../diff/difference.ts'
import { unprovedRange } from '../diff/explained.ts'
import { openRows } from '../diff/outcome.ts'
import { noProcessed, DifferenceProcessor } from '../diff/process-differences.ts'
import { findExtra } from '../diff/extra.ts'
import { failureKind } from '../workers/failure.ts'
import { sharedView } from '../source-views.ts'
import { adoptRepairs } from '../ledger/adopt-repairs.ts'
import { markDifferent, proveAgain } from '../ledger/proofs.ts'
import { CLOSED, type StoredChunk } from '../ledger/stored-chunk.ts'
import { withRetries } from '../workers/retries.ts'
import { rowCountText } from '../chunk/rows-text.ts'
import type { TableRun } from '../table/table-run.ts'
import type { CopyContext } from '../table/copy-context.ts'
import type { AgainWork } from './again-work.ts'
import { refusedRowsOf, quarantineStatements } from './quarantined.ts'
import { rangesOfOthers, bothDigests, type ChunkComparison } from './compare-chunk.ts'
import { AgainSides } from './sides.ts'
import { unconfirmedError } from './delete-extra.ts'
import { compareInWorkers } from './workers.ts'
import { NumberSet } from './numbers.ts'

const WAIT_MS = 300
const PROGRESS_MS = 250
/** Limit of differences per table that events name; all are counted. */
const MOST_NAMED = 20
/** Part number for rows that lie in no chunk. */
const NO_CHUNK = -1
/** Rows removed in one call where the two sides sort differently. */
const REMOVED_AT_ONCE = 1000

/**
 * Compares the wanted chunks of a table; does nothing for a table that failed or is left out. Errors are stored in
 * `table.error`; an internal error is thrown.
 */
export async function compareAgain(table: TableRun, copyContext: CopyContext): Promise<void> {
  const { context, again } = table
  const { stop } = copyContext.steering
  if (context === null || again === undefined || table.error !== null) return
  if (stop.aborted || copyContext.steering.leavesOut(table.name)) return
  try {
    if (await takeLease(context, copyContext)) await new TableComparison(table, context, again, copyContext).run()
  } catch (thrown) {
    const { kind, error } = failureKind(thrown)
    if (kind === 'stop' || stop.aborted) return
    if (error.code === 'INTERNAL') throw thrown
    table.error ??= error
  } finally {
    await context.planning.end().catch(() => undefined)
  }
}

/** Waits while another process compares or divides the table. @returns false if the run was asked to stop meanwhile */
async function takeLease({ planning, name, emit }: TableContext, { steering }: CopyContext): Promise<boolean> {
  for (let reported = false; ; reported = true) {
    if (await planning.take()) return true
    if (steering.stop.aborted) return false
    if (!reported)
      emit({
        type: 'log',
        level: 'note',
        table: name,
        message: 'another run is comparing it or dividing it into chunks; waiting',
      })
    await sleep(WAIT_MS)
  }
}

class TableComparison {
  readonly #table: TableRun
  readonly #context: TableContext
  readonly #again: AgainWork
  readonly #copyContext: CopyContext
  readonly #sides: AgainSides
  /** Rows that still differ, by chunk id: extra, open, and with newer values in the target. Only chunks with such rows. */
  readonly #rowsLeft = new Map<number, Pick<ChunkComparison, 'piece' | 'extra' | 'open' | 'newer'>>()
  readonly #differed = new NumberSet()
  /** Rows that only the target has, outside of all chunks. */
  #surplus = 0n

  constructor(table: TableRun, context: TableContext, again: AgainWork, copyContext: CopyContext) {
    this.#table = table
    this.#context = context
    this.#again = again
    this.#copyContext = copyContext
    this.#sides = new AgainSides(table, context, copyContext)
  }

  async run(): Promise<void> {
    const { steering } = this.#copyContext
    await this.#adopt()
    // Quarantined rows may be in the target with other values, so compare their chunks too.
    const { ledger } = this.#context
    for await (const { no } of ledger.each(`${CLOSED} AND rows_quarantined > 0`)) this.#again.left.add(no)
    try {
      const settler = this.#newProcessor(false)
      await this.#compareChunks(this.#wanted(), (chunk, worker) => this.#chunk(chunk, worker, settler, false))
      if (this.#isOver()) return
      this.#surplus = await this.#surplusChunks(settler, false)
      settler.reportUnnamed(0)
      if (!this.#isOver()) await this.#deleteExtra()
    } finally {
      await this.#sides.closeTarget()
    }
    if (steering.stop.aborted) return
    await this.#noteSurplus()
    this.#checkTotals()
  }

  /** Chunks to compare, in pages. A chunk is in the state that it had when its page was read. */
  async *#wanted(): AsyncGenerator<StoredChunk> {
    for await (const chunk of this.#chunks()) if (this.#again.left.has(chunk.no)) yield chunk
  }

  async *#withExtra(): AsyncGenerator<StoredChunk> {
    for await (const chunk of this.#chunks()) if ((this.#rowsLeft.get(chunk.id)?.extra ?? 0n) > 0n) yield chunk
  }

  async *#chunks(): AsyncGenerator<StoredChunk> {
    for (let last: number | undefined = 0; last !== undefined;) {
      const behind: number = last
      const page = await withRetries(() => this.#context.ledger.page(behind), this.#context, this.#stop)
      yield* page
      last = page.at(-1)?.id
    }
  }

  /**
   * Assigns the repairs of an earlier run that was stopped to this run: one `diff --undo` then reverts the repairs of
   * both runs.
   */
  async #adopt(): Promise<void> {
    const { database, owner, key, plan } = this.#context
    const adopted = await withRetries(() => adoptRepairs(database, owner.runId, key, plan), this.#context, this.#stop)
    if (adopted === null) return
    const undo = `sluice diff --undo ${owner.runId} reverts the repairs of both runs`
    this.#note(`continues run ${adopted.runId}, which had recorded ${rowCountText(adopted.rows)}: ${undo}`)
  }

  #note(message: string): void {
    this.#context.emit({ type: 'log', level: 'note', table: this.#context.name, message })
  }

  #newProcessor(deleteExtra: boolean): DifferenceProcessor {
    const { plan, store, planning } = this.#context
    const { views, run, database, owner, operation } = this.#copyContext
    const from = { source: async () => sharedView(await views.current()) }
    // Counter tables: a missing row is written by increments, as in a copy.
    const counting = plan.columns.some(({ target }) => target.native === 'counter')
    const repair = {
      deleteExtra,
      replaceRespelled: operation.deleteExtra === true,
      ...(counting ? { counters: true as const } : {}),
      times: operation.cassandra ?? {},
    }
    const stores = { from, to: store, database, runId: owner.runId, hold: planning.lease }
    const options = { fix: true, limit: MOST_NAMED, repair, isRepeated: false }
    return new DifferenceProcessor(options, this.#sides.compared, stores, run)
  }

  async #compareChunks(
    chunks: AsyncIterable<StoredChunk>,
    body: (chunk: StoredChunk, worker: number) => Promise<void>,
  ): Promise<void> {
    const { steering } = this.#copyContext
    await compareInWorkers(chunks, body, {
      // If several source keys may become one key in the target, only the first row of a key is compared. One worker
      // then compares the chunks in their order, which decides which row is the first.
      most: this.#sides.met === null ? this.#context.store.can.writers : 1,
      isOver: () => this.#isOver(),
      waits: (worker) =>
        steering.isPaused || steering.table(this.#table.name) === 'paused' || worker > steering.workersNow,
    })
  }

  async #chunk(chunk: StoredChunk, worker: number, processor: DifferenceProcessor, deletes: boolean): Promise<void> {
    const { name, plan, throttle, signal } = this.#context
    // The second comparison of a chunk, which removes rows, is no further progress.
    const emit = deletes ? (): void => undefined : this.#context.emit
    const { clock } = this.#copyContext.run
    const begun = clock.ticks()
    const no = String(chunk.no)
    const span = chunkKeyBounds(chunk.range, plan)
    const total = dec(chunk.read)
    emit({ type: 'chunk.started', table: name, chunk: no, worker, total, unit: 'row', ...span })
    let reported = Number.NEGATIVE_INFINITY
    const progress = (step: 'reading' | 'writing', rows: bigint): void => {
      if (clock.ticks() - reported < PROGRESS_MS) return
      reported = clock.ticks()
      emit({ type: 'chunk.progress', table: name, chunk: no, worker, done: dec(rows), total, unit: 'row', step })
    }
    const found = await this.#sides.retried(chunk, (source) =>
      this.#sides.compare(chunk.range, source, processor, { deletes, extraOnly: false, progress, part: chunk.no }),
    )
    if (found === null) return
    const { comparison, point } = found
    throttle.countRows(Number(comparison.piece.rows))
    if (throttle.limit !== null) await throttle.take(Number(comparison.piece.rows), signal)
    const { source, target } = bothDigests(comparison)
    const tally = await this.#close(chunk, comparison, point, begun).catch((thrown: unknown) => {
      if (asSluiceError(thrown).code === 'LEASE_LOST')
        emit({ type: 'chunk.released', table: name, chunk: no, reason: 'taken' })
      throw thrown
    })
    if (tally === null) return
    emit({
      type: 'chunk.done',
      table: name,
      chunk: no,
      worker,
      done: dec(tally.read),
      unit: 'row',
      ms: Math.round(clock.ticks() - begun),
      ...span,
      read: dec(tally.read),
      written: dec(tally.written),
      skipped: dec(tally.skipped),
      quarantined: dec(tally.quarantined),
      attempt: chunk.attempt,
      ...(source.sum === '' ? {} : { checksum: { source: source.sum, target: target.sum } }),
    })
  }

  /**
   * Records that a chunk is proved, or that rows of it still differ. @param begun start of the comparison, in ticks
   * @returns the counts; null if the chunk is not proved
   */
  async #close(
    chunk: StoredChunk,
    comparison: ChunkComparison,
    point: ReadPoint,
    begun: number,
  ): Promise<TallyOfChunk | null> {
    const { database, owner, planning, plan, emit, name } = this.#context
    const { piece, open, newer, extra, refused, removed } = comparison
    const { tally, proved, left } = this.#again
    const { rows: read } = piece
    const refusedRows = refusedRowsOf(plan, comparison)
    const quarantined = BigInt(refusedRows.length)
    const repaired = this.repaired(chunk, comparison)
    if (left.delete(chunk.no)) tally.compared += 1n
    if (repaired + removed + open + quarantined > 0n) this.#differed.add(chunk.id)
    tally.mended += comparison.mended
    tally.removed += removed
    const surplus = plan.sortsAlike ? piece.targetRows - read : null
    const leave = async (): Promise<void> => {
      this.#again.open.add(chunk.id)
      await withRetries(() => database.batch([markDifferent(chunk, planning.lease.guard)]), this.#context, this.#stop)
    }
    if (open > 0n) {
      await leave()
      this.#again.views.add(point.view)
      const { keyless } = piece
      emit({ type: 'chunk.failed', table: name, chunk: String(chunk.no), error: openRows(open, newer, keyless).info() })
      return null
    }
    const lost = unprovedRange(`chunk ${chunk.no} of ${name}`, { ...piece, missing: 0n, extra, quarantined })
    if (lost !== null) {
      await leave()
      emit({ type: 'chunk.failed', table: name, chunk: String(chunk.no), error: lost.info() })
      this.#table.error ??= lost
      return null
    }
    const stored = { read, written: read - quarantined, skipped: 0n, quarantined, bytes: 0n }
    const tookMs = this.#copyContext.run.clock.ticks() - begun
    const proof = { scheme: piece.scheme, ...bothDigests(comparison), point, before: chunk.surplus, surplus, tookMs }
    const also = quarantineStatements(this.#context, chunk, refusedRows)
    const closed = await withRetries(
      () => proveAgain(database, owner, chunk, stored, proof, planning.lease.guard, also),
      this.#context,
      this.#stop,
    )
    if (!closed) throw new SluiceError('LEASE_LOST', `another program changed chunk ${chunk.no} of ${name}`)
    proved.add(chunk.id)
    this.#again.open.delete(chunk.id)
    this.#table.error ??= await overLimit(this.#context, refused.length)
    return { read, written: repaired, skipped: read - repaired - quarantined, quarantined, bytes: 0n }
  }

  /**
   * Records the rows of a chunk that were written and those that still differ, if there are any. @returns rows that
   * this run wrote in it
   */
  repaired({ id }: StoredChunk, { mended: repaired, piece, extra, open, newer }: ChunkComparison): bigint {
    const sum = repaired + (this.#again.mended.get(id) ?? 0n)
    if (sum > 0n) this.#again.mended.set(id, sum)
    if (extra + open + newer > 0n) this.#rowsLeft.set(id, { piece, extra, open, newer })
    else this.#rowsLeft.delete(id)
    return sum
  }

  /** Searches for target rows outside of all chunks, and removes them if `deletes`. @returns number of rows left */
  async #surplusChunks(processor: DifferenceProcessor, deletes: boolean): Promise<bigint> {
    const { plan, ring, ledger } = this.#context
    if (ring !== null && ring.part !== null) {
      this.#note('surplus rows are searched in the compared ranges only, because the command names a part of the ring')
      return 0n
    }
    if (!plan.sortsAlike) return await this.#findExtra(processor, deletes)
    if (ring !== null) return 0n
    let extra = 0n
    for (const range of await rangesOfOthers(ledger, plan.source)) {
      const how = { deletes, extraOnly: true, progress: () => undefined, part: NO_CHUNK }
      const found = await this.#sides.retried(null, (source) => this.#sides.compare(range, source, processor, how))
      extra += found?.comparison.extra ?? 0n
      this.#again.tally.removed += found?.comparison.removed ?? 0n
    }
    return extra
  }

  /** Searches the source for every row of the target, where key ranges of the two sides do not correspond. */
  async #findExtra(processor: DifferenceProcessor, deletes: boolean): Promise<bigint> {
    const { store, signal } = this.#context
    this.#note('surplus rows are searched: each target row is looked up in the source')
    let extra = 0n
    const body = async (source: SourceView): Promise<null> => {
      extra = 0n
      const settled = noProcessed()
      const waiting: RowDifference[] = []
      await using target = await store.source(signal)
      await findExtra({ ...this.#sides.compared, source, target }, EVERY_KEY, async (difference) => {
        if (!deletes) extra += 1n
        else if (waiting.push(difference) >= REMOVED_AT_ONCE) await processor.process(waiting.splice(0), settled)
      })
      await processor.process(waiting, settled)
      extra += BigInt(settled.extra - settled.removed)
      this.#again.tally.removed += BigInt(settled.removed)
      return null
    }
    await this.#sides.retried(null, body)
    return extra
  }

  /** Stores ROWS_EXTRA in `table.error` if many rows would be removed without `--confirm`; none is removed then. */
  async #deleteExtra(): Promise<void> {
    const { operation } = this.#copyContext
    const all = this.#extraRows()
    if (operation.deleteExtra !== true || all === 0n) return
    const error = unconfirmedError(all, this.#context.plan, operation.confirm)
    if (error !== null) return void (this.#table.error ??= error)
    const settler = this.#newProcessor(true)
    await this.#sides.closeTarget()
    this.#note(`removing ${rowCountText(all)} not in the source`)
    await this.#compareChunks(this.#withExtra(), (chunk, worker) => this.#chunk(chunk, worker, settler, true))
    if (!this.#isOver() && this.#surplus > 0n) this.#surplus = await this.#surplusChunks(settler, true)
    settler.reportUnnamed(0)
  }

  /** Records the surplus of the table as a whole where key ranges of the two sides do not correspond. */
  async #noteSurplus(): Promise<void> {
    const { key, plan, planning, ring } = this.#context
    if (plan.sortsAlike || this.#isOver() || (ring !== null && ring.part !== null)) return
    const { runs } = this.#copyContext
    const note = async (): Promise<void> => {
      // Quarantined rows are counted with their chunks, not here.
      await planning.noteSurplus(await runs.planSurplus(key), this.#surplus)
    }
    await withRetries(note, this.#context, this.#stop)
  }

  #extraRows(): bigint {
    return this.#sum('extra') + this.#surplus
  }

  #sum(what: 'extra' | 'open' | 'newer'): bigint {
    return [...this.#rowsLeft.values()].reduce((sum, one) => sum + one[what], 0n)
  }

  #checkTotals(): void {
    const { tally } = this.#again
    const keyless = [...this.#rowsLeft.values()].some(({ piece }) => piece.keyless)
    tally.extra = this.#extraRows()
    tally.open = this.#sum('open')
    tally.newer = this.#sum('newer')
    tally.differed = BigInt(this.#differed.size)
    if (tally.open > 0n) this.#table.error ??= openRows(tally.open, tally.newer, keyless)
  }

  #isOver(): boolean {
    return this.#stop.aborted || this.#table.error !== null
  }

  get #stop(): AbortSignal {
    return this.#copyContext.steering.stop
  }
}
