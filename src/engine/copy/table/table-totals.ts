/**
 * Totals over the chunks of a table, added chunk by chunk, or computed by the ledger. For single chunks, only tokens
 * are kept.
 */
import type { TokenRange } from '../../../model/copy/ring.ts'
import { asCompared, type AgainWork } from '../again/again-work.ts'
import type { TableContext } from './context.ts'
import type { ChunkTotals } from '../ledger/chunk-totals.ts'
import { DIFFERS, weakProofs, type StoredChunk } from '../ledger/stored-chunk.ts'
import { chunkTokens } from '../plan/ring-plan.ts'
import type { Tallies } from './table-run.ts'

export class TableTotals {
  /** Number of chunks in the ledger. */
  chunks = 0n
  failed = 0n
  /** Error of the first failed chunk. */
  cause: string | null = null
  /** Error codes of failed chunks. */
  readonly codes = new Set<string>()
  quarantined = 0n
  /** True if some chunks are not completed. */
  isOpen = false
  /** Tokens of chunks on a ring. */
  readonly tokens: TokenRange[] = []
  /** True if all chunks are completed, and none is left that this run must compare. */
  isWhole = true
  /** True if the target was compared as a whole, the only proof for chunks that are no ranges of the target. */
  isProvedWhole = false
  /** Ids of the read views of the source in which chunks were read. */
  readonly views = new Set<string>()
  /** Checksum of the source rows of all chunks; 0 if chunks are ranges of the target, or if they have no checksums. */
  sourceChecksum = 0n
  /** Number of rows written. */
  written = 0n
  /** Target rows beyond those written from the source, in chunks that this run copied. */
  extra = 0n
  /** Chunks that other runs completed. */
  earlier = 0n
  /** Chunks of `earlier` that were completed before `begunMs`. */
  old = 0n
  /** Chunks of `earlier` that were copied without a proof, and those that were proved only by their number of rows. */
  unproved = 0n
  counted = 0n
  /** Chunks in which a comparison has left differences. */
  differing = 0n
  /** First and last completion of chunks of other runs; null if none is recorded. */
  completionTimes: readonly [number, number] | null = null
  readonly #context: TableContext
  readonly #again: AgainWork | undefined
  /** Start of this run, or of the distributed run of this task, by the clock of the ledger. */
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
    this.quarantined += chunk.quarantined
    if (chunk.status === 'failed') {
      if (this.failed === 0n) this.cause = chunk.error
      if (chunk.errorCode !== null) this.codes.add(chunk.errorCode)
      this.failed++
    }
    this.isOpen ||= chunk.status !== 'completed'
    const { ring } = this.#context
    const tokens = ring === null ? null : chunkTokens(chunk, ring)
    if (tokens !== null) this.tokens.push(tokens)
    this.#addSeen(this.#asReported(chunk))
  }

  /** Adds all chunks at once, if `canTakeTotals`. */
  take({
    chunks,
    failed,
    cause,
    codes,
    quarantined,
    written,
    done,
    extra,
    earlier,
    old,
    unproved,
    counted,
    differing,
    closedSpan,
    views,
  }: ChunkTotals): void {
    this.chunks += chunks
    this.failed += failed
    this.cause ??= cause
    for (const code of codes) this.codes.add(code)
    this.quarantined += quarantined
    this.written += written
    this.isOpen ||= done.chunks < chunks
    this.isWhole &&= done.chunks === chunks
    for (const view of views) this.views.add(view)
    for (const name of ['chunks', 'read', 'written', 'skipped', 'quarantined', 'bytes'] as const)
      this.#done[name] += done[name]
    this.extra += extra
    this.earlier += earlier
    this.old += old
    this.unproved += unproved
    if (this.#isStrongProof) this.counted += counted
    this.differing += differing
    this.completionTimes = closedSpan
  }

  /** True if no value is needed per chunk: tokens, row checksum, or result of a comparison. */
  get canTakeTotals(): boolean {
    const { ring, plan } = this.#context
    return ring === null && this.#again === undefined && (plan.cut === 'key' || plan.proof !== 'canonical')
  }

  get #isProvedByChunk(): boolean {
    const { cut, proof, onExisting } = this.#context.plan
    return cut === 'key' || proof === 'none' || (proof === 'canonical' && onExisting !== 'refuse')
  }

  /** True if the plan proves chunks by more than their number of rows. */
  get #isStrongProof(): boolean {
    return weakProofs(this.#context.plan.proof).includes('count')
  }

  /** @param inspected number of chunks of other runs that this run counted on both sides */
  tally(inspected: number): Tallies {
    const { chunks: done, ...sums } = this.#done
    return {
      ...sums,
      chunks: this.chunks,
      proved: this.#isProvedByChunk || this.isProvedWhole ? done - this.earlier : 0n,
      earlier: this.earlier,
      unproved: this.unproved,
      counted: this.counted,
      looked: BigInt(inspected),
    }
  }

  /** The chunk as this run reports it: a chunk that it compared belongs to this run. */
  #asReported(chunk: StoredChunk): StoredChunk {
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
      this.sourceChecksum += BigInt(`0x${sourceSum ?? '0'}`)
    this.isWhole &&= status === 'completed'
    if (status !== 'completed') return
    const done = this.#done
    done.chunks++
    done.read += more.read
    done.written += written
    done.skipped += more.skipped
    done.quarantined += quarantined
    done.bytes += more.bytes
    // Extra rows in chunks of other runs are found by the count, those in compared chunks by the comparison.
    const extra = isOwn && this.#again?.proved.has(id) !== true && surplus !== null ? surplus + quarantined : 0n
    if (extra > 0n) this.extra += extra
    if (more.proof === DIFFERS) this.differing++
    if (!isOwn) this.#addEarlier(more.completedMs, more.proof)
  }

  #addEarlier(at: number | null, proof: string | null): void {
    this.earlier++
    if (proof === 'none') this.unproved++
    if (proof === 'count' && this.#isStrongProof) this.counted++
    if (at === null || at < this.begunMs) this.old++
    if (at === null) return
    const [first, last] = this.completionTimes ?? [at, at]
    this.completionTimes = [Math.min(first, at), Math.max(last, at)]
  }
}
