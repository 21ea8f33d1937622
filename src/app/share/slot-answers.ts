/** Detects a task program that no longer replies to its worker: stopped, looping or disk-blocked, it ignores a stop. */
import { BEAT_MS, LOST_AFTER_MS } from '../../model/share/distributed.ts'

/** Time for loading its modules, ms. */
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
   * @param hasFiles true if it opens database files: their drivers block the program during a statement, which may read
   * a whole table
   * @param cpu CPU time used so far, in any unit; null if the system does not report it
   */
  constructor(hasFiles: boolean, cpu: () => number | null) {
    this.#hasFiles = hasFiles
    this.#cpu = cpu
  }

  /** It was requested to end: from now on silence counts during a statement too, unless the statement uses CPU. */
  stopped(): void {
    if (!this.#isStopped) this.#silentMs = 0
    this.#isStopped = true
  }

  /** Call every `BEAT_MS`. Counts calls, so a worker that hung itself counts one. @returns true to send a question */
  beat(): boolean {
    if (this.#isAsked) this.#silentMs = this.#isWithinStatement() ? 0 : this.#silentMs + BEAT_MS
    const isAsking = !this.#isAsked
    this.#isAsked = true
    return isAsking
  }

  /** Any message of the program. @param isAnswer true for the reply to the question */
  heard(isAnswer: boolean): void {
    this.#silentMs = 0
    this.#hasAnswered = true
    if (isAnswer) this.#isAsked = false
  }

  /**
   * True if it may be in a long computation: its worker sends no heartbeats for it, so other workers see the task as
   * silent. False while it starts: other workers would start a second program, on hosts that are as slow.
   */
  get isLate(): boolean {
    return this.#hasAnswered && this.#silentMs >= this.#limit / 3
  }

  get isGone(): boolean {
    return this.#silentMs >= this.#limit
  }

  /** A program that is stopped, or blocked by a disk, uses no CPU. */
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
