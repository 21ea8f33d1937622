/** Records whether a worker reaches its queue: logs each cause once, and ends a worker whose login stays refused. */
import { asSluiceError, errorLine, type SluiceError } from '../../shared/errors.ts'
import type { Clock } from '../../shared/clock.ts'
import { redactValue } from '../../shared/redact.ts'
import { RefusedLogin } from './refused-login.ts'

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
