/** Monitors whether a side of a stream answers, and for how long it has not; reports never wait for an answer. */
import { tookText } from '../../../shared/figures.ts'
import type { Emit } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import { asSluiceError } from '../../../shared/errors.ts'

/** A side without an answer for this time is silent: a busy server exceeds it now and then, but not for long. */
const SILENT_MS = 3000
/** A shorter silence is not reported. */
const REPORT_MS = 5000

export type AnsweringSide = {
  readonly name: 'source' | 'target'
  /** URL of its store, without secrets. */
  readonly label: string
  readonly clock: Clock
  readonly emit: Emit<'log'>
}

export class SideAnswers {
  readonly #side: AnsweringSide
  #open: Promise<void> | null = null
  /** Time of the first query without an answer; null if all have one. */
  #since: number | null = null
  /** Why the last query failed. */
  #lastError: string | null = null
  #isReported = false

  constructor(side: AnsweringSide) {
    this.#side = side
  }

  get name(): AnsweringSide['name'] {
    return this.#side.name
  }

  /** Ms since the first query without an answer; 0 if the side answers. */
  get waitedMs(): number {
    return this.#since === null ? 0 : this.#side.clock.ticks() - this.#since
  }

  get isSilent(): boolean {
    return this.waitedMs >= SILENT_MS
  }

  /** Sends a query unless one is pending. @param question must end on an abort @param failed receives its error */
  ask<T>(question: () => Promise<T>, answered: (answer: T) => void, failed: (error: unknown) => void): void {
    if (this.#open !== null) return
    this.#since ??= this.#side.clock.ticks()
    this.#open = question()
      .then((answer) => {
        this.#noteAnswer()
        answered(answer)
      })
      .catch((error: unknown) => {
        this.#lastError = asSluiceError(error).message
        failed(error)
      })
      .finally(() => (this.#open = null))
  }

  /** Resolves once no query is pending, or after `ms`. */
  async settled(ms: number): Promise<void> {
    if (this.#open === null) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
    await Promise.race([this.#open, late])
    clearTimeout(timer)
  }

  /** Reports a silence once. */
  report(): void {
    if (this.#isReported || this.waitedMs < REPORT_MS) return
    this.#isReported = true
    const { name, label, emit } = this.#side
    const why = this.#lastError === null ? '' : ` (${this.#lastError})`
    const message = `the ${name} has not answered for ${tookText(this.waitedMs)}${why}; changes wait until it does: ${label}`
    emit({ type: 'log', level: 'warn', message })
  }

  #noteAnswer(): void {
    const { name, label, emit } = this.#side
    const message = `the ${name} answers again after ${tookText(this.waitedMs)}: ${label}`
    if (this.#isReported) emit({ type: 'log', level: 'note', message })
    this.#since = null
    this.#lastError = null
    this.#isReported = false
  }
}
