/** Progress of a check of files: step by step, reported a few times a second. */
import { dec, type Emit, type FsckProgressEvent } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'

export type FsckStep = FsckProgressEvent['step']

const REPORT_EVERY_MS = 250

export class FsckProgress {
  readonly #table: string
  readonly #emit: Emit<'fsck.progress'>
  readonly #clock: Pick<Clock, 'ticks'>
  #step: FsckStep = 'listing'
  #total: number | null = null
  #done = 0
  #bytes = 0
  reportedAt: number

  /** @param clock limits how often progress is reported */
  constructor(table: string, emit: Emit<'fsck.progress'>, clock: Pick<Clock, 'ticks'>) {
    this.#table = table
    this.#emit = emit
    this.#clock = clock
    this.reportedAt = clock.ticks()
  }

  /** @param total objects, files, checkpoints or commits of the step; null if unknown */
  begin(step: FsckStep, total: number | null): void {
    this.#step = step
    this.#total = total
    this.#done = 0
    this.#bytes = 0
    if (step === 'files' || step === 'sample') this.report()
  }

  /** @param bytes size of files in the log, or of objects in the listing */
  add(count: number, bytes = 0): void {
    this.#done += count
    this.#bytes += bytes
    if (this.#clock.ticks() - this.reportedAt >= REPORT_EVERY_MS) this.report()
  }

  /** Reports the final state of a step over files. */
  end(): void {
    if (this.#step === 'files' || this.#step === 'sample') this.report()
  }

  report(): void {
    this.reportedAt = this.#clock.ticks()
    this.#emit({
      type: 'fsck.progress',
      table: this.#table,
      step: this.#step,
      done: dec(this.#done),
      ...(this.#total === null ? {} : { total: dec(Math.max(this.#total, this.#done)) }),
      bytes: dec(this.#bytes),
    })
  }
}
