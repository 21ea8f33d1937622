/** How the rows of a table lie on its ring of tokens, as far as a look at some windows of it tells. */
import type { RingSpec } from './column-type.ts'
import type { TokenRange } from './ring.ts'

export type RingLook = {
  /** Equal parts of the ring that are told apart, 1 or more. */
  readonly splits: number
  /** Windows that are looked at, at least one in each part. */
  readonly sample: number
  /** The same seed looks at the same windows. */
  readonly seed: string
}

/** Rows, partitions and bytes of values. */
export type RingCount = { readonly rows: number; readonly partitions: number; readonly bytes: number }

export type RingPart = TokenRange &
  RingCount & {
    /** All of it was read; otherwise the counts are what its windows let expect. */
    readonly exact: boolean
    /** Rows that were read. */
    readonly seen: number
    /** What the servers' own estimates say of it; null where they keep none. */
    readonly server: { readonly partitions: number; readonly bytes: number } | null
  }

/** The partition with the most rows that was seen. */
export type FullPartition = {
  readonly key: readonly string[]
  readonly token: bigint
  readonly rows: number
  readonly bytes: number
  /** It was not read to its end. */
  readonly more: boolean
}

export type RingHost = {
  /** Address and port. */
  readonly host: string
  readonly datacenter: string
  readonly rack: string
  readonly up: boolean
  /** Ranges of tokens that are its own. */
  readonly ranges: number
  /** Tokens of which it holds a replica. */
  readonly holds: readonly TokenRange[]
}

export type RingPicture = {
  readonly partitioner: RingSpec['partitioner']
  /** Ascending, without gaps. */
  readonly parts: readonly RingPart[]
  /** Sorted by address; none where the driver does not know the ring. */
  readonly hosts: readonly RingHost[]
  readonly fullest: FullPartition | null
}

/** What a count comes to in the part of `range` that lies in `within`, if it lies evenly. */
export function shareOf(range: TokenRange, within: TokenRange): number {
  const low = range.low > within.low ? range.low : within.low
  const high = range.high < within.high ? range.high : within.high
  if (high < low) return 0
  // Whole numbers of 64 bits and more: the quotient is small enough for a number, they are not.
  return Number(((high - low + 1n) * 1_000_000_000n) / (range.high - range.low + 1n)) / 1e9
}

/** How much fuller the fullest part is than parts are in the middle; 1 for a ring without rows. */
export function skewOf(parts: readonly Pick<RingPart, 'rows'>[]): number {
  const all = parts.reduce((sum, { rows }) => sum + rows, 0)
  const most = Math.max(0, ...parts.map(({ rows }) => rows))
  return all === 0 ? 1 : (most * parts.length) / all
}
