/** Progress of a table that is copied by periods; a partition is reported once its last chunk is proved. */
import type { PeriodOptions } from '../../../model/copy/period-marks.ts'
import type { Range } from '../../../model/copy/range.ts'
import { dec, type Emit } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import type { KeyRange } from '../plan/covered.ts'
import { byPriority, partsOfRange, periodParts, type PeriodRange } from '../plan/period-cut.ts'

/**
 * @property isShared true if a chunk also has rows of other periods, so that the rows of this period must be counted
 */
type Sum = { chunks: number; closed: number; rows: bigint; isShared: boolean; begun: number | null }

type PeriodContext = {
  readonly emit: Emit<'partition.landed'>
  readonly clock: Clock
  readonly proof: PeriodProof
  /** Counts rows of the target in a range. */
  readonly count: (range: KeyRange) => Promise<bigint>
}

export type PeriodProof = 'chunk' | 'count'

export class PeriodProgress {
  readonly #table: string
  readonly #parts: readonly PeriodRange[]
  /** Periods in copy order. */
  readonly #order: readonly PeriodRange[]
  readonly #emit: Emit<'partition.landed'>
  readonly #clock: Clock
  readonly #proof: PeriodProof
  readonly #count: PeriodContext['count']
  /** Sums by index of a period, and sums of whole partitions by name. */
  readonly #sums = new Map<number | string, Sum>()

  constructor(table: string, options: PeriodOptions, context: PeriodContext) {
    this.#table = table
    this.#parts = periodParts(options)
    this.#order = byPriority(options)
    this.#emit = context.emit
    this.#clock = context.clock
    this.#proof = context.proof
    this.#count = context.count
  }

  /**
   * Adds up existing chunks, and reports partitions that earlier runs copied. Skips partitions whose rows would have to
   * be counted.
   * @param chunks all chunks of the table
   */
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
    const reported = new Set<string>()
    for (const { mark } of this.#order) {
      if (mark.partition === null || reported.has(mark.partition)) continue
      reported.add(mark.partition)
      const sum = this.#sums.get(mark.partition)
      if (sum !== undefined && isWhole(sum) && !sum.isShared)
        await this.report(mark.partition, mark.partition, sum, true)
    }
  }

  began(range: Range): void {
    for (const sum of this.#sumsOf(range)) sum.begun ??= this.#clock.ticks()
  }

  /**
   * Call when a chunk is proved. Does not report a period whose rows cannot be counted now. @param rows rows of the
   * chunk
   */
  async closed(range: Range, rows: bigint): Promise<void> {
    const sums = this.#sumsOf(range)
    for (const sum of sums) {
      sum.closed++
      sum.rows += rows
    }
    // Select the complete sums before the first await: other chunks may complete during the await.
    const whole = [...this.#sums].filter(([, sum]) => sums.includes(sum) && isWhole(sum))
    for (const [key, sum] of whole) {
      const { partition, slice } = (typeof key === 'number' ? this.#parts[key]?.mark : undefined) ?? { partition: key }
      // Without slices, a period is the whole partition, which has its own sum.
      if (typeof partition !== 'string' || (typeof key === 'number' && slice === undefined)) continue
      await this.report(key, partition, sum, false).catch(() => undefined)
    }
  }

  #sumsOf(range: Range): readonly Sum[] {
    const parts = partsOfRange(this.#parts, range)
    const partitions = new Set(parts.map(({ mark }) => mark.partition))
    const sumOf = (key: number | string, isShared: boolean): Sum => {
      const sum = this.#sums.get(key) ?? { chunks: 0, closed: 0, rows: 0n, isShared: false, begun: null }
      sum.isShared ||= isShared
      this.#sums.set(key, sum)
      return sum
    }
    return [
      ...parts.map(({ at }) => sumOf(at, parts.length > 1)),
      ...[...partitions].flatMap((partition) => (partition === null ? [] : sumOf(partition, partitions.size > 1))),
    ]
  }

  /** @param key key of the sum in `#sums` */
  async report(key: number | string, partition: string, sum: Sum, earlier: boolean): Promise<void> {
    const parts = this.#parts.filter(({ at, mark }) => (typeof key === 'number' ? at === key : mark.partition === key))
    const [first, last] = [parts[0], parts.at(-1)]
    if (first === undefined || last === undefined) return
    const range = { by: 'key', after: first.range.after, through: last.range.through } as const
    const rows = sum.isShared ? await this.#count(range) : sum.rows
    if (rows === 0n) return
    const { label, slice } = first.mark
    this.#emit({
      type: 'partition.landed',
      table: this.#table,
      partition,
      ...(label === null ? {} : { label }),
      ...(typeof key === 'string' || slice === undefined ? {} : { slice }),
      rows: dec(rows),
      chunks: dec(sum.chunks),
      proof: this.#proof,
      ...(earlier || sum.begun === null ? {} : { ms: Math.round(this.#clock.ticks() - sum.begun) }),
      ...(earlier ? { earlier: true as const } : {}),
    })
  }
}

function isWhole({ chunks, closed, rows }: Sum): boolean {
  return closed === chunks && rows > 0n
}
