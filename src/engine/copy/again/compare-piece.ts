/** Compares one range once: by checksums of both sides, and row by row where these differ or cannot be computed. */
import { createHash } from 'node:crypto'
import type { Range } from '../../../model/copy/range.ts'
import { tokensOfRange } from '../../../model/copy/ring.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import { equalDigests, type Digest, type FrameFormat, type ProofScheme } from '../../../model/copy/rows.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import { writtenCells } from '../table/context.ts'
import { compareRange, equalRows, readableDigests } from '../diff/compare.ts'
import { type RowDifference } from '../diff/difference.ts'
import { requestsOf, type DiffSides } from '../diff/sides.ts'
import { compareByKeys, compareTokens, type TokenHooks } from '../diff/tokens.ts'
import type { RingPlan } from '../plan/ring-plan.ts'

export type UnreadRow = { readonly row: readonly (string | null)[]; readonly error: SluiceError }

export type ComparedPiece = {
  /** Rows of the source, including unreadable ones. */
  readonly rows: bigint
  /** Rows of the target. If the two sides sort keys differently: only target rows with keys of the source. */
  readonly targetRows: bigint
  readonly scheme: ProofScheme
  readonly source: Digest
  readonly target: Digest
  readonly unread: readonly UnreadRow[]
  /** True if rows without a key differ; it is unknown which ones. */
  readonly keyless: boolean
}

export type PieceHooks = {
  /** Called for every row that differs, in no order. */
  readonly found: (difference: RowDifference) => Promise<void>
  /** Rows of the source compared since the last call. */
  readonly compared: (rows: bigint) => void
}

/** @throws SluiceError errors of the stores */
export async function comparePiece(
  sides: DiffSides,
  range: Range,
  ring: RingPlan | null,
  hooks: PieceHooks,
): Promise<ComparedPiece> {
  const { plan } = sides
  if (range.by === 'key' && (ring !== null || !plan.sortsAlike)) return await byRows(sides, range, ring, hooks)
  const sums = await digestsOf(sides, range)
  if (sums !== null && equalDigests(sums.source, sums.target) && (await hasEqualGenerated(sides, range))) {
    hooks.compared(sums.source.rows)
    return { ...sums, rows: sums.source.rows, targetRows: sums.target.rows, unread: [], keyless: false }
  }
  const unread: UnreadRow[] = []
  let keyless = false
  let isUnexplained = false
  const compared = await compareRange(
    sides,
    range,
    async (what) => {
      if (what.kind === 'unread') unread.push({ row: what.row, error: what.error })
      else if (what.kind === 'range') keyless = true
      else if (what.kind === 'unexplained') isUnexplained = true
      else await hooks.found(what.difference)
    },
    { divided: () => undefined, settled: hooks.compared, compared: hooks.compared },
  )
  const rows = compared.rows + BigInt(unread.length)
  // A range with an unreadable row has no checksum of the source.
  const { scheme, source, target } = sums ?? {
    scheme: 'canonical',
    source: { rows, sum: '' },
    target: { rows: compared.targetRows, sum: '' },
  }
  // If only generated columns differ, the written columns have equal checksums: an empty one marks the difference.
  const found = isUnexplained ? { ...target, sum: '' } : target
  return { rows, targetRows: compared.targetRows, scheme, source, target: found, unread, keyless }
}

/**
 * True if the columns that the target computes have equal values on both sides. The checksums in the ledger cover only
 * written columns.
 */
async function hasEqualGenerated(sides: DiffSides, range: Range): Promise<boolean> {
  return sides.plan.checked === undefined || (await equalRows(sides, range)) !== null
}

function writtenOf(sides: DiffSides): DiffSides {
  const { checked: _checked, ...plan } = sides.plan
  return { ...sides, plan }
}

type SideDigests = { readonly scheme: ProofScheme; readonly source: Digest; readonly target: Digest }

/** Checksums of both sides, the fastest available; null if a row of the source cannot be read. */
async function digestsOf(all: DiffSides, range: Range): Promise<SideDigests | null> {
  const sides = writtenOf(all)
  const { plan, source, target, signal } = sides
  const { frames: format } = plan
  if (format !== undefined && range.by === 'key' && source.frames !== undefined && target.frames !== undefined) {
    const [asked, wanted] = requestsOf(sides, range)
    const [here, there] = await Promise.all([
      echoOf(source, asked, format, signal),
      echoOf(target, wanted, format, signal),
    ])
    // Different bytes may still be equal values, so fall through to the canonical checksum.
    if (equalDigests(here, there)) return { scheme: 'echo', source: here, target: there }
  }
  const both = await readableDigests(sides, range)
  return both === null ? null : { scheme: 'canonical', source: both[0], target: both[1] }
}

/** sha256 over the rows as the system prints them, in key order. */
async function echoOf(
  view: SourceView,
  request: RowRequest,
  format: FrameFormat,
  signal: AbortSignal,
): Promise<Digest> {
  if (view.frames === undefined) throw new Error('the view prints no frames')
  const hash = createHash('sha256')
  const pieces = view.frames({ ...request, ordered: true }, format, signal)
  try {
    for (;;) {
      const next = await pieces.next()
      if (next.done === true) return { rows: next.value, sum: hash.digest('hex') }
      hash.update(next.value)
    }
  } finally {
    await pieces.return(0n)
  }
}

/** Compares a range row by row: by tokens on a ring, otherwise by fetching the target rows that have its keys. */
async function byRows(
  sides: DiffSides,
  range: Range,
  ring: RingPlan | null,
  hooks: PieceHooks,
): Promise<ComparedPiece> {
  const sums = { source: new RowChecksum(), target: new RowChecksum() }
  const unread: UnreadRow[] = []
  const rows: TokenHooks = {
    found: hooks.found,
    unread: (row, error) => unread.push({ row, error }),
    compared: (count) => hooks.compared(BigInt(count)),
    seen: (side, some) => {
      for (const row of some) sums[side].add(writtenCells(sides.plan, row))
    },
  }
  const tokens = ring !== null && range.by === 'key' ? tokensOfRange(range, ring.ring) : null
  const tally = tokens === null ? await compareByKeys(sides, range, rows) : await compareTokens(sides, tokens, rows)
  return {
    rows: BigInt(tally.rows + tally.unread),
    targetRows: BigInt(tally.targetRows),
    scheme: 'canonical',
    source: sums.source.digest(),
    target: sums.target.digest(),
    unread,
    keyless: false,
  }
}
