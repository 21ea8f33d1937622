/**
 * Workers of a copy: each claims the next chunk of any table, copies it, and retries or gives up, depending on the
 * failure.
 */
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { dec, type ReleaseReason } from '../../../model/run/event.ts'
import type { Claim } from '../../../model/copy/plan.ts'
import { Attempts, pauseAfter } from '../../../shared/attempts.ts'
import type { Clock } from '../../../shared/clock.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { TableSteering } from '../../run/operation.ts'
import { chunkKeyBounds, tallyOf } from '../chunk/chunk-events.ts'
import type { TableContext } from '../table/context.ts'
import { copyChunk, type ChunkResult } from '../chunk/copy-chunk.ts'
import type { ChunkProgress } from '../chunk/forward-frames.ts'
import { isOnePass } from '../chunk/one-pass.ts'
import { overLimit } from '../chunk/chunk-quarantine.ts'
import { notEmpty } from '../chunk/refused-rows.ts'
import { failureKind, isOverload, yieldedText } from './failure.ts'
import type { JobShare } from '../ledger/claim-search.ts'
import type { ClaimedChunk, Steering } from './steering.ts'
import type { TableRun } from '../table/table-run.ts'

const POLL_MS = 50
/** Pause of a worker without work before it queries the ledger again. */
const IDLE_MS = 500
const PROGRESS_MS = 250
/** SQL condition for chunks whose copy has begun. */
const BEGUN = '(rows_written > 0 OR rows_quarantined > 0 OR cursor_key IS NOT NULL)'

/** A table whose chunks are being copied. */
type StartedTable = TableRun & { readonly context: TableContext }

export type RunnerOptions = {
  readonly tables: readonly TableRun[]
  /** Limit of workers; `steering` sets how many of them work. */
  readonly workers: number
  readonly steering: Steering
  readonly part: JobShare | null
  readonly abort: AbortSignal
  readonly clock: Clock
  /** Called once for each table without chunks left. */
  readonly finish: (table: TableRun, context: TableContext) => Promise<void>
  /** Set if a failed chunk is only released: the process that runs the copy then retries it or gives it up. */
  readonly leaves?: true
  /** Frees chunks of dead owners. */
  readonly reclaim: (context: TableContext) => Promise<void>
}

/** Resolves when this run can do nothing more for any table, or was asked to stop. */
export async function runWorkers(options: RunnerOptions): Promise<void> {
  const over = new AbortController()
  const awake = AbortSignal.any([options.steering.stop, over.signal])
  setMaxListeners(0, options.steering.stop, options.abort, awake)
  await Promise.all(Array.from({ length: options.workers }, (_, i) => new Worker(i + 1, options, over, awake).work()))
}

class Worker {
  readonly #no: number
  readonly #options: RunnerOptions
  /** Aborted when one worker found that no work is left: other workers may still be waiting. */
  readonly #noWorkLeft: AbortController
  /** Aborted to end every pause, because no work is left or no further chunk may begin. */
  readonly #endPauses: AbortSignal

  constructor(no: number, options: RunnerOptions, over: AbortController, awake: AbortSignal) {
    this.#no = no
    this.#options = options
    this.#noWorkLeft = over
    this.#endPauses = awake
  }

  async work(): Promise<void> {
    const { steering } = this.#options
    while (!steering.stop.aborted && !this.#noWorkLeft.signal.aborted) {
      if (steering.isPaused || this.#no > steering.workersNow) {
        await this.#wait(POLL_MS)
        continue
      }
      const task = await this.#take()
      if (task === 'end') return this.#noWorkLeft.abort()
      if (task === 'wait') await this.#wait(IDLE_MS)
      else await this.#copyClaimed(task.table, task.claim)
    }
  }

  async #copyClaimed(table: StartedTable, claim: Claim): Promise<void> {
    const { context } = table
    const flight = this.#options.steering.register(context.name, claim.no)
    try {
      await this.#copy(table, claim, flight)
    } finally {
      flight.unregister()
      context.ledger.claims.drop(claim)
      table.busy--
    }
  }

  /** The next chunk of the first table that has one. */
  async #take(): Promise<{ readonly table: StartedTable; readonly claim: Claim } | 'wait' | 'end'> {
    const { tables, steering, part, reclaim } = this.#options
    let waiting = false
    for (const table of tables) {
      const { context, name } = table
      if (context === null) continue
      const { ledger } = context
      try {
        for (const options of steering.takeRetries(name)) await retryFailed(table, context, options)
        if (table.done || table.error !== null) {
          await this.#giveUpTable(table, context)
          continue
        }
        const held = steering.table(name)
        if (held === 'paused') waiting = true
        if (held !== null) continue
        const skipped = steering.chunks(name, 'skipped')
        const paused = steering.chunks(name, 'paused')
        const claim = await ledger.claims.claim(part, [...skipped, ...paused])
        if (claim !== null) {
          table.busy++
          return { table: Object.assign(table, { context }), claim }
        }
        await reclaim(context)
        const left = await ledger.claims.remaining(part, skipped)
        if (left.pending || left.held || (await context.planning.isDividing())) waiting = true
        else if (!table.done) {
          table.done = true
          await this.#options.finish(table, context)
        }
      } catch (thrown) {
        table.error ??= failureKind(thrown).error
      }
    }
    return waiting ? 'wait' : 'end'
  }

  /** Reports a table that was given up, as soon as no worker of this run has a chunk of it. */
  async #giveUpTable(table: TableRun, context: TableContext): Promise<void> {
    if (table.error === null || table.busy > 0 || table.done) return
    table.done = true
    await this.#options.finish(table, context)
  }

  async #copy(table: StartedTable, claim: Claim, flight: ClaimedChunk): Promise<void> {
    const { clock, steering } = this.#options
    const { stop } = steering
    using own = linked(table.context.signal, flight.given)
    const { context } = table
    const { emit, name } = context
    const begun = clock.ticks()
    const span = chunkKeyBounds(claim.range, context.plan)
    emit({
      type: 'chunk.started',
      table: name,
      chunk: String(claim.no),
      worker: this.#no,
      total: dec(context.plan.chunkRows),
      unit: 'row',
      ...span,
    })
    context.periods?.progress.began(claim.range)
    // A chunk copied in one pass cannot be repeated once a batch is stored: the first attempt must find refused rows.
    let careful = isOnePass(context.store, claim)
    const attempts = new Attempts(context.retryMs, clock)
    for (let attempt = 1; ; attempt++) {
      let view: SourceView | null = null
      try {
        view = await viewFor(context)
        const result = await copyChunk(
          { ...context, signal: own.signal },
          view,
          await this.#refreshed(table, claim, attempt),
          careful,
          this.#progress(table, claim),
        )
        if (result === null) this.#finishChunk(table, claim, 'taken', null)
        else await this.#done(table, claim, result, attempt, clock.ticks() - begun)
        return
      } catch (thrown) {
        const { kind, error } = failureKind(thrown)
        if (flight.given.aborted) return await this.#release(table, claim, 'asked', null)
        if (kind === 'stop' || stop.aborted) return await this.#release(table, claim, 'stop', null)
        if (kind === 'lost') return this.#finishChunk(table, claim, 'taken', null)
        if (kind === 'row' && !careful) {
          careful = true
          continue
        }
        const yielded = view === null ? null : yieldedText(error)
        // If another session needs the table, this is no failed attempt: pause as after a first failure.
        const waitMs = yielded === null ? attempts.failed() : pauseAfter(1)
        if (kind === 'table' || kind === 'row' || waitMs === null) return await this.#giveUp(table, claim, kind, error)
        if (error.kind === 'source' && view !== null) {
          // All chunks that read a dropped view fail; only one of them reports this.
          if ((await context.views.renew(view, error)) && yielded !== null)
            emit({ type: 'log', level: 'note', table: name, message: yielded })
          if (context.only !== null && !(await context.views.has(view)))
            return await this.#giveUp(table, claim, 'table', blocksLost(context, error))
        }
        if (isOverload(error)) context.throttle.slowDown(error.message)
        emit({
          type: 'chunk.retried',
          table: name,
          chunk: String(claim.no),
          attempt: attempt + 1,
          waitMs,
          error: error.info(),
        })
        await this.#wait(waitMs, AbortSignal.any([stop, flight.wake, flight.given]))
        if (flight.given.aborted) return await this.#release(table, claim, 'asked', error)
        if (stop.aborted) return await this.#release(table, claim, 'stop', error)
      }
    }
  }

  /**
   * The claim with its current cursor: in a target that commits in batches, a failed attempt may have written more rows
   * than the claim shows.
   */
  async #refreshed({ context }: StartedTable, claim: Claim, attempt: number): Promise<Claim> {
    const { atomic } = context.store.can
    if (attempt === 1 || atomic === 'chunk') return claim
    const current = await context.ledger.claims.current(claim)
    return atomic === 'row' ? { ...current, attempt: claim.attempt + attempt - 1 } : current
  }

  async #done(table: StartedTable, claim: Claim, result: ChunkResult, attempt: number, ms: number): Promise<void> {
    const { emit, name } = table.context
    const { tally } = result
    emit({
      type: 'chunk.done',
      table: name,
      chunk: String(claim.no),
      worker: this.#no,
      done: dec(tally.written),
      unit: 'row',
      ms: Math.round(ms),
      ...chunkKeyBounds(claim.range, table.context.plan),
      ...tallyOf(result, attempt),
    })
    table.error ??= await overLimit(table.context, result.refusedRows.length)
    await table.context.periods?.progress.closed(claim.range, tally.written)
  }

  async #giveUp(table: StartedTable, claim: Claim, kind: string, thrown: SluiceError): Promise<void> {
    const { emit, name, ledger, plan } = table.context
    if (this.#options.leaves === true) {
      table.error ??= thrown
      return await this.#release(table, claim, 'left', thrown)
    }
    const isBegun = thrown.code === 'TARGET_NOT_EMPTY' && (await ledger.has(BEGUN).catch(() => false))
    const error = isBegun ? notEmpty(plan.target.table.name, 'begun') : thrown
    const compared = table.again !== undefined && (error.code === 'PROOF_FAILED' || error.code === 'TARGET_NOT_EMPTY')
    // Chunks with existing rows in their range are compared with the source after all other chunks are copied.
    if (compared) {
      table.again?.left.add(claim.no)
      emit({ type: 'chunk.released', table: name, chunk: String(claim.no), reason: 'compare', error: error.info() })
    } else emit({ type: 'chunk.failed', table: name, chunk: String(claim.no), error: error.info() })
    try {
      // Rows before the cursor may differ from the source now: only an upsert can write them again.
      const startsAnew = error.code === 'PROOF_FAILED' && plan.onExisting === 'upsert' && claim.range.by === 'key'
      await ledger.claims.fail(claim, error, startsAnew)
    } catch (failure) {
      table.error ??= failureKind(failure).error
      return
    }
    // Differing rows affect one chunk only; a missing privilege or a lost server affects all chunks.
    if (kind === 'row' || error.code === 'PROOF_FAILED' || error.code === 'TARGET_NOT_EMPTY') return
    table.error ??= error
  }

  async #release(table: StartedTable, claim: Claim, reason: ReleaseReason, error: SluiceError | null): Promise<void> {
    const { ledger } = table.context
    try {
      await ledger.claims.release(claim, 0, error === null ? null : { code: error.code, message: error.message })
    } catch {
      // The ledger is unreachable, so the chunk's lease expires later; or another process has the chunk already. In
      // both cases, no worker of this process has it.
      return this.#finishChunk(table, claim, 'taken', error)
    }
    this.#finishChunk(table, claim, reason, error)
  }

  #finishChunk(
    { context: { emit, name } }: StartedTable,
    claim: Claim,
    reason: ReleaseReason,
    error: SluiceError | null,
  ): void {
    emit({
      type: 'chunk.released',
      table: name,
      chunk: String(claim.no),
      reason,
      ...(error === null ? {} : { error: error.info() }),
    })
  }

  #progress(table: StartedTable, claim: Claim): ChunkProgress {
    const { clock } = this.#options
    const { emit, name, plan } = table.context
    let last = Number.NEGATIVE_INFINITY
    let before = ''
    return (step, rows, bytes) => {
      const now = clock.ticks()
      if (step === before && now - last < PROGRESS_MS) return
      last = now
      before = step
      emit({
        type: 'chunk.progress',
        table: name,
        chunk: String(claim.no),
        worker: this.#no,
        done: dec(rows),
        total: dec(plan.chunkRows),
        unit: 'row',
        step,
        bytes: dec(Math.round(bytes)),
      })
    }
  }

  async #wait(ms: number, signal = this.#endPauses): Promise<void> {
    await sleep(ms, undefined, { signal }).catch(() => undefined)
  }
}

/** Retries the failed chunks of a table during the run. */
async function retryFailed(table: TableRun, context: TableContext, { chunk, shared }: TableSteering): Promise<void> {
  const { emit, ledger, name } = context
  const reopened = await ledger.reopenFailed(chunk ?? null)
  // Another process of the run may have reopened the chunks already.
  const isElsewhere = shared === true && table.ended !== undefined && table.ended.error !== null
  if (reopened > 0 || isElsewhere || (chunk === undefined && table.error !== null)) {
    // Reopen the table: workers claim no chunks of a table that was given up or reported as failed.
    table.done = false
    table.error = null
    delete table.ended
    return
  }
  const what = chunk === undefined ? `no chunk of ${name} has failed` : `chunk ${chunk} of ${name} has not failed`
  emit({
    type: 'log',
    level: 'note',
    table: name,
    message: `${what}: there is nothing to retry`,
    hint: 'sluice quarantine retry writes quarantined rows again',
  })
}

/**
 * A signal that is aborted with either signal. Dispose it after each chunk to remove its listeners: a run has many
 * chunks.
 */
function linked(a: AbortSignal, b: AbortSignal): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const pass = (): void => controller.abort(a.aborted ? a.reason : b.reason)
  if (a.aborted || b.aborted) pass()
  a.addEventListener('abort', pass, { once: true })
  b.addEventListener('abort', pass, { once: true })
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      a.removeEventListener('abort', pass)
      b.removeEventListener('abort', pass)
    },
  }
}

/** @throws SluiceError of the source if the table's chunks belong to a view that is gone */
async function viewFor(context: TableContext): Promise<SourceView> {
  const view = await context.views.current()
  if (context.only === null || view === context.only) return view
  throw blocksLost(context, null)
}

function blocksLost({ name }: TableContext, cause: SluiceError | null): SluiceError {
  return new SluiceError('CONNECTION_LOST', `the copy of ${name} cannot continue: the source snapshot was lost`, {
    kind: 'source',
    reason: cause?.message ?? 'the source server was restarted, or the connection to it broke',
    hint: 'run the same command again: it copies the table from the beginning, because the table has no key to resume by',
    ...(cause === null ? {} : { cause }),
  })
}
