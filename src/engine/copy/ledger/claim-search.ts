/**
 * Where claims look for the next pending chunk: each look is bounded by chunk numbers, so that an index leads to it, or a scan reads little. What is
 * remembered between claims is a hint only: the last look of a claim always reaches whatever was released elsewhere meanwhile.
 */

/** The `no`th, from 1, `of` so many jobs that share a copy. */
export type Part = { readonly no: number; readonly of: number }

/** Which chunks of a table a run takes. */
export type Work = {
  /** Their numbers; null for all. */
  readonly only: readonly number[] | null
  /** They are taken in an order that this tells from others, from all over the table; by their numbers when null. */
  readonly seed: number | null
}

type Span = readonly [from: number, through: number]

/** Spans in the first look, which nearly always finds something, and in each of those after it: statements have a largest size. */
const FIRST_SPANS = 20
const MORE_SPANS = 1000

/** Steps of this size, around, come to lie as far apart as can be: the golden ratio. */
const STEP = 0.618_033_988_749_894_9

export class ClaimSearch {
  readonly #spans: readonly Span[] | null
  /** Null where chunks are taken by their numbers. */
  #at: number | null
  /** No smaller number was pending when last looked. */
  #mark = 0

  constructor({ only, seed }: Work) {
    this.#spans = only === null ? null : spansOf(only)
    this.#at = seed === null ? null : (seed % 4_294_967_296) / 4_294_967_296
  }

  /** Whether claims begin anywhere between the smallest and the largest number. */
  get isScattered(): boolean {
    return this.#at !== null
  }

  /** Conditions behind WHERE … AND, for one look after the other until one of them finds a chunk. @param ends smallest and largest number there is */
  looks(ends: Span | null): readonly string[] {
    const from = this.#at === null ? this.#mark : this.#jump(ends ?? [0, 0])
    if (this.#spans === null) return from <= 0 ? [''] : [` AND chunk_no >= ${from}`, '']
    const before = this.#spans.filter(([low]) => low < from)
    const after = this.#spans.flatMap(([low, high]): Span[] => (high < from ? [] : [[Math.max(low, from), high]]))
    return [...grouped(after), ...grouped(before)].map(within)
  }

  /** Every chunk that the run takes, in as many conditions as it needs. */
  all(): readonly string[] {
    return this.#spans === null ? [''] : grouped(this.#spans).map(within)
  }

  /** A chunk was claimed: no smaller one was free. */
  found(no: number): void {
    this.#mark = no
  }

  /** A chunk is pending again, as far as this program knows. */
  released(no: number): void {
    this.#mark = Math.min(this.#mark, no)
  }

  #jump([low, high]: Span): number {
    this.#at = ((this.#at ?? 0) + STEP) % 1
    return low + Math.floor(this.#at * (high - low + 1))
  }
}

export function share(part: Part | null): string {
  return part === null ? '' : ` AND (chunk_no - 1) % ${part.of} = ${part.no - 1}`
}

export function without(numbers: readonly string[]): string {
  return numbers.length === 0 ? '' : ` AND chunk_no NOT IN (${numbers.map((no) => BigInt(no)).join(', ')})`
}

/** Numbers that follow one another as one span: a run may take thousands. */
function spansOf(numbers: readonly number[]): readonly Span[] {
  const spans: [number, number][] = []
  for (const no of numbers.toSorted((a, b) => a - b)) {
    const last = spans.at(-1)
    if (last !== undefined && no <= last[1] + 1) last[1] = no
    else spans.push([no, no])
  }
  return spans
}

function grouped(spans: readonly Span[]): readonly (readonly Span[])[] {
  const groups: (readonly Span[])[] = []
  for (let at = 0, most = FIRST_SPANS; at < spans.length; at += most, most = MORE_SPANS)
    groups.push(spans.slice(at, at + most))
  return groups
}

/** The outer bounds are for an index, the others for nobody else: a sign before the column keeps them from being taken for one each. */
function within(spans: readonly Span[]): string {
  const [low, high] = [spans[0]?.[0] ?? 0, spans.at(-1)?.[1] ?? 0]
  const bounds = ` AND chunk_no BETWEEN ${low} AND ${high}`
  return spans.length < 2 ? bounds : `${bounds} AND ${oneOf(spans)}`
}

/** Halves of halves, because systems limit how deep a condition goes, and not how wide. */
function oneOf(spans: readonly Span[]): string {
  const [only] = spans
  if (spans.length === 1 && only !== undefined) return `+chunk_no BETWEEN ${only[0]} AND ${only[1]}`
  const middle = spans.length >> 1
  return `(${oneOf(spans.slice(0, middle))} OR ${oneOf(spans.slice(middle))})`
}
