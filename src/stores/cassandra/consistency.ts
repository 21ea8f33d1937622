/** Consistency levels: names and numbers, and writes that fall back to ONE if the level cannot be reached. */
import { setTimeout as sleepFor } from 'node:timers/promises'
import { SluiceError } from '../../shared/errors.ts'
import { cassandraFailure, type OnRetry } from './failure.ts'

/** Numbers of the native protocol. */
const LEVELS = {
  ANY: 0,
  ONE: 1,
  TWO: 2,
  THREE: 3,
  QUORUM: 4,
  ALL: 5,
  LOCAL_QUORUM: 6,
  EACH_QUORUM: 7,
  SERIAL: 8,
  LOCAL_SERIAL: 9,
  LOCAL_ONE: 10,
} as const

export type LevelName = keyof typeof LEVELS
export type ConsistencyLevel = { readonly name: LevelName; readonly number: number }

/** Default level, the same as the Cassandra Data Migrator's. */
export const DEFAULT_LEVEL: ConsistencyLevel = { name: 'LOCAL_QUORUM', number: LEVELS.LOCAL_QUORUM }
export const DEFAULT_SERIAL: ConsistencyLevel = { name: 'LOCAL_SERIAL', number: LEVELS.LOCAL_SERIAL }
export const ONE: number = LEVELS.ONE
export const ALL: number = LEVELS.ALL

/** @param word in any case, with or without `_` @throws SluiceError BAD_CONFIG if there is no such level */
export function consistencyOf(
  word: string,
  said: { readonly where?: string; readonly parameter?: string } = {},
): ConsistencyLevel {
  const plain = (text: string): string => text.replaceAll(/[_\s-]/g, '').toUpperCase()
  const found = Object.entries(LEVELS).find(([name]) => plain(name) === plain(word))
  if (found !== undefined) return { name: found[0] as LevelName, number: found[1] }
  throw new SluiceError('BAD_CONFIG', `${said.parameter ?? 'consistency'}=${word} is not known`, {
    hint: `use one of ${Object.keys(LEVELS).join(', ')}`,
    where: said.where,
  })
}

/** Levels at which a read may miss rows that a quorum has written. */
const BELOW_QUORUM: ReadonlySet<number> = new Set([LEVELS.ANY, LEVELS.ONE, LEVELS.TWO, LEVELS.THREE, LEVELS.LOCAL_ONE])

export function isBelowQuorum(level: number): boolean {
  return BELOW_QUORUM.has(level)
}

/** Name of the consistency level with this number. */
export function levelName(level: number): string {
  return Object.entries(LEVELS).find(([, number]) => number === level)?.[0] ?? `level ${level}`
}

export type FallBackOptions<Rows> = {
  /** Number of the requested level. */
  readonly level: number
  readonly fallBackToOne: boolean
  /** Called once for each write that was done at ONE, with the `rows` of its caller. */
  readonly onFallback?: (rows: Rows, why: string) => void
  /** How long a write is retried if the cluster is unreachable or overloaded, ms. */
  readonly retryLimitMs?: number
  readonly onRetry?: OnRetry | undefined
  readonly signal?: AbortSignal
  readonly random?: () => number
  readonly sleep?: (ms: number) => Promise<unknown>
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
/** Attempts at the requested level, before ONE. */
const ATTEMPTS_AT_LEVEL = 3

/**
 * Runs writes at a consistency level. A write that fails for lack of replicas or with a timeout is retried, and then
 * done at ONE if allowed. If the cluster is unreachable or overloaded, the write is retried with pauses that double.
 * Only for writes that may be repeated: not for counters or conditional writes.
 */
export class FallBack<Rows> {
  /** Number of writes that were done at ONE. */
  fallbacks = 0
  readonly level: number
  readonly fallBackToOne: boolean
  readonly #options: FallBackOptions<Rows>

  constructor(options: FallBackOptions<Rows>) {
    this.level = options.level
    this.fallBackToOne = options.fallBackToOne && options.level !== LEVELS.ONE && options.level !== LEVELS.ANY
    this.#options = options
  }

  /** @param write writes at the given level @param rows passed to `onFallback` @throws what the last attempt threw */
  async run<T>(write: (level: number) => Promise<T>, rows: Rows): Promise<T> {
    const { retryLimitMs = 60_000, signal } = this.#options
    let waited = 0
    for (let attempt = 1, short = 0; ; attempt++) {
      try {
        return await write(this.level)
      } catch (error) {
        signal?.throwIfAborted()
        const { kind } = cassandraFailure(error)
        const isShort = kind === 'unavailable' || kind === 'write-timeout' || kind === 'read-timeout'
        if (isShort) short++
        if (isShort && this.fallBackToOne && short >= ATTEMPTS_AT_LEVEL) return await this.#atOne(write, rows, kind)
        const isBusy = kind === 'no-host' || kind === 'overloaded' || kind === 'bootstrapping'
        if (!(isBusy && waited < retryLimitMs) && !(isShort && short < ATTEMPTS_AT_LEVEL)) throw error
        this.#options.onRetry?.(error, attempt + 1, Math.max(0, retryLimitMs - waited))
        waited += await this.#pause(attempt)
      }
    }
  }

  async #atOne<T>(write: (level: number) => Promise<T>, rows: Rows, why: string): Promise<T> {
    const done = await write(LEVELS.ONE)
    this.fallbacks++
    this.#options.onFallback?.(rows, why)
    return done
  }

  async #pause(attempts: number): Promise<number> {
    const { random = Math.random, sleep = sleepFor, signal } = this.#options
    const ms = Math.ceil(random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts - 1, 20)))
    await sleep(ms)
    signal?.throwIfAborted()
    return ms
  }
}
