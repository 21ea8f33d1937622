/** Which chunks of a copy the ranges of a ring belong to that are compared, however either were split, and which chunks were compared to their end. */
import { cutTokens, tokenCount, type TokenRange } from '../../../model/copy/ring.ts'
import { chunkTokens, type RingPlan } from '../plan/ring-plan.ts'
import type { CopiedPart } from './copied-part.ts'
import type { CopiedTable } from './copied-table.ts'

export type TokenPiece = { readonly range: TokenRange; readonly part: CopiedPart | null }

export class CopiedTokens {
  readonly table: CopiedTable
  /** Closed chunks, ascending. */
  readonly #chunks: readonly { readonly tokens: TokenRange; readonly part: CopiedPart }[]
  /** Tokens of a part that were not compared yet. */
  readonly #left = new Map<CopiedPart, bigint>()

  constructor(table: CopiedTable, ring: RingPlan) {
    this.table = table
    this.#chunks = table.chunks
      .flatMap((chunk) => {
        const [tokens, part] = [chunkTokens(chunk, ring), table.partOf(chunk)]
        return tokens === null || part === null ? [] : [{ tokens, part }]
      })
      .toSorted((a, b) => (a.tokens.low < b.tokens.low ? -1 : 1))
    for (const { tokens, part } of this.#chunks) this.#left.set(part, tokenCount(tokens))
    // Whether all of its rows were compared is known once those that only the target has were looked for.
    if (table.whole !== null) this.#left.set(table.whole, tokenCount(ring.ring))
  }

  /** A range, cut where chunks begin and end. */
  pieces(tokens: TokenRange): readonly TokenPiece[] {
    const { whole } = this.table
    if (whole !== null) return [{ range: tokens, part: whole }]
    const own = this.#chunks.filter(({ tokens: { low, high } }) => low <= tokens.high && high >= tokens.low)
    const { between } = cutTokens(
      tokens,
      own.map((one) => one.tokens),
    )
    return [
      ...own.flatMap(({ tokens: one, part }) => cutTokens(tokens, [one]).within.map((range) => ({ range, part }))),
      ...between.map((range) => ({ range, part: null })),
    ]
  }

  compared(tokens: TokenRange, part: CopiedPart | null): void {
    if (part === null) return
    const left = (this.#left.get(part) ?? 0n) - tokenCount(tokens)
    this.#left.set(part, left)
    if (part !== this.table.whole) part.isWhole = left === 0n
  }

  /** Rows that only the target has were looked for, wherever they lie. */
  lookedForExtra(): void {
    const { whole } = this.table
    if (whole !== null) whole.isWhole = this.#left.get(whole) === 0n
  }
}
