/**
 * Divides what is wanted of a ring and no chunk covers yet. Chunks are told by the tokens that they hold, and never by how a run before was split: a
 * copy goes on with any other number of ranges, or another part of the ring.
 */
import { rangeOfTokens, type TokenRange } from '../../../model/copy/ring.ts'
import type { TableContext } from './context.ts'
import { storeRange, type StoredRange } from '../ledger/keys.ts'
import { chunkTokens, openTokens, piecesOf, tokensOfChunks, type RingPlan } from '../plan/ring-plan.ts'
import { wantedChunks } from '../plan/wanted-chunks.ts'

/** Chunks written down at once. */
const AT_ONCE = 400

/** @throws SluiceError LEASE_LOST where another program has come to divide it */
export async function cutRing(context: TableContext, ring: RingPlan): Promise<void> {
  const { plan, ledger, planning } = context
  await ledger.adopt()
  await cutPending(context, ring)
  const open = openTokens(ring, await tokensOfChunks(ring, ledger.each()))
  // Until these are written down, chunks that are all done are not all of what is wanted.
  if (open.length > 0) await planning.note(false, plan.chunkRows)
  let next = (await ledger.lastNo()) + 1
  for (let at = 0; at < open.length; at += AT_ONCE) {
    const some = open.slice(at, at + AT_ONCE).map((tokens) => stored(context, ring, tokens))
    await ledger.add(some, next, planning)
    next += some.length
  }
  await planning.note(true, plan.chunkRows)
}

/** Has the ledger give only the chunks that this run wants, in an order that goes all over the ring. */
export async function heedRing(context: TableContext, ring: RingPlan): Promise<void> {
  const { ledger, name, owner } = context
  const only: number[] | null = ring.part === null ? null : []
  if (only !== null) for await (const { no } of wantedChunks(context)) only.push(no)
  ledger.claims.work({ only, seed: seedOf(`${name} ${owner.runId}`) })
}

/** Chunks that nobody has begun and that are wanted in part only, or were cut far larger than is asked for now. */
async function cutPending(context: TableContext, ring: RingPlan): Promise<void> {
  const { ledger, planning } = context
  if (ring.part === null && !ring.asked) return
  let next = (await ledger.lastNo()) + 1
  // Pieces of a chunk come behind it, and stay as they are.
  for await (const chunk of ledger.each(`status = 'pending' AND cursor_key IS NULL`)) {
    const tokens = chunkTokens(chunk, ring)
    const pieces = tokens === null ? [] : piecesOf(ring, tokens)
    if (pieces.length < 2) continue
    const ranges = pieces.map((piece) => stored(context, ring, piece))
    if (await ledger.replace([chunk.id], ranges, next, planning)) next += ranges.length
  }
}

function stored({ plan }: TableContext, { ring }: RingPlan, tokens: TokenRange): StoredRange {
  // Where a range is open the ring ends: its first and last token are as well known as those of the others.
  const span = { low: ring.low.toString(), high: ring.high.toString() }
  return storeRange(rangeOfTokens(tokens, ring), plan.source, span)
}

/** FNV-1a, so that runs and tables go over the ring in orders of their own. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
