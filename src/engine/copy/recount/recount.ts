/**
 * Counts rows of chunks that earlier runs proved, on both sides, before a run reports a table as complete. The target
 * must have as many rows as the source has now, plus the surplus recorded at completion. Counts detect added and
 * removed rows, but no changed values.
 */
import type { Range } from '../../../model/copy/range.ts'
import { dec } from '../../../model/run/event.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { TableContext } from '../table/context.ts'
import { sourceRequest, targetRequest, targetRange } from '../diff/sides.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { onSide } from '../sides.ts'
import { countRanges, keysRequest } from './counts.ts'
import { isRanged } from './ranged.ts'

/** Ranges per count: few enough to stop soon. */
export const AT_ONCE = 32
const PROGRESS_MS = 250

/** Counts of a chunk, or of a table that is counted as a whole. */
export type RecountedChunk = {
  /** Null for the table as a whole. */
  readonly chunk: StoredChunk | null
  /** Rows of the source: `before` at completion, `source` now. */
  readonly before: bigint
  readonly source: bigint
  /** Expected number of target rows; null if no run recorded the surplus. */
  readonly expected: bigint | null
  readonly target: bigint
}

/** @returns `source` if only the source changed since completion, else `target`; null if the counts are as expected */
export function changedSide({ before, source, expected, target }: RecountedChunk): 'source' | 'target' | null {
  if (expected === null || target === expected) return null
  return target - (expected - source) === before ? 'source' : 'target'
}

/**
 * Recorded surplus of a chunk. Ledger version 1 did not record it. Then it is `written` minus `read` if the range had
 * to be empty or was replaced, otherwise unknown (null).
 */
export function surplusOf({ plan }: TableContext, { surplus, read, written }: StoredChunk): bigint | null {
  if (surplus !== null) return surplus
  return plan.onExisting === 'refuse' || plan.onExisting === 'replace-range' ? written - read : null
}

/** Result of a count: totals, and all unexpected counts. */
export type CountResult = {
  /** Chunks without a recorded surplus. */
  readonly unknown: readonly RecountedChunk[]
  /** Unexpected counts, each with the side that has changed. */
  readonly found: readonly { readonly one: RecountedChunk; readonly side: 'source' | 'target' }[]
  /** Surplus rows (`more`) and missing rows (`fewer`), counted separately so that they cannot cancel out. */
  readonly more: bigint
  readonly fewer: bigint
}

/** Chunks that earlier runs completed, and their number. */
export type EarlierChunks = { readonly chunks: AsyncIterable<StoredChunk>; readonly count: number }

/**
 * @param planSurplus rows of the target that no chunk wrote, for a table that is counted as a whole; null if unknown
 * @param stop ends the count between two groups of chunks
 * @returns null if it was stopped
 */
export async function recount(
  context: TableContext,
  earlier: EarlierChunks,
  planSurplus: bigint | null,
  stop: AbortSignal,
): Promise<CountResult | null> {
  await using target = await onSide('target', () => context.store.source(context.signal))
  const counts = new Recount(context, target, stop)
  return isRanged(context.plan) ? await counts.byChunk(earlier) : await counts.whole(earlier, planSurplus)
}

/** Counts the rows of proved chunks on both sides. */
class Recount {
  readonly #context: TableContext
  readonly #target: SourceView
  readonly #stop: AbortSignal
  readonly #unknown: RecountedChunk[] = []
  readonly #found: CountResult['found'][number][] = []
  #more = 0n
  #fewer = 0n
  notified = Number.NEGATIVE_INFINITY

  constructor(context: TableContext, target: SourceView, stop: AbortSignal) {
    this.#context = context
    this.#target = target
    this.#stop = stop
  }

  async byChunk({ chunks, count }: EarlierChunks): Promise<CountResult | null> {
    let at = 0
    for await (const some of slices(chunks)) {
      if (this.#stop.aborted) return null
      this.#progress(at, count)
      const ranges = some.map(({ range }) => range)
      const [sources, targets] = await Promise.all([this.#source(ranges), this.#rows(ranges)])
      for (const [i, chunk] of some.entries()) {
        const [source = 0n, target = 0n] = [sources[i], targets[i]]
        const surplus = surplusOf(this.#context, chunk)
        this.#note({ chunk, before: chunk.read, source, target, expected: surplus === null ? null : source + surplus })
      }
      at += some.length
    }
    this.#progress(count, count, true)
    return this.#result()
  }

  /**
   * Used if source ranges cannot be read in the target: compares the sum over all chunks with the count of the whole
   * table.
   */
  async whole({ chunks, count }: EarlierChunks, planSurplus: bigint | null): Promise<CountResult | null> {
    const { ledger, owner } = this.#context
    const { before, ours } = await ledger.readRows(owner.runId)
    const source = await this.#sourceOf(chunks, count)
    if (source === null) return null
    const [target = 0n] = await this.#rows([{ by: 'all' }])
    this.#progress(count, count, true)
    const expected = planSurplus === null ? null : source + ours + (await ledger.quarantinedSurplus()) + planSurplus
    this.#note({ chunk: null, before, source: source + ours, target, expected })
    return this.#result()
  }

  #note(one: RecountedChunk): void {
    const side = changedSide(one)
    if (one.expected === null) this.#unknown.push(one)
    if (side !== null) this.#found.push({ one, side })
    const beyond = one.target - one.source
    if (beyond > 0n) this.#more += beyond
    else this.#fewer -= beyond
  }

  #result(): CountResult {
    return { unknown: this.#unknown, found: this.#found, more: this.#more, fewer: this.#fewer }
  }

  /**
   * Number of source rows; null if stopped. Block ranges are valid in one read view only, so a table without a key is
   * counted as a whole.
   */
  async #sourceOf(chunks: EarlierChunks['chunks'], count: number): Promise<bigint | null> {
    if (this.#context.plan.cut !== 'key') return (await this.#source([{ by: 'all' }]))[0] ?? 0n
    let [sum, at] = [0n, 0]
    for await (const some of slices(chunks)) {
      if (this.#stop.aborted) return null
      this.#progress(at, count)
      for (const rows of await this.#source(some.map(({ range }) => range))) sum += rows
      at += some.length
    }
    return sum
  }

  #source(ranges: readonly Range[]): Promise<readonly bigint[]> {
    const { plan, views, signal } = this.#context
    const request = keysRequest(plan, sourceRequest({ plan }, { by: 'all' }))
    return onSide('source', () => views.ask((view) => countRanges(view, request, ranges, signal)))
  }

  #rows(ranges: readonly Range[]): Promise<readonly bigint[]> {
    const { plan, signal } = this.#context
    const request = keysRequest(plan, targetRequest({ plan }, { by: 'all' }))
    const spelled = ranges.map((range) => targetRange({ plan }, range))
    return onSide('target', () => countRanges(this.#target, request, spelled, signal))
  }

  #progress(done: number, total: number, last = false): void {
    const now = performance.now()
    if (!last && now - this.notified < PROGRESS_MS) return
    this.notified = now
    this.#context.emit({ type: 'look.progress', table: this.#context.name, done: dec(done), total: dec(total) })
  }
}

async function* slices(chunks: AsyncIterable<StoredChunk>): AsyncGenerator<readonly StoredChunk[]> {
  let some: StoredChunk[] = []
  for await (const chunk of chunks) {
    some.push(chunk)
    if (some.length < AT_ONCE) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}
