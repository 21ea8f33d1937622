/** Rows between two systems, and the digests that prove their arrival. */

/**
 * A value in canonical form: integers, decimals, timestamps, UUIDs, JSON and all texts are strings, floats are numbers,
 * bytes are bytes, booleans are '1' and '0'.
 */
export type Cell = null | string | number | Uint8Array
export type Row = readonly Cell[]

/** How chunks are proved: by the bytes of the rows, by the canonical text of their values, by their number, or not. */
export type ProofScheme = 'echo' | 'canonical' | 'count' | 'none'

export type Digest = {
  readonly rows: bigint
  /** `echo`: a sha256; `canonical`: the sum of row hashes; both hexadecimal. Empty for `count` and `none`. */
  readonly sum: string
}

export function equalDigests(a: Digest, b: Digest): boolean {
  return a.rows === b.rows && a.sum === b.sum
}

/** Row formats that one PostgreSQL prints and another reads, forwarded without decoding. */
export type FrameFormat = 'pg-binary' | 'pg-text'

/** Write times of a row's values (µs since 1970) and remaining TTLs (s), one of each per column. */
export type WriteTimes = {
  /** Null for key columns, missing values, and collections of some servers. For a collection, the latest time. */
  readonly times: readonly (bigint | null)[]
  /** Null if a value never expires. For a collection, the longest TTL of its elements. */
  readonly lifetimes: readonly (number | null)[]
  /** Indexes of collections whose elements have different times or TTLs; absent if there are none. */
  readonly uneven?: readonly number[]
  /** Time of the read, ms since 1970 by the clock of this program: the remaining TTLs start at this time. */
  readonly readMs?: number
}
