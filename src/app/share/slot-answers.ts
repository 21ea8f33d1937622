/** Whether the program of a slot still answers its worker: one that is stopped, spins or waits for a dead disk ends no batch and hears no stop. */
import { BEAT_MS, LOST_AFTER_MS } from '../../model/share/distributed.ts'

/** Until its modules are loaded, ms. */
const START_MS = 120_000

export class SlotAnswers {
  readonly #hasFiles: boolean
  readonly #cpu: () => number | null
  #cpuBefore: number | null = null
  #isStopped = false
  #hasAnswered = false
  #isAsked = false
  #silentMs = 0

  /**
   * @param hasFiles it opens databases that are files: their drivers let nothing else run within a statement, which may read a whole table
   * @param cpu the CPU that it has used so far, in any unit; null where the system does not report it
   */
  constructor(hasFiles: boolean, cpu: () => number | null) {
    this.#hasFiles = hasFiles
    this.#cpu = cpu
  }

  /** It was asked to end: from now on a silence counts, also within a statement, unless that statement uses CPU. */
  stopped(): void {
    if (!this.#isStopped) this.#silentMs = 0
    this.#isStopped = true
  }

  /** To be called each `BEAT_MS`: beats are counted and no clock is read, so a worker that stood still itself counts one. @returns whether to ask now */
  beat(): boolean {
    if (this.#isAsked) this.#silentMs = this.#isWithinStatement() ? 0 : this.#silentMs + BEAT_MS
    const isAsking = !this.#isAsked
    this.#isAsked = true
    return isAsking
  }

  /** Anything that it says. @param isAnswer to the question */
  heard(isAnswer: boolean): void {
    this.#silentMs = 0
    this.#hasAnswered = true
    if (isAnswer) this.#isAsked = false
  }

  /**
   * It may be in a long computation; its worker speaks for it no more, so others call the slot silent.
   * One that still starts is not: others would start a second program beside it, on hosts that are as slow.
   */
  get isLate(): boolean {
    return this.#hasAnswered && this.#silentMs >= this.#limit / 3
  }

  get isGone(): boolean {
    return this.#silentMs >= this.#limit
  }

  /** A program that stands still, or waits for a dead disk, uses no CPU. */
  #isWithinStatement(): boolean {
    if (!this.#hasFiles || !this.#hasAnswered) return false
    const [before, now] = [this.#cpuBefore, this.#cpu()]
    this.#cpuBefore = now
    return now === null || before === null || now > before
  }

  get #limit(): number {
    if (!this.#hasAnswered) return START_MS
    return this.#hasFiles && !this.#isStopped ? Number.POSITIVE_INFINITY : LOST_AFTER_MS
  }
}
