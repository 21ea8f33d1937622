/** Sequences that number a table's rows: identity columns, AUTO_INCREMENT, AUTOINCREMENT, `nextval` defaults. */
import type { TableName } from './table-name.ts'

export type SequenceOptions = {
  readonly start: bigint
  /** Negative for a sequence that counts down. */
  readonly increment: bigint
  readonly min: bigint
  readonly max: bigint
  readonly cycle: boolean
  readonly cache: bigint
}

export type ColumnSequence = {
  readonly column: string
  /**
   * The number that the next row gets; one step beyond the last possible number if the sequence is exhausted. Null if
   * its position cannot be read.
   */
  readonly next: bigint | null
  /** Absent if the system has no such options, and counts up by 1. */
  readonly options?: SequenceOptions
  /** Set if the system refuses explicit numbers. */
  readonly always?: true
  /** A named sequence, which other columns may use too. */
  readonly named?: TableName
}

/**
 * Where a column must continue: beyond the values of the table, and not behind the source.
 * @param next number that the next row gets now @param last furthest value; null if there is none, or `next` is beyond
 * it @param source number with which the source continues; null if unknown
 * @returns `goal` is not equal to `next` if the column is behind; `own` regards the table only
 */
export function requiredNext({
  next,
  last,
  source,
  increment,
}: {
  readonly next: bigint
  readonly last: bigint | null
  readonly source: bigint | null
  readonly increment: bigint
}): { readonly own: bigint; readonly goal: bigint } {
  const own = last === null ? next : furtherPosition(next, last + increment, increment)
  return { own, goal: source === null ? own : furtherPosition(own, source, increment) }
}

/** The later of two positions of a sequence, by the sign of its increment. */
export function furtherPosition(a: bigint, b: bigint, increment: bigint): bigint {
  return (increment < 0n ? a < b : a > b) ? a : b
}
