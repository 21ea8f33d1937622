/** The proof of one chunk: what its rows came to on both sides, by how many rows the target has more, and where the range ends that was open. */
import type { Claim, TablePlan, Tally } from '../../../model/copy/plan.ts'
import type { Bound, Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { equalDigests, type Digest, type Row } from '../../../model/copy/rows.ts'
import type { ChunkWriter, RowRequest, SourceView } from '../../../model/copy/port.ts'
import { compareDigests } from './chunk-proof.ts'
import type { Computed } from './computed.ts'
import type { TableContext } from '../table/context.ts'
import { targetRequest } from '../diff/sides.ts'
import { steadyRows, type Expiring } from './expiring.ts'
import type { AsideRow } from '../ledger/quarantine.ts'
import { countRanges, keysRequest } from '../look/counts.ts'
import { isRanged } from '../look/ranged.ts'
import { onSide } from '../sides.ts'

/** Where a chunk ends whose range was open, as a bound and as the ledger writes it. */
export type ChunkEnd = { readonly last: Bound; readonly hi: string; readonly endId: bigint | null }

/** A chunk whose rows are written, and not yet committed. */
export type WrittenChunk = {
  readonly context: TableContext
  readonly view: SourceView
  readonly writer: ChunkWriter
  readonly claim: Claim
  readonly scheme: TablePlan['proof']
  /** Nothing stood in the range before the chunk was written, or nothing stays of it. */
  readonly fresh: boolean
  /** Texts of the keys that were written, where only those are proved. */
  readonly keys: ReadonlySet<string> | null
  /** Where the key of the target stands in a row. */
  readonly targetKey: readonly number[]
  readonly written: bigint
  /** Rows that ended on their own before they were written. */
  readonly expired: bigint
  readonly expiring: Expiring
  readonly computed: Computed
  readonly aside: readonly AsideRow[]
  /** The rows of the chunk once more; those that cannot be read are passed over. */
  readonly request: RowRequest
  readonly keyOf: (row: Row) => RowKey
}

/** Equal digests of both sides; null of a side that was not looked at. */
export type Proved = {
  readonly source: Digest | null
  readonly stored: Digest | null
  /** How many rows the range of the target holds; null where only some of them were looked at. */
  readonly rows: bigint | null
}

export class ChunkProof {
  readonly #chunk: WrittenChunk

  constructor(chunk: WrittenChunk) {
    this.#chunk = chunk
  }

  /**
   * Compares what was read with what the target holds now.
   * @param read what the rows that were read came to; null where they were only counted
   * @param forwarded rows went through as the source printed them
   * @throws SluiceError PROOF_FAILED; whatever the stores throw
   */
  async compare(read: Digest | null, forwarded: boolean): Promise<Proved> {
    const { context, claim, scheme, writer, keys, written, computed, view } = this.#chunk
    const { plan, signal } = context
    const { range } = claim
    // Rows of blocks cannot be found again in the target: their sums are compared when all of the table is there.
    const inTarget = range.by === 'key' || range.by === 'nullKey'
    if (!inTarget || scheme === 'none') return { source: read, stored: null, rows: null }
    const begun = performance.now()
    const stored = await writer.digest({
      scheme,
      ...(keys === null ? {} : { only: keys }),
      ...(scheme === 'echo' && plan.frames !== undefined ? { frames: plan.frames } : {}),
    })
    const whole = keys === null && plan.onExisting !== 'append' && plan.onExisting !== 'upsert'
    const tookMs = performance.now() - begun
    const unread = keys === null ? (whole ? written : stored.rows) : BigInt(keys.size)
    const expected = read ?? { rows: unread, sum: '' }
    const found = read === null ? { rows: stored.rows, sum: '' } : stored
    const steady = equalDigests(expected, found) ? null : await this.#steady(scheme, expected, found, tookMs)
    if (steady === null) compareDigests(plan, expected, found)
    if (scheme !== 'count') await computed.prove(writer, range, forwarded ? view : null, keys, signal)
    if (steady !== null) return { source: read === null ? null : steady, stored: steady, rows: null }
    return { source: read, stored, rows: keys === null ? stored.rows : null }
  }

  /**
   * Rows of the target in the range less rows read. A range that was empty, or was emptied, holds what was written; elsewhere rows are counted.
   * @param rows of the range of the target, where they were counted
   * @param last where a range that was open ends now; null where it ends as it did
   * @returns null where the writer cannot count the range: the first look of a later run does
   */
  async surplus(tally: Tally, rows: bigint | null, last: Bound | null): Promise<bigint | null> {
    const { context, fresh, expired, writer } = this.#chunk
    // Of a table that is counted as a whole: what was not written is there, or was set aside.
    if (!isRanged(context.plan)) return -tally.quarantined
    // What ended on its own is gone on both sides.
    if (fresh) return tally.written + expired - tally.read
    if (!writer.seesRange) return null
    const held = rows ?? (await writer.digest({ scheme: 'count' })).rows
    return held + expired - tally.read - (last === null ? 0n : await this.#rowsAbove(last))
  }

  /** The last chunk ends at the largest key that was seen: what comes to lie above it is found by the next run. */
  async end(): Promise<ChunkEnd | null> {
    const { context, claim, view } = this.#chunk
    const { plan, signal } = context
    const { range } = claim
    if (range.by !== 'key' || range.through !== null) return null
    const last = await view.last(plan.source, range, plan.where ?? null, signal)
    if (last === null) return null
    const [first = ''] = last
    return {
      last,
      hi: JSON.stringify(last),
      endId: last.length === 1 && /^-?\d{1,18}$/.test(first) ? BigInt(first) : null,
    }
  }

  /**
   * The same look without rows of which something ends meanwhile, where any does.
   * @returns null where that is no reason for two sums to differ, or the rest differs as well
   */
  async #steady(
    scheme: 'canonical' | 'count' | 'echo',
    expected: Digest,
    found: Digest,
    tookMs: number,
  ): Promise<Digest | null> {
    const { context, view, writer, expiring, keys: written, aside, request, targetKey, keyOf } = this.#chunk
    if (!expiring.mayHaveEnded || scheme === 'echo' || found.rows > expected.rows) return null
    const refused = new Set(aside.map(({ key }) => JSON.stringify(key)))
    const isWanted = (text: string, row: Row): boolean =>
      (written?.has(text) ?? true) && !refused.has(JSON.stringify(keyOf(row)))
    const rows = view.read(request, context.batch, context.signal)
    const { digest, keys } = await steadyRows(rows, targetKey, isWanted, tookMs)
    const stored = await writer.digest({ scheme, only: keys })
    if (scheme === 'count') return stored.rows === digest.rows ? stored : null
    return equalDigests(digest, stored) ? stored : null
  }

  /** Rows that the target held before, and that belong to no chunk: those that the chunk itself has written end at its last key. */
  async #rowsAbove(last: Bound): Promise<bigint> {
    const { plan, store, signal } = this.#chunk.context
    const above: Range = { by: 'key', after: last, through: null }
    return await onSide('target', async () => {
      await using view = await store.source(signal)
      const request = keysRequest(plan, targetRequest({ plan }, above))
      return (await countRanges(view, request, [request.range], signal))[0] ?? 0n
    })
  }
}
