/**
 * Divides compared token ranges at the bounds of the chunks of a copy, and tracks which chunks are compared
 * completely.
 */
import { cutTokens, tokenCount, type TokenRange } from '../../../model/copy/ring.ts'
import { chunkTokens, type RingPlan } from '../plan/ring-plan.ts'
import type { ComparedPart } from './copied-part.ts'
import type { CopiedTable } from './copied-table.ts'

/** A piece of a compared range. `part`: the copied chunk, or the whole table, to which it belongs; null for none. */
export type TokenPiece = { readonly range: TokenRange; readonly part: ComparedPart | null }

type CompletedChunk = { readonly tokens: TokenRange; readonly id: number }

export class CopiedTokens {
  readonly table: CopiedTable
  readonly #ring: RingPlan
  /** Tokens and ids of completed chunks, ascending. Other fields are read when a chunk is compared. */
  readonly #chunks: readonly CompletedChunk[]
  /** Parts being compared, by chunk id. */
  readonly #begun = new Map<number, ComparedPart>()
  /** Tokens of each part that are not compared yet. */
  readonly #left = new Map<ComparedPart, bigint>()

  private constructor(table: CopiedTable, ring: RingPlan, chunks: readonly CompletedChunk[]) {
    this.table = table
    this.#ring = ring
    this.#chunks = chunks
    // The whole table is compared only after the search for rows that only the target has.
    if (table.whole !== null) this.#left.set(table.whole, tokenCount(ring.ring))
  }

  static async of(table: CopiedTable, ring: RingPlan): Promise<CopiedTokens> {
    const chunks: CompletedChunk[] = []
    if (table.whole !== null) return new CopiedTokens(table, ring, chunks)
    for await (const chunk of table.chunks()) {
      const tokens = chunkTokens(chunk, ring)
      if (tokens !== null && chunk.status === 'completed') chunks.push({ tokens, id: chunk.id })
    }
    return new CopiedTokens(
      table,
      ring,
      chunks.toSorted((a, b) => (a.tokens.low < b.tokens.low ? -1 : 1)),
    )
  }

  /** Divides a range at the bounds of chunks. */
  async pieces(tokens: TokenRange): Promise<readonly TokenPiece[]> {
    const { whole } = this.table
    if (whole !== null) return [{ range: tokens, part: whole }]
    const own = this.#within(tokens)
    await this.#begin(own)
    const { between } = cutTokens(
      tokens,
      own.map((one) => one.tokens),
    )
    return [
      ...own.flatMap(({ tokens: one, id }) => {
        const part = this.#begun.get(id) ?? null
        return cutTokens(tokens, [one]).within.map((range) => ({ range, part }))
      }),
      ...between.map((range) => ({ range, part: null })),
    ]
  }

  compared(tokens: TokenRange, part: ComparedPart | null): void {
    if (part === null) return
    const left = (this.#left.get(part) ?? 0n) - tokenCount(tokens)
    this.#left.set(part, left)
    if (part === this.table.whole || left !== 0n) return
    part.isWhole = true
    this.#left.delete(part)
    if (part.chunk !== null) this.#begun.delete(part.chunk.id)
    this.table.compared(part)
  }

  /** Call after the whole target was searched for rows that the source does not have. */
  noteExtraSearched(): void {
    const { whole } = this.table
    if (whole !== null) whole.isWhole = this.#left.get(whole) === 0n
  }

  /** Chunks that overlap the range; chunks never share a token. */
  #within({ low, high }: TokenRange): readonly CompletedChunk[] {
    let [from, to] = [0, this.#chunks.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#chunks[middle]?.tokens.high ?? high) < low) from = middle + 1
      else to = middle
    }
    const own: CompletedChunk[] = []
    for (let at = from; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]
      if (chunk === undefined || chunk.tokens.low > high) break
      own.push(chunk)
    }
    return own
  }

  async #begin(own: readonly CompletedChunk[]): Promise<void> {
    const missing = own.filter(({ id }) => !this.#begun.has(id)).map(({ id }) => id)
    if (missing.length === 0) return
    for (const chunk of await this.table.chunksOf(missing)) {
      const [tokens, part] = [chunkTokens(chunk, this.#ring), this.table.partOf(chunk)]
      // Another worker may have begun the chunk meanwhile.
      if (tokens === null || part === null || this.#begun.has(chunk.id)) continue
      this.#begun.set(chunk.id, part)
      this.#left.set(part, tokenCount(tokens))
    }
  }
}
