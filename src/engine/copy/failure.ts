/** What a failure of a chunk means for what is done next. */
import { systemClock, type Clock } from '../../shared/clock.ts'
import { asSluiceError, type SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../stores/copy-port.ts'

export type FailureKind =
  /** Passes by itself: again after a pause. */
  | 'retry'
  /** One row does not go: find it, set it aside, go on. */
  | 'row'
  /** Somebody else has the chunk now. */
  | 'lost'
  /** The run was asked to end. */
  | 'stop'
  /** Will be the same for every chunk of the table. */
  | 'table'

export function failureKind(thrown: unknown): { readonly kind: FailureKind; readonly error: SluiceError } {
  const error = asSluiceError(thrown)
  if (error.kind === 'stopped') return { kind: 'stop', error }
  if (error.code === 'LEASE_LOST') return { kind: 'lost', error }
  if (error.code === 'ROW_REFUSED' || error.code === 'VALUE_REFUSED') return { kind: 'row', error }
  return { kind: error.retryable ? 'retry' : 'table', error }
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 30_000
/** Fewest attempts before work is given up that fails for causes that pass by themselves. */
const FEWEST_ATTEMPTS = 8
/** How long such work is tried again, ms, unless the URL of a store says otherwise: the `retry_seconds` of docs/DATABASES.md. */
export const RETRY_MS = 60_000

/** Milliseconds before another attempt: anything up to the doubled limit, so that workers do not march in step. */
export function pauseAfter(attempts: number, random: () => number = Math.random): number {
  return Math.ceil(random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 20)))
}

/** Attempts at one piece of work that fails for causes that pass by themselves. */
export class Attempts {
  readonly #retryMs: number
  readonly #clock: Pick<Clock, 'ticks'>
  #failures = 0
  #since: number | null = null

  /** @param retryMs the work is given up no earlier than this after its first failure */
  constructor(retryMs: number = RETRY_MS, clock: Pick<Clock, 'ticks'> = systemClock) {
    this.#retryMs = retryMs
    this.#clock = clock
  }

  /** Notes a failure. @returns milliseconds before the next attempt; null where the work is given up */
  failed(): number | null {
    const now = this.#clock.ticks()
    this.#since ??= now
    this.#failures++
    if (this.#failures >= FEWEST_ATTEMPTS && now - this.#since >= this.#retryMs) return null
    return pauseAfter(this.#failures)
  }
}

/** Longest that work with both stores is tried again, ms. */
export function retryMsOf(...stores: readonly Pick<CopyStore, 'can'>[]): number {
  return Math.max(...stores.map(({ can }) => can.retryMs ?? RETRY_MS))
}

/** Whether the other side has too much to do, so that less should be asked of it. A line that broke says nothing of the kind. */
export function isPressure({ code }: SluiceError): boolean {
  return code === 'RATE_LIMITED' || code === 'TARGET_BUSY' || code === 'TARGET_IO' || code === 'SOURCE_IO'
}

/** What a user is told once where readers let their tables go for another session of the source; null for any other failure. */
export function yieldedText({ code, message }: SluiceError): string | null {
  return code === 'SOURCE_BUSY' ? `${message}: the copy let go of its tables, and goes on` : null
}
