/**
 * Divides what is wanted of a ring and no chunk covers yet. Chunks are told by the tokens that they hold, and never by how a run before was split: a
 * copy goes on with any other number of ranges, or another part of the ring.
 */
import { rangeOfTokens, type TokenRange } from '../../model/copy/ring.ts'
import type { TableContext } from './context.ts'
import { storeRange, type StoredRange } from './ledger/keys.ts'
import type { StoredChunk } from './ledger/stored-chunk.ts'
import { chunkTokens, isWanted, openTokens, piecesOf, type RingPlan } from './plan/ring-plan.ts'

/** Chunks written down at once. */
const AT_ONCE = 400

/** @throws SluiceError LEASE_LOST where another program has come to divide it */
export async function cutRing(context: TableContext, ring: RingPlan): Promise<void> {
  const { plan, ledger, planning } = context
  await ledger.adopt()
  await cutPending(context, ring)
  const chunks = await ledger.all()
  const open = openTokens(ring, chunks)
  // Until these are written down, chunks that are all done are not all of what is wanted.
  if (open.length > 0) await planning.note(false, plan.chunkRows)
  let next = nextNo(chunks)
  for (let at = 0; at < open.length; at += AT_ONCE) {
    const some = open.slice(at, at + AT_ONCE).map((tokens) => stored(context, ring, tokens))
    await ledger.add(some, next, planning)
    next += some.length
  }
  await planning.note(true, plan.chunkRows)
}

/** Has the ledger give only the chunks that this run wants, in an order that goes all over the ring. */
export async function heedRing({ ledger, name, owner }: TableContext, ring: RingPlan): Promise<void> {
  const chunks = await ledger.all()
  const wanted = isWanted(ring)
  const only = ring.part === null ? null : chunks.filter(wanted).map(({ no }) => no)
  ledger.claims.work({ only, seed: seedOf(`${name} ${owner.runId}`) })
}

/** Chunks that nobody has begun and that are wanted in part only, or were cut far larger than is asked for now. */
async function cutPending(context: TableContext, ring: RingPlan): Promise<void> {
  const { ledger, planning } = context
  if (ring.part === null && !ring.asked) return
  const chunks = await ledger.all()
  let next = nextNo(chunks)
  for (const chunk of chunks) {
    if (!isUntouched(chunk)) continue
    const tokens = chunkTokens(chunk, ring)
    const pieces = tokens === null ? [] : piecesOf(ring, tokens)
    if (pieces.length < 2) continue
    const ranges = pieces.map((piece) => stored(context, ring, piece))
    if (await ledger.replace([chunk.id], ranges, next, planning)) next += ranges.length
  }
}

function isUntouched({ status, cursor }: StoredChunk): boolean {
  return status === 'pending' && cursor === null
}

function stored({ plan }: TableContext, { ring }: RingPlan, tokens: TokenRange): StoredRange {
  // Where a range is open the ring ends: its first and last token are as well known as those of the others.
  const span = { low: ring.low.toString(), high: ring.high.toString() }
  return storeRange(rangeOfTokens(tokens, ring), plan.source, span)
}

function nextNo(chunks: readonly StoredChunk[]): number {
  return Math.max(0, ...chunks.map(({ no }) => no)) + 1
}

/** FNV-1a, so that runs and tables go over the ring in orders of their own. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
