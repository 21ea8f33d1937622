/**
 * Detects a task program that no longer replies to its worker. A program that is stopped, loops or waits for a disk
 * does not end on request.
 */
import { HEARTBEAT_MS, LOST_AFTER_MS } from '../../model/share/distributed.ts'

/** Time for loading the modules of the program, ms. */
const START_MS = 120_000

export class TaskReplies {
  readonly #hasFiles: boolean
  readonly #cpu: () => number | null
  #cpuBefore: number | null = null
  #isStopped = false
  #hasAnswered = false
  #isAsked = false
  #silentMs = 0

  /**
   * @param hasFiles true if the program opens database files: their drivers block it during a statement, which may read
   * a whole table
   * @param cpu CPU time used so far, in any unit; null if the system does not report it
   */
  constructor(hasFiles: boolean, cpu: () => number | null) {
    this.#hasFiles = hasFiles
    this.#cpu = cpu
  }

  /**
   * Call when the program is requested to end. From then on, silence during a statement counts too, unless the program
   * uses CPU.
   */
  stopped(): void {
    if (!this.#isStopped) this.#silentMs = 0
    this.#isStopped = true
  }

  /** Call every `HEARTBEAT_MS`. Counts calls, not time: the worker itself may hang. @returns true to send a question */
  nextCheck(): boolean {
    if (this.#isAsked) this.#silentMs = this.#isWithinStatement() ? 0 : this.#silentMs + HEARTBEAT_MS
    const isAsking = !this.#isAsked
    this.#isAsked = true
    return isAsking
  }

  /** Call for any message of the program. @param isAnswer true for the reply to the question */
  onMessage(isAnswer: boolean): void {
    this.#silentMs = 0
    this.#hasAnswered = true
    if (isAnswer) this.#isAsked = false
  }

  /**
   * True after a third of the time limit without a message. The worker then sends no heartbeats for the task, so that
   * other workers see it as silent. False while the program starts: a second start on another host may be as slow.
   */
  get isLate(): boolean {
    return this.#hasAnswered && this.#silentMs >= this.#limit / 3
  }

  get isGone(): boolean {
    return this.#silentMs >= this.#limit
  }

  /** True if a statement may block the program. A program that is stopped, or blocked by a disk, uses no CPU. */
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
