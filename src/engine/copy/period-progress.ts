/** How far each period of a table is that is copied period by period: told as soon as the last chunk of one is proved. */
import type { PeriodWish } from '../../model/copy/period-marks.ts'
import type { Range } from '../../model/copy/range.ts'
import { dec, type Emit } from '../../model/event.ts'
import type { Clock } from '../../shared/clock.ts'
import type { StoredChunk } from './ledger/stored-chunk.ts'
import { byPriority, partOfRange, periodParts, type PeriodPart } from './plan/period-cut.ts'

type Sum = { chunks: number; closed: number; rows: bigint; begun: number | null }

export type PeriodProof = 'chunk' | 'count'

export class PeriodProgress {
  readonly #table: string
  readonly #parts: readonly PeriodPart[]
  /** As they are copied. */
  readonly #order: readonly PeriodPart[]
  readonly #emit: Emit<'partition.landed'>
  readonly #clock: Clock
  readonly #proof: PeriodProof
  /** By the place of a part, and of whole partitions by their names. */
  readonly #sums = new Map<number | string, Sum>()

  constructor(
    table: string,
    wish: PeriodWish,
    around: { readonly emit: Emit<'partition.landed'>; readonly clock: Clock; readonly proof: PeriodProof },
  ) {
    this.#table = table
    this.#parts = periodParts(wish)
    this.#order = byPriority(wish)
    this.#emit = around.emit
    this.#clock = around.clock
    this.#proof = around.proof
  }

  /** Counts the chunks that there are; tells which partitions earlier runs have copied. @param chunks of the table, all of them */
  async load(chunks: AsyncIterable<StoredChunk>): Promise<void> {
    this.#sums.clear()
    for await (const { range, status, written } of chunks) {
      for (const sum of this.#sumsOf(range)) {
        sum.chunks++
        if (status !== 'completed') continue
        sum.closed++
        sum.rows += written
      }
    }
    const told = new Set<string>()
    for (const { mark } of this.#order) {
      if (mark.partition === null || told.has(mark.partition)) continue
      told.add(mark.partition)
      const sum = this.#sums.get(mark.partition)
      if (sum !== undefined && sum.closed === sum.chunks && sum.rows > 0n) this.#tell(mark.partition, null, sum, true)
    }
  }

  began(range: Range): void {
    for (const sum of this.#sumsOf(range)) sum.begun ??= this.#clock.ticks()
  }

  /** A chunk is proved. @param rows that it holds */
  closed(range: Range, rows: bigint): void {
    const part = partOfRange(this.#parts, range)
    for (const sum of this.#sumsOf(range)) {
      sum.closed++
      sum.rows += rows
    }
    if (part === null || part.mark.partition === null) return
    const { partition } = part.mark
    for (const [key, slice] of [
      [part.at, part.mark.slice ?? null],
      [partition, null],
    ] as const) {
      const sum = this.#sums.get(key)
      // Without slices a part is the partition.
      const isTold = typeof key === 'string' || slice !== null
      if (isTold && sum !== undefined && sum.closed === sum.chunks && sum.rows > 0n)
        this.#tell(partition, slice, sum, false)
    }
  }

  #sumsOf(range: Range): readonly Sum[] {
    const part = partOfRange(this.#parts, range)
    if (part === null) return []
    const keys = part.mark.partition === null ? [part.at] : [part.at, part.mark.partition]
    return keys.map((key) => {
      const sum = this.#sums.get(key) ?? { chunks: 0, closed: 0, rows: 0n, begun: null }
      this.#sums.set(key, sum)
      return sum
    })
  }

  #tell(partition: string, slice: string | null, sum: Sum, earlier: boolean): void {
    const label = this.#parts.find(({ mark }) => mark.partition === partition)?.mark.label ?? null
    this.#emit({
      type: 'partition.landed',
      table: this.#table,
      partition,
      ...(label === null ? {} : { label }),
      ...(slice === null ? {} : { slice }),
      rows: dec(sum.rows),
      chunks: dec(sum.chunks),
      proof: this.#proof,
      ...(earlier || sum.begun === null ? {} : { ms: Math.round(this.#clock.ticks() - sum.begun) }),
      ...(earlier ? { earlier: true as const } : {}),
    })
  }
}
