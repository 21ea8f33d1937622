/**
 * Divides the wanted part of a ring that no chunk covers yet. Chunks are identified by their tokens, not by how an
 * earlier run split the ring: a copy may be resumed with another number of ranges, or another part.
 */
import { rangeOfTokens, type TokenRange } from '../../../model/copy/ring.ts'
import type { TableContext } from './context.ts'
import { storeRange, type StoredRange } from '../ledger/keys.ts'
import { chunkTokens, openTokens, ringPieces, tokensOfChunks, type RingPlan } from '../plan/ring-plan.ts'
import { wantedChunks } from '../plan/wanted-chunks.ts'

/** Chunks inserted in one call. */
const AT_ONCE = 400

/** @throws SluiceError LEASE_LOST if another process divides it now */
export async function cutRing(context: TableContext, ring: RingPlan): Promise<void> {
  const { plan, ledger, planning } = context
  await ledger.adopt()
  await cutPending(context, ring)
  const open = openTokens(ring, await tokensOfChunks(ring, ledger.each()))
  // Until these ranges are inserted, completed chunks do not cover the wanted part, so record that first.
  if (open.length > 0) await planning.note(false, plan.chunkRows)
  let next = (await ledger.lastNo()) + 1
  for (let at = 0; at < open.length; at += AT_ONCE) {
    const some = open.slice(at, at + AT_ONCE).map((tokens) => stored(context, ring, tokens))
    await ledger.add(some, next, planning)
    next += some.length
  }
  await planning.note(true, plan.chunkRows)
}

/** Limits claims to the chunks that this run wants, in an order scattered over the ring. */
export async function honourRing(context: TableContext, ring: RingPlan): Promise<void> {
  const { ledger, name, owner } = context
  const only: number[] | null = ring.part === null ? null : []
  if (only !== null) for await (const { no } of wantedChunks(context)) only.push(no)
  ledger.claims.work({ only, seed: seedOf(`${name} ${owner.runId}`) })
}

/** Divides unstarted chunks that are wanted only in part, or are far larger than now requested. */
async function cutPending(context: TableContext, ring: RingPlan): Promise<void> {
  const { ledger, planning } = context
  if (ring.part === null && !ring.isRequested) return
  let next = (await ledger.lastNo()) + 1
  // Pieces get larger ids, so this loop reads them too, and leaves them undivided.
  for await (const chunk of ledger.each(`status = 'pending' AND cursor_key IS NULL`)) {
    const tokens = chunkTokens(chunk, ring)
    const pieces = tokens === null ? [] : ringPieces(ring, tokens)
    if (pieces.length < 2) continue
    const ranges = pieces.map((piece) => stored(context, ring, piece))
    if (await ledger.replace([chunk.id], ranges, next, planning)) next += ranges.length
  }
}

function stored({ plan }: TableContext, { ring }: RingPlan, tokens: TokenRange): StoredRange {
  // A range without a bound ends at the end of the ring, so its first and last token are known.
  const span = { low: ring.low.toString(), high: ring.high.toString() }
  return storeRange(rangeOfTokens(tokens, ring), plan.source, span)
}

/** FNV-1a, so that each run and table has its own order over the ring. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
