/**
 * Distribution of rows on the ring: each part is sampled by a few windows, which begin at pseudo-random tokens and end
 * after some hundred rows. A window's contents divided by its tokens give the density of the part.
 */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { RING_TOKENS, splitTokens, type TokenRange } from '../../../model/copy/ring.ts'
import type {
  FullPartition,
  RingSampleOptions,
  RingPart,
  RingDistribution,
} from '../../../model/copy/ring-distribution.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraError } from '../errors.ts'
import { ringHosts } from './ring-hosts.ts'
import { serverEstimates } from './ring-estimates.ts'
import { windowReader, type ReadRingPart } from './ring-window.ts'

/** Parts that are read at the same time. */
const TOGETHER = 8

/**
 * Reads some windows of every part of the ring, and the servers' estimates.
 * @throws SluiceError NO_RING for a table without a ring
 */
export async function ringPicture(
  link: CassandraLink,
  table: TableSpec,
  options: RingSampleOptions,
  signal: AbortSignal,
): Promise<RingDistribution> {
  const { ring } = table
  if (ring === undefined) {
    throw new SluiceError('NO_RING', `${tableText(table.table)} has no token ring`)
  }
  const whole = RING_TOKENS[ring.partitioner]
  try {
    const estimates = await serverEstimates(link, table)
    const read = windowReader(link, table, signal)
    const ranges = splitTokens(whole.low, whole.high, options.splits)
    const windows = Math.max(1, Math.round(options.sample / ranges.length))
    const parts = new Array<RingPart>(ranges.length)
    let fullest: FullPartition | null = null
    let next = 0
    const runWorker = async (): Promise<void> => {
      for (let at = next++; at < ranges.length; at = next++) {
        const range = ranges[at]
        if (range === undefined) return
        const seen = await sampleRange(read, range, windows, `${options.seed} ${at}`)
        parts[at] = { ...range, ...seen.part, server: estimates?.(range) ?? null }
        if (seen.fullest !== null && seen.fullest.rows > (fullest?.rows ?? 0)) fullest = seen.fullest
      }
    }
    await Promise.all(Array.from({ length: Math.min(TOGETHER, ranges.length) }, runWorker))
    return { partitioner: ring.partitioner, parts, hosts: ringHosts(link, table), fullest }
  } catch (error) {
    signal.throwIfAborted()
    throw cassandraError(error, link.settings, 'read')
  }
}

type RangeSample = {
  readonly part: Omit<RingPart, 'low' | 'high' | 'server'>
  readonly fullest: FullPartition | null
}

/**
 * Samples a part: divides it into equal pieces, and reads one window in each. A piece is assumed to be as dense as its
 * window.
 */
async function sampleRange(read: ReadRingPart, range: TokenRange, windows: number, seed: string): Promise<RangeSample> {
  let [rows, partitions, bytes, seen] = [0, 0, 0, 0]
  let exact = true
  let fullest: FullPartition | null = null
  for (const [no, piece] of splitTokens(range.low, range.high, windows).entries()) {
    const window = await read(piece, startIn(piece, `${seed} ${no}`))
    const factor = window.whole ? 1 : ratio(piece.high - piece.low + 1n, window.tokens)
    rows += window.rows * factor
    partitions += window.partitions * factor
    bytes += window.bytes * factor
    seen += window.seen
    exact &&= window.whole
    if (window.fullest !== null && window.fullest.rows > (fullest?.rows ?? 0)) fullest = window.fullest
  }
  const counts = { rows: Math.round(rows), partitions: Math.round(partitions), bytes: Math.round(bytes) }
  return { part: { ...counts, exact, seen }, fullest }
}

function ratio(a: bigint, b: bigint): number {
  return Number((a * 1_000_000n) / (b < 1n ? 1n : b)) / 1e6
}

/** A token of the piece, the same for the same seed: FNV-1a of 64 bits. */
function startIn({ low, high }: TokenRange, seed: string): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(seed)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  // After FNV's last step, similar seeds have similar hashes: mix further.
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn)
  hash = hash ^ (hash >> 33n)
  const tokens = high - low + 1n
  return low + ((tokens * hash) >> 64n)
}
