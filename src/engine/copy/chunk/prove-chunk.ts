/**
 * Proof of one chunk: digests of its rows on both sides, its target surplus, and its last key if its range has no upper
 * bound.
 */
import type { Claim, TablePlan, TallyOfChunk } from '../../../model/copy/plan.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { KeyBound, Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { equalDigests, type Digest, type Row } from '../../../model/copy/rows.ts'
import type { ChunkWriter } from '../../../model/copy/target-port.ts'
import type { RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import { compareCounted, compareDigests, otherNullKeys } from './chunk-proof.ts'
import type { Computed } from './computed.ts'
import type { TableContext } from '../table/context.ts'
import { targetRequest } from '../diff/sides.ts'
import { lastingRows, type Expiring } from './expiring.ts'
import type { RowToQuarantine } from '../ledger/quarantine.ts'
import { countRanges, keysRequest } from '../recount/counts.ts'
import { isRanged } from '../recount/ranged.ts'
import { onSide } from '../sides.ts'
import type { WrittenKeys } from './written-keys.ts'

/** Last key of a chunk whose range had no upper bound, as a bound and as the ledger stores it. */
export type OpenRangeEnd = { readonly last: KeyBound; readonly hi: string; readonly endId: bigint | null }

/** A chunk whose rows are written but not committed. */
export type WrittenChunk = {
  readonly context: TableContext
  readonly view: SourceView
  readonly writer: ChunkWriter
  readonly claim: Claim
  readonly scheme: TablePlan['proof']
  /** True if the range was empty before the chunk was written, or is emptied first. */
  readonly startsEmpty: boolean
  /** Keys of the rows written and skipped, if only these rows are proved; otherwise null. */
  readonly keys: WrittenKeys | null
  /** Positions of the target's key in a row. */
  readonly targetKey: readonly number[]
  readonly written: bigint
  /** Rows that were not written because the target has a row with their key. */
  readonly skipped: bigint
  /** Rows that expired (TTL) before they were written. */
  readonly expired: bigint
  readonly expiring: Expiring
  readonly computed: Computed
  readonly refusedRows: readonly RowToQuarantine[]
  /** Request to read the chunk's rows again; unreadable rows are skipped. */
  readonly request: RowRequest
  readonly keyOf: (row: Row) => RowKey
}

/** Equal digests of both sides; null for a side that was not read. */
export type ProvedDigests = {
  readonly source: Digest | null
  readonly stored: Digest | null
  /** Rows in the target's range; null if only some of them were read. */
  readonly rows: bigint | null
}

export class ChunkProof {
  readonly #chunk: WrittenChunk

  constructor(chunk: WrittenChunk) {
    this.#chunk = chunk
  }

  /**
   * Compares the rows read with the rows that are in the target now.
   * @param read digest of the rows read; null if they were only counted
   * @param forwarded true if rows were passed on as the source printed them
   * @throws SluiceError PROOF_FAILED; errors of the stores
   */
  async compare(read: Digest | null, forwarded: boolean): Promise<ProvedDigests> {
    const { context, claim, scheme, writer, keys, computed, view, startsEmpty } = this.#chunk
    const { plan, signal } = context
    const { range } = claim
    if (scheme === 'none') return { source: read, stored: null, rows: null }
    const columns = keys?.columns ?? null
    if (keys !== null && columns !== null) return await this.#compareKeys(read, keys, columns)
    // Rows of block ranges cannot be found in the target: they are compared when the whole table is copied.
    if (range.by !== 'key' && range.by !== 'nullKey') return { source: read, stored: null, rows: null }
    // For this proof by count, neither a range nor keys select exactly the chunk's rows in the target.
    if (scheme === 'count' && keys === null && !startsEmpty && !writer.seesRange)
      return { source: read, stored: null, rows: null }
    const only = keys?.texts ?? null
    const begun = performance.now()
    const stored = await writer.digest({
      scheme,
      ...(only === null ? {} : { only }),
      ...(scheme === 'echo' && plan.frames !== undefined ? { frames: plan.frames } : {}),
    })
    const tookMs = performance.now() - begun
    const expected = read ?? { rows: this.#counted(stored.rows), sum: '' }
    const found = read === null ? { rows: stored.rows, sum: '' } : stored
    const steady = equalDigests(expected, found) ? null : await this.#withoutExpiring(scheme, expected, found, tookMs)
    if (steady === null) {
      if (range.by === 'nullKey' && !startsEmpty && stored.rows > expected.rows)
        throw otherNullKeys(plan, stored.rows - expected.rows)
      compareDigests(plan, expected, found, {
        isByRow: context.store.can.atomic === 'row',
        isResumed: claim.cursor !== null,
      })
    }
    if (scheme !== 'count') await computed.prove(writer, range, forwarded ? view : null, only, signal)
    if (steady !== null) return { source: read === null ? null : steady, stored: steady, rows: null }
    return { source: read, stored, rows: only === null ? stored.rows : null }
  }

  /** Compares the target rows that have the chunk's keys. */
  async #compareKeys(
    read: Digest | null,
    { expected, texts: only }: WrittenKeys,
    columns: readonly WriteColumn[],
  ): Promise<ProvedDigests> {
    const { context, writer, claim, scheme } = this.#chunk
    const begun = performance.now()
    const found = await writer.digest({ scheme: 'canonical', only, columns })
    const tookMs = performance.now() - begun
    const steady = equalDigests(expected, found) ? null : await this.#withoutExpiring('count', expected, found, tookMs)
    if (steady === null) (scheme === 'count' ? compareCounted : compareDigests)(context.plan, expected, found)
    const isRange = claim.range.by === 'key' || claim.range.by === 'nullKey'
    return { source: read, stored: isRange ? { rows: (steady ?? found).rows, sum: '' } : null, rows: null }
  }

  /**
   * Number of rows expected in the target's range, for a proof by count: the rows written or skipped. If the range may
   * have other rows too, a larger `stored` is also correct, and is returned.
   */
  #counted(stored: bigint): bigint {
    const { startsEmpty, written, skipped } = this.#chunk
    const least = written + skipped
    return startsEmpty || stored < least ? least : stored
  }

  /**
   * Rows in the target's range minus rows read. A range that was empty, or was emptied, contains only the rows written;
   * otherwise rows are counted.
   * @param rows rows in the target's range, if counted
   * @param last new upper bound of a range that had none; null if the bound is unchanged
   * @returns null if the writer cannot count the range: the first count of a later run then records the surplus
   */
  async surplus(tally: TallyOfChunk, rows: bigint | null, last: KeyBound | null): Promise<bigint | null> {
    const { context, startsEmpty, expired, writer } = this.#chunk
    // The target has no range for this chunk: every row read is in the target or quarantined.
    if (!isRanged(context.plan)) return -tally.quarantined
    // Expired rows are gone on both sides.
    if (startsEmpty) return tally.written + expired - tally.read
    if (!writer.seesRange) return null
    const held = rows ?? (await writer.digest({ scheme: 'count' })).rows
    return held + expired - tally.read - (last === null ? 0n : await this.#rowsAbove(last))
  }

  /**
   * Upper bound for a last chunk without one: its largest key that can be a bound, so that the next run copies later
   * rows above it. Null if the chunk has a bound or no such row.
   */
  async end(): Promise<OpenRangeEnd | null> {
    const { range } = this.#chunk.claim
    if (range.by !== 'key' || range.through !== null) return null
    const last = await this.#lastBound(range)
    if (last === null) return null
    const [first = ''] = last
    return {
      last,
      hi: JSON.stringify(last),
      endId: last.length === 1 && /^-?\d{1,18}$/.test(first) ? BigInt(first) : null,
    }
  }

  /**
   * The largest key that is its own bound. SQLite may hold a key that is not: bytes in a column of texts sort above
   * every text, so a range up to their text would not contain their row.
   */
  async #lastBound(range: Range & { readonly by: 'key' }): Promise<KeyBound | null> {
    const { context, view } = this.#chunk
    const { plan, signal } = context
    let bound: KeyBound | null = null
    for (;;) {
      const through: KeyBound | null = bound
      const last = await view.last(plan.source, { ...range, through }, plan.where ?? null, signal)
      if (last === null || JSON.stringify(last) === JSON.stringify(through)) return last
      bound = last
    }
  }

  /**
   * Compares again without rows that expire soon, if any row may have expired.
   * @returns null if expiry cannot explain the difference, or if rows that do not expire soon differ too
   */
  async #withoutExpiring(
    scheme: 'canonical' | 'count' | 'echo',
    expected: Digest,
    found: Digest,
    tookMs: number,
  ): Promise<Digest | null> {
    const { context, view, writer, expiring, keys: written, refusedRows, request, targetKey, keyOf } = this.#chunk
    if (!expiring.mayHaveEnded || scheme === 'echo' || found.rows > expected.rows) return null
    const refused = new Set(refusedRows.map(({ key }) => JSON.stringify(key)))
    const isWanted = (text: string, row: Row): boolean =>
      (written?.texts.has(text) ?? true) && !refused.has(JSON.stringify(keyOf(row)))
    const rows = view.read(request, context.batch, context.signal)
    const { digest, keys } = await lastingRows(rows, targetKey, isWanted, tookMs)
    const stored = await writer.digest({ scheme, only: keys })
    if (scheme === 'count') return stored.rows === digest.rows ? stored : null
    return equalDigests(digest, stored) ? stored : null
  }

  /** Rows above the chunk's last key: they were in the target before and belong to no chunk. */
  async #rowsAbove(last: KeyBound): Promise<bigint> {
    const { plan, store, signal } = this.#chunk.context
    const above: Range = { by: 'key', after: last, through: null }
    return await onSide('target', async () => {
      await using view = await store.source(signal)
      const request = keysRequest(plan, targetRequest({ plan }, above))
      return (await countRanges(view, request, [request.range], signal))[0] ?? 0n
    })
  }
}
