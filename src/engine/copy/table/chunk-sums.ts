/** What the chunks of a table come to, told one after the other or added up by the ledger: sums, and nothing of any chunk but its tokens. */
import type { TokenRange } from '../../../model/copy/ring.ts'
import { asCompared, type AgainWork } from '../again/again-work.ts'
import type { TableContext } from './context.ts'
import type { ChunkTotals } from '../ledger/chunk-totals.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { chunkTokens } from '../plan/ring-plan.ts'
import type { Tallies } from './table-run.ts'

export class Standing {
  /** As the ledger has them. */
  chunks = 0n
  failed = 0n
  /** Why the first of those was that failed. */
  cause: string | null = null
  aside = 0n
  /** Some are not done. */
  isOpen = false
  /** Of chunks on a ring. */
  readonly tokens: TokenRange[] = []
  /** As this run knows them: what it was to compare and has not is not done. */
  isWhole = true
  /** Views of the source that they were read in. */
  readonly views = new Set<string>()
  /** Sum of their rows as the source had them, where chunks are no ranges of the target, and how many were written. */
  sourceSum = 0n
  written = 0n
  /** Rows of the target that no row of the source was written to, in chunks that this run copied. */
  extra = 0n
  /** Chunks that other runs completed. */
  earlier = 0n
  /** Of those: before `begunMs`. */
  old = 0n
  /** First and last moment at which those were proved; null where no run has noted it. */
  provedSpan: readonly [number, number] | null = null
  readonly #context: TableContext
  readonly #again: AgainWork | undefined
  /** When this run began, or the run that it is a slot of, by the clock of the ledger. */
  readonly begunMs: number
  readonly #done = { read: 0n, written: 0n, skipped: 0n, quarantined: 0n, bytes: 0n, chunks: 0n }

  constructor(context: TableContext, again: AgainWork | undefined, begunMs: number) {
    this.#context = context
    this.#again = again
    for (const view of again?.views ?? []) this.views.add(view)
    this.begunMs = begunMs
  }

  add(chunk: StoredChunk): void {
    this.chunks++
    this.aside += chunk.quarantined
    if (chunk.status === 'failed') {
      if (this.failed === 0n) this.cause = chunk.error
      this.failed++
    }
    this.isOpen ||= chunk.status !== 'completed'
    const { ring } = this.#context
    const tokens = ring === null ? null : chunkTokens(chunk, ring)
    if (tokens !== null) this.tokens.push(tokens)
    this.#addSeen(this.#seen(chunk))
  }

  /** All of them at once, where `canTakeTotals`. */
  take({
    chunks,
    failed,
    cause,
    quarantined,
    written,
    done,
    extra,
    earlier,
    old,
    closedSpan,
    views,
  }: ChunkTotals): void {
    this.chunks += chunks
    this.failed += failed
    this.cause ??= cause
    this.aside += quarantined
    this.written += written
    this.isOpen ||= done.chunks < chunks
    this.isWhole &&= done.chunks === chunks
    for (const view of views) this.views.add(view)
    for (const name of ['chunks', 'read', 'written', 'skipped', 'quarantined', 'bytes'] as const)
      this.#done[name] += done[name]
    this.extra += extra
    this.earlier += earlier
    this.old += old
    this.provedSpan = closedSpan
  }

  /** Whether nothing is asked of each chunk: neither its tokens, nor the sum of its rows, nor whether it was compared. */
  get canTakeTotals(): boolean {
    const { ring, plan } = this.#context
    return ring === null && this.#again === undefined && (plan.cut === 'key' || plan.proof !== 'canonical')
  }

  /** @param looked chunks of other runs that this one has counted on both sides */
  tally(looked: number): Tallies {
    const { chunks: done, ...sums } = this.#done
    return {
      ...sums,
      chunks: this.chunks,
      proved: done - this.earlier,
      earlier: this.earlier,
      looked: BigInt(looked),
    }
  }

  /** Chunks that a comparison has proved anew are this run's. */
  #seen(chunk: StoredChunk): StoredChunk {
    if (this.#again === undefined) return chunk
    const { proved, open } = this.#again
    const compared = asCompared(chunk, this.#again)
    return proved.has(chunk.id) || open.has(chunk.id) ? { ...compared, runId: this.#context.owner.runId } : compared
  }

  #addSeen({ id, status, runId, view, sourceSum, written, surplus, quarantined, ...more }: StoredChunk): void {
    const isOwn = runId === this.#context.owner.runId
    if (view !== null) this.views.add(view)
    this.written += written
    if (this.#context.plan.cut !== 'key' && this.#context.plan.proof === 'canonical')
      this.sourceSum += BigInt(`0x${sourceSum ?? '0'}`)
    this.isWhole &&= status === 'completed'
    if (status !== 'completed') return
    const done = this.#done
    done.chunks++
    done.read += more.read
    done.written += written
    done.skipped += more.skipped
    done.quarantined += quarantined
    done.bytes += more.bytes
    // Of chunks of other runs the look tells, and of compared ones the comparison.
    const extra = isOwn && this.#again?.proved.has(id) !== true && surplus !== null ? surplus + quarantined : 0n
    if (extra > 0n) this.extra += extra
    if (!isOwn) this.#addEarlier(more.completedMs)
  }

  #addEarlier(at: number | null): void {
    this.earlier++
    if (at === null || at < this.begunMs) this.old++
    if (at === null) return
    const [first, last] = this.provedSpan ?? [at, at]
    this.provedSpan = [Math.min(first, at), Math.max(last, at)]
  }
}
