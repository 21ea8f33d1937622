/**
 * Counts the rows of chunks that earlier runs have proved, on both sides, before a run says that a table is whole: the target has to hold what the
 * source holds now and the surplus that was noted when the chunk was closed. Counts see rows that came or went, and no changed values.
 */
import type { Range } from '../../../model/copy/range.ts'
import { dec } from '../../../model/event.ts'
import type { SourceView } from '../../../stores/copy-port.ts'
import type { TableContext } from '../context.ts'
import { sourceRequest, targetRequest, targetRange } from '../diff/sides.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { onSide } from '../sides.ts'
import { countRanges, keysRequest } from './counts.ts'
import { isRanged } from './ranged.ts'

/** Ranges that are counted at once: few enough for a stop to be heeded soon. */
export const AT_ONCE = 32
const PROGRESS_MS = 250

/** Counts of a chunk, or of a table that is counted as a whole. */
export type Counted = {
  /** Null for the table as a whole. */
  readonly chunk: StoredChunk | null
  /** Rows of the source when it was closed, and now. */
  readonly before: bigint
  readonly source: bigint
  /** Rows that the target has to hold; null where no run has noted the surplus. */
  readonly expected: bigint | null
  readonly target: bigint
}

/** @returns whether only the source changed since the chunk was closed; null where the counts are as they have to be */
export function sideOf({ before, source, expected, target }: Counted): 'source' | 'target' | null {
  if (expected === null || target === expected) return null
  return target - (expected - source) === before ? 'source' : 'target'
}

/** Rows of the target beyond those of the source, of a chunk as the ledger has it. Version 1 noted none: there a range that had to be empty holds what was written. */
export function surplusOf({ plan }: TableContext, { surplus, read, written }: StoredChunk): bigint | null {
  if (surplus !== null) return surplus
  return plan.onExisting === 'refuse' || plan.onExisting === 'replace-range' ? written - read : null
}

/** What a table that is counted as a whole has beyond the source, or short of it, because of rows that its chunks have set aside. */
export function asideSurplus(chunks: readonly StoredChunk[]): bigint {
  return chunks.reduce((sum, { surplus, read, written, skipped }) => sum + (surplus ?? written + skipped - read), 0n)
}

/**
 * @param chunks that earlier runs completed
 * @param all chunks of the table that are completed, those of this run too
 * @param planSurplus rows of the target that no chunk wrote, for a table that is counted as a whole; null where that is not known
 * @param stop ends the look between two slices
 * @returns null where it was stopped
 */
export async function lookAt(
  context: TableContext,
  chunks: readonly StoredChunk[],
  all: readonly StoredChunk[],
  planSurplus: bigint | null,
  stop: AbortSignal,
): Promise<readonly Counted[] | null> {
  await using target = await onSide('target', () => context.store.source(context.signal))
  const look = new Look(context, target, stop)
  return isRanged(context.plan) ? await look.byChunk(chunks) : await look.whole(chunks, all, planSurplus)
}

class Look {
  readonly #context: TableContext
  readonly #target: SourceView
  readonly #stop: AbortSignal
  #told = Number.NEGATIVE_INFINITY

  constructor(context: TableContext, target: SourceView, stop: AbortSignal) {
    this.#context = context
    this.#target = target
    this.#stop = stop
  }

  async byChunk(chunks: readonly StoredChunk[]): Promise<readonly Counted[] | null> {
    const counted: Counted[] = []
    for (let at = 0; at < chunks.length; at += AT_ONCE) {
      if (this.#stop.aborted) return null
      this.#progress(at, chunks.length)
      const some = chunks.slice(at, at + AT_ONCE)
      const ranges = some.map(({ range }) => range)
      const [sources, targets] = await Promise.all([this.#source(ranges), this.#rows(ranges)])
      for (const [i, chunk] of some.entries()) {
        const [source = 0n, target = 0n] = [sources[i], targets[i]]
        const surplus = surplusOf(this.#context, chunk)
        counted.push({
          chunk,
          before: chunk.read,
          source,
          target,
          expected: surplus === null ? null : source + surplus,
        })
      }
    }
    this.#progress(chunks.length, chunks.length, true)
    return counted
  }

  /** Where bounds mean nothing in the target, the sum over all chunks is compared with the count of the table. */
  async whole(
    chunks: readonly StoredChunk[],
    all: readonly StoredChunk[],
    planSurplus: bigint | null,
  ): Promise<readonly Counted[] | null> {
    const before = all.reduce((sum, { read }) => sum + read, 0n)
    const ours = all.filter((chunk) => !chunks.includes(chunk)).reduce((sum, { read }) => sum + read, 0n)
    const source = await this.#sourceOf(chunks)
    if (source === null) return null
    const [target = 0n] = await this.#rows([{ by: 'all' }])
    this.#progress(chunks.length, chunks.length, true)
    const expected = planSurplus === null ? null : source + ours + asideSurplus(all) + planSurplus
    return [{ chunk: null, before, source: source + ours, target, expected }]
  }

  /** Blocks mean something within one view only, so that a table without a key is counted as a whole. */
  async #sourceOf(chunks: readonly StoredChunk[]): Promise<bigint | null> {
    if (this.#context.plan.cut !== 'key') return (await this.#source([{ by: 'all' }]))[0] ?? 0n
    let sum = 0n
    for (let at = 0; at < chunks.length; at += AT_ONCE) {
      if (this.#stop.aborted) return null
      this.#progress(at, chunks.length)
      for (const rows of await this.#source(chunks.slice(at, at + AT_ONCE).map(({ range }) => range))) sum += rows
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
    if (!last && now - this.#told < PROGRESS_MS) return
    this.#told = now
    this.#context.emit({ type: 'look.progress', table: this.#context.name, done: dec(done), total: dec(total) })
  }
}
