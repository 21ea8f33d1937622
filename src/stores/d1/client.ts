/**
 * Sends statements to D1 over Cloudflare's REST API, and retries requests, after an answer 429 with a longer pause. A
 * request is one transaction: all of its statements or none.
 */
import { setTimeout as sleepFor } from 'node:timers/promises'
import { throwIfAborted } from '../../shared/abort.ts'
import { pauseBefore } from '../common/retry.ts'
import type { RequestBudget } from './budget.ts'
import { D1Failure } from './failure.ts'
import type { D1Settings } from './settings.ts'
import { call, type ApiAnswer, type D1Call } from './transport.ts'

/** A value in an answer of the API, which sends bytes as a list of numbers. */
export type D1Value = null | string | number | readonly number[]
export type D1Row = readonly D1Value[]

export type D1Statement = { readonly sql: string; readonly params: readonly (null | string | number)[] }

export type D1Result = {
  readonly rows: readonly D1Row[]
  /** Rows that the statement inserted, changed or removed. */
  readonly changes: number
  /** Size of the whole database after the statement. */
  readonly databaseBytes: number
}

export type ClientRule = {
  /** Longest wait for an answer: D1 ends a query after 30 s, and a request may wait in a queue before it runs. */
  readonly answerMs: number
  /** How long a request is retried while D1 or the network fails. */
  readonly repeatMs: number
  /** Longest total wait that the API may ask for; the block of a user takes five minutes. */
  readonly longestWaitMs: number
}

export const D1_CLIENT_RULE: ClientRule = { answerMs: 100_000, repeatMs: 30_000, longestWaitMs: 660_000 }

/** Wait after a reply with status 429 that does not say how long to wait. */
const DEFAULT_WAIT_MS = 30_000

export type Throttled = { readonly status: number; readonly waitMs: number }

export type ClientOptions = {
  readonly budget: RequestBudget
  readonly rule?: Partial<ClientRule>
  /** Called before a wait that the API or the budget demands; status 0 for a wait of the budget. */
  onThrottle?(why: Throttled): void
  /** Called before a request is retried because the API is unreachable or failing. */
  onRetry?(why: D1Failure, attempt: number, forMs: number): void
  sleep?(ms: number, signal: AbortSignal): Promise<unknown>
}

/** What this client has used of the service's quotas. */
export type D1Usage = {
  /** Includes retries. */
  readonly requests: number
  /** As D1 charges them: rows that were read, and rows that were written to tables and indexes. */
  readonly rowsRead: number
  readonly rowsWritten: number
}

export type SendOptions = {
  readonly signal: AbortSignal
  /** True if the request is sent before requests that can wait. */
  readonly urgent?: boolean
}

type CallOptions = SendOptions & { readonly mostBytes?: number }

type RawResult = {
  readonly results?: { readonly rows?: readonly D1Row[] }
  readonly meta?: {
    readonly changes?: number
    readonly size_after?: number
    readonly rows_read?: number
    readonly rows_written?: number
  }
}

export class D1Client {
  readonly settings: D1Settings
  readonly #budget: RequestBudget
  readonly #rule: ClientRule
  readonly #onThrottle: (why: Throttled) => void
  readonly #onRetry: NonNullable<ClientOptions['onRetry']>
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<unknown>
  readonly #used = { requests: 0, rowsRead: 0, rowsWritten: 0 }
  #database: string

  constructor(settings: D1Settings, options: ClientOptions) {
    this.settings = settings
    this.#database = settings.database
    this.#budget = options.budget
    this.#rule = { ...D1_CLIENT_RULE, ...options.rule }
    this.#onRetry = (why, attempt, forMs) => options.onRetry?.(why, attempt, forMs)
    this.#onThrottle = (why) => options.onThrottle?.(why)
    this.#sleep = options.sleep ?? ((ms, signal) => sleepFor(ms, undefined, { signal }).catch(() => undefined))
  }

  get usage(): D1Usage {
    return { ...this.#used }
  }

  /** Id of the database. */
  get database(): string {
    return this.#database
  }

  /**
   * Finds the id of a database by its name; one request per thousand databases whose names contain it.
   * @throws D1Failure of kind `missing`
   */
  async resolve(name: string, signal: AbortSignal): Promise<string> {
    const size = 1_000
    for (let page = 1; ; page++) {
      const query = new URLSearchParams({ name, page: String(page), per_page: String(size) })
      const path = `?${query.toString()}`
      const list = await this.#repeated({ signal }, () => this.#call({ method: 'GET', path }, { signal }))
      const found = list.result as readonly { readonly name: string; readonly uuid: string }[]
      const match = found.find((one) => one.name === name)
      if (match !== undefined) return (this.#database = match.uuid)
      if (found.length < size) {
        throw new D1Failure({ kind: 'missing', message: `there is no database named ${name}`, settled: true })
      }
    }
  }

  /** Statements that may run twice: retried after any temporary failure. @throws D1Failure; the signal's reason */
  read(statements: readonly D1Statement[], options: SendOptions): Promise<readonly D1Result[]> {
    return this.#repeated(options, async () => (await this.#raw(statements, options)).results)
  }

  /** As `read`, but aborts an answer beyond `mostBytes`. @throws D1Failure, of kind `size` for such an answer */
  async readPage(
    statements: readonly D1Statement[],
    options: SendOptions & { readonly mostBytes: number },
  ): Promise<{ readonly results: readonly D1Result[]; readonly bytes: number }> {
    return this.#repeated(options, () => this.#raw(statements, options))
  }

  /**
   * Statements that must not run twice: retried only if they certainly did not run.
   * @throws D1Failure, with `hadNoEffect` false if it is unknown whether they ran; the signal's reason
   */
  once(statements: readonly D1Statement[], options: SendOptions): Promise<readonly D1Result[]> {
    return this.#repeated(
      options,
      async () => (await this.#raw(statements, options)).results,
      (failure) => failure.settled,
    )
  }

  /**
   * Waits as after a failure, so that a caller's loop does not spin.
   * @param why failure of the request that the caller sends again @param forMs as `onRetry`
   */
  async pause(why: D1Failure, attempts: number, forMs: number, signal: AbortSignal): Promise<void> {
    this.#onRetry(why, attempts + 1, forMs)
    await this.#sleep(pauseBefore(attempts), signal)
    throwIfAborted(signal)
  }

  async #repeated<T>(
    { signal }: SendOptions,
    body: () => Promise<T>,
    may: (failure: D1Failure) => boolean = () => true,
  ): Promise<T> {
    let repeatsUntil: number | null = null
    let waited = 0
    for (let attempt = 1; ; attempt++) {
      try {
        return await body()
      } catch (error) {
        throwIfAborted(signal)
        if (!(error instanceof D1Failure) || !error.isTransient || !may(error)) throw error
        if (error.kind === 'rate') {
          const ms = error.waitMs === null ? DEFAULT_WAIT_MS : error.waitMs + pauseBefore(attempt)
          waited += ms
          if (waited > this.#rule.longestWaitMs) throw error
          this.#budget.block(ms)
          this.#onThrottle({ status: 429, waitMs: Math.ceil(ms) })
          continue
        }
        const now = performance.now()
        repeatsUntil ??= now + this.#rule.repeatMs
        if (now >= repeatsUntil) throw error
        this.#onRetry(error, attempt + 1, Math.round(repeatsUntil - now))
        await this.#sleep(pauseBefore(attempt), signal)
        throwIfAborted(signal)
      }
    }
  }

  async #raw(
    statements: readonly D1Statement[],
    options: CallOptions,
  ): Promise<{ readonly results: readonly D1Result[]; readonly bytes: number }> {
    const [only] = statements
    const body = JSON.stringify(statements.length === 1 && only !== undefined ? only : { batch: statements })
    const { result, bytes } = await this.#call({ method: 'POST', path: `/${this.#database}/raw`, body }, options)
    if (!Array.isArray(result) || result.length !== statements.length) {
      throw new D1Failure({
        kind: 'server',
        message: 'the answer and the request have different numbers of results',
        settled: false,
      })
    }
    const results = (result as readonly RawResult[]).map(({ results: found, meta }) => {
      this.#used.rowsRead += meta?.rows_read ?? 0
      this.#used.rowsWritten += meta?.rows_written ?? 0
      return { rows: found?.rows ?? [], changes: meta?.changes ?? 0, databaseBytes: meta?.size_after ?? 0 }
    })
    return { results, bytes }
  }

  async #call(
    request: Pick<D1Call, 'method' | 'path' | 'body'>,
    { signal, urgent = false, mostBytes }: CallOptions,
  ): Promise<ApiAnswer> {
    const onWait = (waitMs: number): void => this.#onThrottle({ status: 0, waitMs: Math.ceil(waitMs) })
    await this.#budget.take({ signal, urgent, onWait })
    this.#used.requests++
    return call(this.settings, {
      ...request,
      signal,
      answerMs: this.#rule.answerMs,
      onHeaders: (headers) => this.#budget.readLimits(headers),
      ...(mostBytes === undefined ? {} : { mostBytes }),
    })
  }
}
