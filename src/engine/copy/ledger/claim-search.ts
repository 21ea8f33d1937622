/**
 * Search conditions for the next pending chunk, bounded by chunk numbers so that an index is used or a scan stays
 * small. State kept between claims is only a hint: the last condition of a claim always covers chunks that other
 * processes released.
 */

/** One of several jobs that share a copy. @property no its number, from 1 @property of number of jobs */
export type JobShare = { readonly no: number; readonly of: number }

/** Which chunks of a table a run takes. */
export type ClaimScope = {
  /** Chunk numbers; null for all. */
  readonly only: readonly number[] | null
  /** Seed of a scattered order over the whole table, different per seed; null: ascending numbers. */
  readonly seed: number | null
}

type NumberInterval = readonly [from: number, through: number]

/**
 * Maximum number of intervals of chunk numbers in the first query, which nearly always finds a chunk. `MORE_INTERVALS`
 * is the maximum in later queries. Both limit the size of a statement.
 */
const FIRST_INTERVALS = 20
const MORE_INTERVALS = 1000

/** Golden ratio: positions at multiples of it on a circle stay as far apart as possible. */
const STEP = 0.618_033_988_749_894_9

export class ClaimSearch {
  readonly #intervals: readonly NumberInterval[] | null
  /**
   * Position of the last claim in the scattered order, from 0 to below 1. Null if chunks are taken by ascending number.
   */
  #at: number | null
  /** The next search in ascending order starts here: at the last search no smaller number was pending. */
  #lowest = 0

  constructor({ only, seed }: ClaimScope) {
    this.#intervals = only === null ? null : intervalsOf(only)
    this.#at = seed === null ? null : (seed % 4_294_967_296) / 4_294_967_296
  }

  /** True if claims start anywhere between the smallest and the largest number. */
  get isScattered(): boolean {
    return this.#at !== null
  }

  /**
   * Conditions to append after WHERE … AND, tried in order until one finds a chunk. @param pendingRange smallest and
   * largest pending number
   */
  queries(pendingRange: NumberInterval | null): readonly string[] {
    const from = this.#at === null ? this.#lowest : this.#jump(pendingRange ?? [0, 0])
    if (this.#intervals === null) return from <= 0 ? [''] : [` AND chunk_no >= ${from}`, '']
    const before = this.#intervals.filter(([low]) => low < from)
    const after = this.#intervals.flatMap(([low, high]): NumberInterval[] =>
      high < from ? [] : [[Math.max(low, from), high]],
    )
    return [...grouped(after), ...grouped(before)].map(inIntervals)
  }

  /** Conditions that together cover every chunk that the run takes. */
  all(): readonly string[] {
    return this.#intervals === null ? [''] : grouped(this.#intervals).map(inIntervals)
  }

  /** Call when a chunk was claimed: no smaller number was free. */
  found(no: number): void {
    this.#lowest = no
  }

  /** Call when this process knows that a chunk is pending again: the next search may start at its number. */
  released(no: number): void {
    this.#lowest = Math.min(this.#lowest, no)
  }

  #jump([low, high]: NumberInterval): number {
    this.#at = ((this.#at ?? 0) + STEP) % 1
    return low + Math.floor(this.#at * (high - low + 1))
  }
}

/** Condition for the chunks of one of several jobs; empty for a single job. */
export function shareText(part: JobShare | null): string {
  return part === null ? '' : ` AND (chunk_no - 1) % ${part.of} = ${part.no - 1}`
}

/** Condition that excludes these chunk numbers; empty without numbers. */
export function without(numbers: readonly string[]): string {
  return numbers.length === 0 ? '' : ` AND chunk_no NOT IN (${numbers.map((no) => BigInt(no)).join(', ')})`
}

/** Merges adjacent chunk numbers into intervals: a run may take thousands of chunks. */
function intervalsOf(numbers: readonly number[]): readonly NumberInterval[] {
  const spans: [number, number][] = []
  for (const no of numbers.toSorted((a, b) => a - b)) {
    const last = spans.at(-1)
    if (last !== undefined && no <= last[1] + 1) last[1] = no
    else spans.push([no, no])
  }
  return spans
}

function grouped(spans: readonly NumberInterval[]): readonly (readonly NumberInterval[])[] {
  const groups: (readonly NumberInterval[])[] = []
  for (let at = 0, most = FIRST_INTERVALS; at < spans.length; at += most, most = MORE_INTERVALS)
    groups.push(spans.slice(at, at + most))
  return groups
}

/**
 * Condition for these intervals. Only its outer bounds use an index: `+` before the column keeps the database from
 * using the index for each interval.
 */
function inIntervals(spans: readonly NumberInterval[]): string {
  const [low, high] = [spans[0]?.[0] ?? 0, spans.at(-1)?.[1] ?? 0]
  const bounds = ` AND chunk_no BETWEEN ${low} AND ${high}`
  return spans.length < 2 ? bounds : `${bounds} AND ${oneOf(spans)}`
}

/** Balanced tree of ORs: systems limit the depth of a condition, not its width. */
function oneOf(spans: readonly NumberInterval[]): string {
  const [only] = spans
  if (spans.length === 1 && only !== undefined) return `+chunk_no BETWEEN ${only[0]} AND ${only[1]}`
  const middle = spans.length >> 1
  return `(${oneOf(spans.slice(0, middle))} OR ${oneOf(spans.slice(middle))})`
}

/** Two primes: adjacent chunk numbers get distant sort values, and the first ten thousand get different values. */
const [STRIDE, AROUND] = [7919, 10_007]

/** Start of ORDER BY: another order of the chunks for each seed; empty without one. */
export function scattered(seed: number | null): string {
  return seed === null ? '' : `((chunk_no + ${seed % AROUND}) % ${AROUND}) * ${STRIDE} % ${AROUND}, `
}
