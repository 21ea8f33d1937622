/** Totals of chunks whose events are no longer kept. */
import { dec, type ChunkEventTotals, type ChunkTally, type Dec } from '../../model/run/event.ts'

type Reported = Partial<ChunkTally> & { readonly done?: Dec }

/** Totals that are changed in place, without rounding. */
export class Sums {
  read = 0n
  written = 0n
  skipped = 0n
  quarantined = 0n
  proved = 0n

  add({ read, written, skipped, quarantined, checksum, done = '0' }: Reported): void {
    const rows = BigInt(written ?? done)
    this.read += BigInt(read ?? done)
    this.written += rows
    this.skipped += BigInt(skipped ?? 0)
    this.quarantined += BigInt(quarantined ?? 0)
    if (checksum === undefined || checksum.target !== '') this.proved += rows
  }

  take({ read, written, skipped, quarantined, proved }: ChunkEventTotals): void {
    this.read += BigInt(read)
    this.written += BigInt(written)
    this.skipped += BigInt(skipped)
    this.quarantined += BigInt(quarantined)
    this.proved += BigInt(proved)
  }

  reported(): ChunkEventTotals {
    const { read, written, skipped, quarantined, proved } = this
    return {
      read: dec(read),
      written: dec(written),
      skipped: dec(skipped),
      quarantined: dec(quarantined),
      proved: dec(proved),
    }
  }
}

/** Completed work by unit. */
export class CompletedWork {
  chunks = 0n
  bytes = 0n
  retries = 0n
  readonly #units = new Map<string, bigint>()

  add(unit: string, done: Dec): void {
    this.#units.set(unit, (this.#units.get(unit) ?? 0n) + BigInt(done))
  }

  /** Adds the work of `other`. */
  take(other: CompletedWork): void {
    this.chunks += other.chunks
    this.bytes += other.bytes
    this.retries += other.retries
    for (const [unit, done] of other.#units) this.add(unit, done.toString())
  }

  get isEmpty(): boolean {
    return this.chunks === 0n && this.bytes === 0n && this.retries === 0n && this.#units.size === 0
  }

  reported(): { readonly chunks: Dec; readonly bytes: Dec; readonly retries: Dec; readonly work: Record<string, Dec> } {
    return {
      chunks: dec(this.chunks),
      work: Object.fromEntries([...this.#units].map(([unit, done]) => [unit, dec(done)])),
      bytes: dec(this.bytes),
      retries: dec(this.retries),
    }
  }
}
