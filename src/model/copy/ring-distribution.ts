/** Sampled distribution of a table's rows on its token ring. */
import type { RingSpec, TableSpec } from './column-type.ts'
import type { TokenRange } from './ring.ts'

/** Options of a sample of the ring. */
export type RingSampleOptions = {
  /** Number of equal parts of the ring, at least 1. */
  readonly splits: number
  /** Number of sampled windows, at least one in each part. */
  readonly sample: number
  /** The same seed samples the same windows. */
  readonly seed: string
}

/** Rows, partitions and bytes of values. */
export type RingCount = { readonly rows: number; readonly partitions: number; readonly bytes: number }

export type RingPart = TokenRange &
  RingCount & {
    /** True if the whole part was read; otherwise the counts are estimates from its windows. */
    readonly exact: boolean
    /** Rows that were read. */
    readonly seen: number
    /** The servers' own estimates; null if they keep none. */
    readonly server: { readonly partitions: number; readonly bytes: number } | null
  }

/** The largest partition seen. */
export type FullPartition = {
  readonly key: readonly string[]
  readonly token: bigint
  readonly rows: number
  readonly bytes: number
  /** True if the partition was not read to its end. */
  readonly more: boolean
}

export type RingHost = {
  /** Address and port. */
  readonly host: string
  readonly datacenter: string
  readonly rack: string
  readonly up: boolean
  /** Number of its primary token ranges. */
  readonly ranges: number
  /** Token ranges of which it holds a replica. */
  readonly holds: readonly TokenRange[]
}

export type RingDistribution = {
  readonly partitioner: RingSpec['partitioner']
  /** Parts of the ring, ascending, without gaps. */
  readonly parts: readonly RingPart[]
  /** Sorted by address; empty if the driver does not report the ring. */
  readonly hosts: readonly RingHost[]
  readonly fullest: FullPartition | null
}

export interface TokenRing {
  /** Sampled distribution of a table's rows on its ring. @throws SluiceError NO_RING if it has none */
  sample(table: TableSpec, options: RingSampleOptions, signal: AbortSignal): Promise<RingDistribution>
}

/** Fraction of `range` that lies in `within`, 0 to 1. */
export function rangeFraction(range: TokenRange, within: TokenRange): number {
  const low = range.low > within.low ? range.low : within.low
  const high = range.high < within.high ? range.high : within.high
  if (high < low) return 0
  // The token counts exceed a double; their quotient does not.
  return Number(((high - low + 1n) * 1_000_000_000n) / (range.high - range.low + 1n)) / 1e9
}

/** Rows of the fullest part divided by the mean of all parts; 1 for a ring without rows. */
export function skewOf(parts: readonly Pick<RingPart, 'rows'>[]): number {
  const all = parts.reduce((sum, { rows }) => sum + rows, 0)
  const most = Math.max(0, ...parts.map(({ rows }) => rows))
  return all === 0 ? 1 : (most * parts.length) / all
}
