/** Ranges of a token ring that a run copies: as requested, or by the size of the table. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import {
  cutTokens,
  remainingTokens,
  RING_TOKENS,
  sampleTokens,
  splitTokens,
  tokenCount,
  tokensOfRange,
  type TokenRange,
} from '../../../model/copy/ring.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { Extent } from '../../../model/copy/source-port.ts'
import type { RingOptions } from '../operations/copy/option-types.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'

/** Size of a range at which the Cassandra Data Migrator aims, bytes. */
const RANGE_BYTES = 10n * 1024n * 1024n
const MOST_RANGES = 5000
/** Ranges per worker, so that no worker waits long for the last range of another. */
const RANGES_A_WORKER = 4
/** Rows per range below which more ranges are not worthwhile. */
const LEAST_ROWS = 1000n

export type RingPlan = {
  /** All tokens of the ring. */
  readonly ring: TokenRange
  readonly splits: number
  /** True if the user requested this number of ranges. */
  readonly isRequested: boolean
  /** Ranges to copy, ascending. */
  readonly wanted: readonly TokenRange[]
  /** Text about the covered part of the table; null for the whole table. */
  readonly part: string | null
}

/** @returns null for a table without a token ring @throws SluiceError BAD_FLAG for a part outside of the ring */
export function planRing(
  table: TableSpec,
  extent: Extent,
  options: RingOptions | undefined,
  workers: number,
): RingPlan | null {
  if (table.ring === undefined) {
    if (options === undefined) return null
    throw new SluiceError(
      'BAD_FLAG',
      `options for tokens cannot be used for ${tableText(table.table)}: it has no token ring`,
      {
        reason:
          '--splits, --partition-min, --partition-max and --coverage, also in a properties file of CDM, are for tables with tokens only',
        hint: 'remove these options; --checkpoint-size sets the size of chunks',
      },
    )
  }
  const ring = RING_TOKENS[table.ring.partitioner]
  const low = tokenOf(options?.min, ring.low, 'smallest')
  const high = tokenOf(options?.max, ring.high, 'largest')
  if (low > high)
    throw new SluiceError('BAD_FLAG', `the smallest partition ${low} is above the largest, ${high}`, {
      hint: 'exchange the two values',
    })
  if (low < ring.low || high > ring.high) {
    throw new SluiceError('BAD_FLAG', `${low < ring.low ? low : high} is not a token of ${tableText(table.table)}`, {
      reason: `its tokens are numbers from ${ring.low} to ${ring.high}`,
    })
  }
  const coverage = options?.coverage ?? 100
  if (!Number.isInteger(coverage) || coverage < 1 || coverage > 100)
    throw new SluiceError('BAD_FLAG', `the coverage must be a whole percentage from 1 to 100, not ${coverage}`)
  const isRequested = options?.splits !== undefined
  const within = { low, high }
  const splits = options?.splits ?? splitsFor(table, extent, share(within, ring), workers)
  if (!Number.isInteger(splits) || splits < 1)
    throw new SluiceError('BAD_FLAG', `splits must be at least 1, not ${splits}`)
  if (options?.ranges !== undefined) {
    const wanted = options.ranges.map(({ min, max }) => ({ low: BigInt(min), high: BigInt(max) }))
    const part = 'only ranges that the previous run did not complete were requested'
    return {
      ring,
      splits: Math.max(1, wanted.length),
      isRequested,
      wanted: wanted.toSorted((a, b) => (a.low < b.low ? -1 : 1)),
      part,
    }
  }
  const wanted = sampleTokens(splitTokens(low, high, splits), coverage)
  return { ring, splits, isRequested, wanted, part: partText(within, ring, coverage) }
}

/** Rows of the wanted part, assuming rows are spread evenly over the ring. */
export function extentOfPart(extent: Extent, { ring, wanted, part }: RingPlan): Extent {
  if (part === null) return extent
  const tokens = wanted.reduce((sum, range) => sum + tokenCount(range), 0n)
  const all = tokenCount(ring)
  return { ...extent, rows: (extent.rows * tokens + all - 1n) / all, exact: false }
}

/** Tokens of a chunk; null if its range is no token range. */
export function chunkTokens({ range }: StoredChunk, { ring }: RingPlan): TokenRange | null {
  return range.by === 'key' ? tokensOfRange(range, ring) : null
}

/** Wanted ranges that are not covered. @param covered tokens of chunks */
export function openTokens({ wanted }: RingPlan, covered: readonly TokenRange[]): readonly TokenRange[] {
  return remainingTokens(wanted, covered)
}

/** Tokens of all chunks that are token ranges. */
export async function tokensOfChunks(
  plan: RingPlan,
  chunks: AsyncIterable<StoredChunk>,
): Promise<readonly TokenRange[]> {
  const all: TokenRange[] = []
  for await (const chunk of chunks) {
    const tokens = chunkTokens(chunk, plan)
    if (tokens !== null) all.push(tokens)
  }
  return all
}

/** Returns a test for chunks: true if the run copies at least a part of the chunk. */
export function isWantedChunk(plan: RingPlan): (chunk: StoredChunk) => boolean {
  if (plan.part === null) return () => true
  return (chunk) => {
    const tokens = chunkTokens(chunk, plan)
    return tokens === null || cutTokens(tokens, plan.wanted).within.length > 0
  }
}

/**
 * Pieces of an unstarted chunk if only a part of it is wanted, or if it is far larger than the requested ranges;
 * otherwise the chunk itself.
 */
export function ringPieces({ wanted, isRequested }: RingPlan, tokens: TokenRange): readonly TokenRange[] {
  const { within, between } = cutTokens(tokens, wanted)
  const [first] = wanted
  const isLarge = isRequested && first !== undefined && tokenCount(tokens) > 2n * tokenCount(first)
  if (within.length === 0 || (between.length === 0 && !isLarge)) return [tokens]
  return [...within, ...between].toSorted((a, b) => (a.low < b.low ? -1 : 1))
}

function splitsFor({ bytes }: TableSpec, { rows, exact }: Extent, part: number, workers: number): number {
  const bySize = Math.ceil((Number(bytes / RANGE_BYTES) + 1) * part)
  const byRows = exact ? Number(rows / LEAST_ROWS) + 1 : Number.POSITIVE_INFINITY
  return Math.max(1, Math.min(MOST_RANGES, Math.max(bySize, Math.min(workers * RANGES_A_WORKER, byRows))))
}

/** Share of the ring that a range covers, from 0 to 1. */
function share(range: TokenRange, ring: TokenRange): number {
  return Number((tokenCount(range) * 1_000_000n) / tokenCount(ring)) / 1e6
}

function partText({ low, high }: TokenRange, ring: TokenRange, coverage: number): string | null {
  const isWhole = low === ring.low && high === ring.high
  if (isWhole && coverage === 100) return null
  const of = coverage === 100 ? '' : `the first ${coverage} % of each range of `
  return `only ${of}${isWhole ? 'the ring' : `the tokens ${low} to ${high}`} was requested: this is not the whole table`
}

function tokenOf(text: string | undefined, fallback: bigint, which: string): bigint {
  if (text === undefined || text === '') return fallback
  if (/^[+-]?\d+$/.test(text)) return BigInt(text)
  throw new SluiceError('BAD_FLAG', `the ${which} token must be a whole number, not ${text}`)
}

/** Converts requested rows per chunk into a number of ranges. */
export function ringOfRows(
  { ring, rows }: TableSpec,
  { chunkRows }: { readonly chunkRows?: number },
): { readonly splits: number } | undefined {
  if (ring === undefined || chunkRows === undefined) return undefined
  return { splits: Math.max(1, Math.min(5000, Math.ceil(Number(rows) / chunkRows))) }
}

/** Average number of rows of a range. */
export function rowsOfRange({ rows }: Extent, { splits }: RingPlan): number {
  return Math.max(1, Math.ceil(Number(rows) / splits))
}
