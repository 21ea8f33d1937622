/** Rows on their way between two systems, and what proves that they arrived. */

/**
 * One value in canonical form: integers, decimals, moments, UUIDs, JSON and all texts are strings, floats are numbers, bytes are bytes,
 * true and false are '1' and '0'.
 */
export type Cell = null | string | number | Uint8Array
export type Row = readonly Cell[]

/** How chunks are proved: by the bytes of the rows, by the canonical text of their values, by their number, or not. */
export type ProofScheme = 'echo' | 'canonical' | 'count' | 'none'

export type Digest = {
  readonly rows: bigint
  /** Of `echo` a sha256, of `canonical` the sum of row hashes, both as hexadecimal; empty for `count` and `none`. */
  readonly sum: string
}

export function equalDigests(a: Digest, b: Digest): boolean {
  return a.rows === b.rows && a.sum === b.sum
}

/** Formats of rows that one PostgreSQL prints and another reads, without anybody between them looking inside. */
export type FrameFormat = 'pg-binary' | 'pg-text'

/** When the values of a row were written, and how long they live: microseconds since 1970 and seconds that are left, one of each for every column of the row. */
export type Stamp = {
  /** Null where the system keeps none: of columns of the key, values that are not there, collections of servers that tell none. Of a collection the latest. */
  readonly times: readonly (bigint | null)[]
  /** Null where a value never expires. Of a collection the longest of its elements. */
  readonly lives: readonly (number | null)[]
  /** Positions of collections whose elements have different times or lives; absent where there are none. */
  readonly uneven?: readonly number[]
  /** When it was read, in milliseconds since 1970 by the clock of this program: the seconds that were left count from there. */
  readonly readMs?: number
}
