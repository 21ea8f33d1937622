/** Records whether a worker reaches its queue: logs each cause once, and ends a worker whose login stays refused. */
import { asSluiceError, errorLine, type SluiceError } from '../../shared/errors.ts'
import type { Clock } from '../../shared/clock.ts'
import { redactValue } from '../../shared/redact.ts'

/** Errors of a connection that is lost or cannot be made. */
const LOST: ReadonlySet<string> = new Set(['CONNECTION_LOST', 'CONNECT_FAILED'])

export class QueueContact {
  readonly #secrets: readonly string[]
  readonly #log: (level: 'note' | 'warn', message: string) => void
  readonly #login: RefusedLogin
  /** Reasons why the queue is unreachable; empty if the queue is reachable. */
  readonly #causes = new Set<string>()

  /** @param refused called once, after two minutes in which the queue refused the login */
  constructor(
    clock: Pick<Clock, 'ticks'>,
    secrets: readonly string[],
    log: (level: 'note' | 'warn', message: string) => void,
    refused: () => void,
  ) {
    this.#secrets = secrets
    this.#log = log
    this.#login = new RefusedLogin(clock, refused)
  }

  get isReached(): boolean {
    return this.#causes.size === 0
  }

  /** The refusal that ends the worker; null if none does. */
  get refusal(): SluiceError | null {
    return this.#login.error
  }

  /** Logs each cause once until the queue is reachable again; a lost connection is one cause. */
  failed(error: unknown): void {
    this.#login.failed(asSluiceError(error))
    const info = redactValue(asSluiceError(error).info(), this.#secrets)
    const text = errorLine(info)
    // A refused login and an unreachable server are two different causes.
    const cause = LOST.has(info.code) && info.retryable ? 'lost' : text
    if (this.#causes.has(cause)) return
    this.#causes.add(cause)
    this.#log('warn', `the queue cannot be reached, and running tasks continue: ${text}`)
  }

  /** Call after writes: a queue that only answers reads, such as a standby, is treated as unreachable. */
  wrote(): void {
    this.#login.answered()
    if (this.isReached) return
    this.#causes.clear()
    this.#log('note', 'the queue can be reached again')
  }
}

// Ends a worker whose queue keeps refusing its login. An unreachable queue does not end it.

/** How long a login must be refused before the worker ends, ms. A password change may take this long. */
const REFUSED_MS = 120_000

class RefusedLogin {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #last: () => void
  /** Start of uninterrupted refusals. */
  #since: number | null = null
  #error: SluiceError | null = null

  /** @param last called once, after two minutes of refusals */
  constructor(clock: Pick<Clock, 'ticks'>, last: () => void) {
    this.#clock = clock
    this.#last = last
  }

  /** The refusal that ends the worker; null if none does. */
  get error(): SluiceError | null {
    return this.#error
  }

  /** Records a failed call to the queue. Any failure other than a refused login restarts the two minutes. */
  failed(error: SluiceError): void {
    if (error.code !== 'CONNECT_FAILED' || error.retryable) {
      this.#since = null
      return
    }
    const now = this.#clock.ticks()
    this.#since ??= now
    if (this.#error !== null || now - this.#since < REFUSED_MS) return
    this.#error = error
    this.#last()
  }

  /** Records a reply of the queue. */
  answered(): void {
    this.#since = null
  }
}
