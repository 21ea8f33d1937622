/**
 * Limits the rate of requests. Cloudflare counts them per user over five minutes; above the limit, it blocks every call
 * for five more minutes. So all users of one token in this program share one budget. The budget counts its own
 * requests. If the API reports limits or remaining requests, the budget uses these numbers.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleepFor } from 'node:timers/promises'
import { throwIfAborted } from '../../shared/abort.ts'
import { systemClock, type Clock } from '../../shared/clock.ts'

export type BudgetRate = { readonly most: number; readonly seconds: number }

/** The documented limit of the API. */
export const API_RATE: BudgetRate = { most: 1200, seconds: 300 }
/** Share of the limit for this program. Other users of the token, such as the dashboard, get the remaining share. */
const SHARE = 5 / 6
/** Waits of at least this length are reported, ms. */
const REPORT_MS = 5_000

export type BudgetOptions = {
  readonly clock?: Pick<Clock, 'ticks'>
  sleep?(ms: number): Promise<unknown>
}

export type BudgetTurn = {
  readonly signal: AbortSignal
  /** True if the request is sent before requests that can wait, so that a lease does not expire behind queued rows. */
  readonly urgent: boolean
  /** Called if the request has to wait for `REPORT_MS` or longer. */
  onWait?(ms: number): void
}

type Waiting = BudgetTurn & { readonly go: () => void; readonly refuse: (reason: unknown) => void; reported: boolean }

export class RequestBudget {
  readonly #ticks: () => number
  readonly #sleep: (ms: number) => Promise<unknown>
  readonly #urgent: Waiting[] = []
  readonly #normal: Waiting[] = []
  /** Times of the requests in the last window, oldest first from `#first` on. */
  #sent: number[] = []
  #first = 0
  /** Limit of the API for all users of the token together. */
  #quota: BudgetRate = API_RATE
  /** Requests left until a time, as the API reports. */
  #left: { count: number; readonly until: number } | null = null
  #blockedUntil = 0
  #running = false

  constructor(options: BudgetOptions = {}) {
    const { clock = systemClock, sleep = sleepFor } = options
    this.#ticks = () => clock.ticks()
    this.#sleep = sleep
  }

  /** Requests that may still be sent in this window, as far as known. */
  get left(): number {
    this.#forget(this.#ticks())
    return Math.min(this.#ownLeft(), this.#left?.count ?? Number.POSITIVE_INFINITY)
  }

  /** Resolves when a request may be sent. @throws the signal's reason */
  async take(turn: BudgetTurn): Promise<void> {
    throwIfAborted(turn.signal)
    await new Promise<void>((resolve, reject) => {
      const queue = turn.urgent ? this.#urgent : this.#normal
      const aborted = (): void => {
        const at = queue.indexOf(waiting)
        if (at === -1) return
        queue.splice(at, 1)
        reject(turn.signal.reason)
      }
      const go = (): void => {
        turn.signal.removeEventListener('abort', aborted)
        resolve()
      }
      const waiting: Waiting = { ...turn, go, refuse: reject, reported: false }
      turn.signal.addEventListener('abort', aborted, { once: true })
      queue.push(waiting)
      void this.#run()
    }).catch((error: unknown) => {
      throwIfAborted(turn.signal)
      throw error
    })
  }

  /** Reads the limits in an answer's headers. */
  readLimits(headers: Headers): void {
    const policy = strictest(items(headers.get('ratelimit-policy'), 'q', 'w'), ([count, seconds]) => count / seconds)
    if (policy !== null) this.#quota = { most: policy[0], seconds: policy[1] }
    const rest = strictest(items(headers.get('ratelimit'), 'r', 't'), ([count]) => count)
    if (rest === null) return
    // Other programs may use the same token: leave them a share of the limit.
    const count = Math.floor(rest[0] - this.#quota.most * (1 - SHARE))
    this.#left = { count, until: this.#ticks() + rest[1] * 1000 }
  }

  /** Sends nothing for this time, because the API would refuse every request. */
  block(ms: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#ticks() + ms)
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      for (;;) {
        const next = this.#urgent[0] ?? this.#normal[0]
        if (next === undefined) return
        const now = this.#ticks()
        const ms = this.#delay(now)
        if (ms <= 0) {
          const queue = this.#urgent.length > 0 ? this.#urgent : this.#normal
          queue.shift()
          this.#sent.push(now)
          if (this.#left !== null) this.#left.count--
          next.go()
          continue
        }
        if (ms >= REPORT_MS && !next.reported) {
          next.reported = true
          next.onWait?.(ms)
        }
        // Sleep briefly: an answer may change the budget, or an urgent request may come.
        await this.#sleep(Math.min(ms, 1_000))
      }
    } finally {
      this.#running = false
    }
  }

  /**
   * Milliseconds until the next request. Once half of the budget is used, the remaining requests are spread over time.
   */
  #delay(now: number): number {
    this.#forget(now)
    const oldest = this.#sent[this.#first]
    const last = this.#sent.at(-1)
    const spread = (left: number, backMs: number): number => {
      // At least 1 ms: a request that expires right now still counts.
      if (left <= 0) return Math.max(1, backMs)
      if (left > this.#share / 2 || last === undefined) return 0
      return backMs / left - (now - last)
    }
    const own = oldest === undefined ? 0 : spread(this.#ownLeft(), oldest + this.#quota.seconds * 1000 - now)
    const { count, until } = this.#left ?? { count: 0, until: 0 }
    const reported = until > now ? spread(count, until - now) : 0
    return Math.max(own, reported, this.#blockedUntil - now)
  }

  get #share(): number {
    return Math.max(1, Math.floor(this.#quota.most * SHARE))
  }

  #ownLeft(): number {
    return this.#share - (this.#sent.length - this.#first)
  }

  #forget(now: number): void {
    const before = now - this.#quota.seconds * 1000
    while (this.#first < this.#sent.length && (this.#sent[this.#first] ?? 0) <= before) this.#first++
    if (this.#first < 4096) return
    this.#sent = this.#sent.slice(this.#first)
    this.#first = 0
  }
}

type Pair = readonly [number, number]

/** The numbers of a list like `"default";r=50;t=30, "burst";r=5;t=1`. */
function items(header: string | null, count: string, seconds: string): readonly Pair[] {
  if (header === null) return []
  return header.split(',').flatMap((item) => {
    const of = (name: string): number => Number(new RegExp(`;\\s*${name}=(\\d{1,9})\\b`).exec(item)?.[1] ?? Number.NaN)
    const pair: Pair = [of(count), of(seconds)]
    return pair.some(Number.isNaN) || pair[1] === 0 ? [] : [pair]
  })
}

function strictest(pairs: readonly Pair[], measure: (pair: Pair) => number): Pair | null {
  return pairs.reduce<Pair | null>((best, pair) => (best === null || measure(pair) < measure(best) ? pair : best), null)
}

const shared = new Map<string, RequestBudget>()

/** The budget that all callers of one API with one token share in this program. */
export function sharedBudget(base: string, token: string): RequestBudget {
  const key = createHash('sha256').update(`${base}\n${token}`).digest('hex')
  let budget = shared.get(key)
  if (budget === undefined) shared.set(key, (budget = new RequestBudget()))
  return budget
}
