/** The two sides of a comparison of a table, with retries after transient failures. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Range } from '../../../model/copy/range.ts'
import type { ReadPoint } from '../../../model/copy/plan.ts'
import { Attempts } from '../../../shared/attempts.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { TableContext } from '../table/context.ts'
import type { ComparedSides, DifferenceProcessor } from '../diff/process-differences.ts'
import { ComparedKeys } from '../diff/compared-keys.ts'
import { comparesLifetimes, findsByKey } from '../diff/sides.ts'
import { failureKind, yieldedText } from '../workers/failure.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { withRetries } from '../workers/retries.ts'
import type { TableRun } from '../table/table-run.ts'
import type { CopyContext } from '../table/copy-context.ts'
import { compareChunk, type ChunkComparison } from './compare-chunk.ts'

export class AgainSides {
  readonly compared: ComparedSides
  /** Source keys compared so far, if the target may store several of them as one key; otherwise null. */
  readonly met: ComparedKeys | null
  readonly #table: TableRun
  readonly #context: TableContext
  readonly #copyContext: CopyContext
  /** Opened once and shared by all workers. */
  #target: Promise<SourceView> | null = null

  constructor(table: TableRun, context: TableContext, copyContext: CopyContext) {
    this.#table = table
    this.#context = context
    this.#copyContext = copyContext
    const { plan, signal } = context
    this.met = findsByKey(plan) ? null : new ComparedKeys()
    this.compared = { plan, signal, ...comparesLifetimes(plan, copyContext.operation.cassandra) }
  }

  async compare(
    range: Range,
    source: SourceView,
    processor: DifferenceProcessor,
    how: {
      readonly deletes: boolean
      readonly extraOnly: boolean
      readonly progress: (step: 'reading' | 'writing', rows: bigint) => void
      /** Number of the chunk. */
      readonly part: number
    },
  ): Promise<ChunkComparison | null> {
    const met = this.met
    const { store, ring, signal } = this.#context
    this.#target ??= store.source(signal)
    const opened = this.#target
    return await compareChunk(range, {
      sides: { ...this.compared, source },
      target: await opened.catch((error: unknown) => {
        if (this.#target === opened) this.#target = null
        throw error
      }),
      met: met === null ? null : () => met.pass(how.part),
      to: store,
      ring,
      processor,
      isStopped: () => this.#stop.aborted,
      ...how,
    })
  }

  /** Retries after transient failures. @returns null if the run stops or the chunk is given up */
  async retried(
    chunk: StoredChunk | null,
    body: (source: SourceView) => Promise<ChunkComparison | null>,
  ): Promise<{ readonly comparison: ChunkComparison; readonly point: ReadPoint } | null> {
    const { views } = this.#copyContext
    const { emit, name } = this.#context
    const attempts = new Attempts(this.#context.retryMs)
    for (let attempt = 1; ; attempt++) {
      const target = this.#target
      const view = await withRetries(() => views.current(), this.#context, this.#stop)
      try {
        const comparison = await body(view)
        return comparison === null ? null : { comparison, point: view.point }
      } catch (thrown) {
        const { kind, error } = failureKind(thrown)
        if (kind === 'stop' || this.#stop.aborted) return null
        const waitMs = kind === 'retry' ? attempts.failed() : null
        if (waitMs === null) {
          if (error.code === 'INTERNAL') throw thrown
          if (chunk !== null) emit({ type: 'chunk.failed', table: name, chunk: String(chunk.no), error: error.info() })
          this.#table.error ??= error
          return null
        }
        if (error.kind === 'source') {
          const yielded = (await views.renew(view, error)) ? yieldedText(error) : null
          if (yielded !== null) emit({ type: 'log', level: 'note', table: name, message: yielded })
        } else if (this.#target === target) await this.#drop(target)
        if (chunk !== null) {
          const again = { chunk: String(chunk.no), attempt: attempt + 1, waitMs, error: error.info() }
          emit({ type: 'chunk.retried', table: name, ...again })
        }
        await sleep(waitMs, undefined, { signal: this.#stop }).catch(() => undefined)
      }
    }
  }

  async #drop(opened: Promise<SourceView> | null): Promise<void> {
    this.#target = null
    // Ignore errors of closing: if the server is gone, so is its read view.
    await opened?.then((view) => view[Symbol.asyncDispose]()).catch(() => undefined)
  }

  /** Closes the read view of the target; the next comparison opens another. */
  async closeTarget(): Promise<void> {
    await this.#drop(this.#target)
  }

  get #stop(): AbortSignal {
    return this.#copyContext.steering.stop
  }
}
