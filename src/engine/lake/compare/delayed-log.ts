/**
 * A lake in a folder, delayed like a distant bucket. A folder has no connection to delay, so each call that would be a
 * request to a bucket waits in the program as long as this request would.
 */
import { requestBegins, requestEnds, type LogStore } from '../../../model/lake/log-store.ts'
import { callAt } from './call-at.ts'

/** Prefetched reads that wait at the same time: as many as the reader of buckets has in flight. */
const IN_FLIGHT = 16
/** Names per page of a listing. */
const PAGE_NAMES = 1_000

/**
 * Delay of calls: one round trip each, and one more for the first call of each connection. Connections stay open, like
 * connections to a bucket.
 */
export class DelayedCalls {
  readonly #roundTripMs: number
  #idle = 0

  constructor(roundTripMs: number) {
    this.#roundTripMs = roundTripMs
  }

  async wait(): Promise<void> {
    if (this.#idle > 0) this.#idle--
    else await this.#roundTrip()
    await this.#roundTrip()
    this.#idle++
  }

  #roundTrip(): Promise<void> {
    return new Promise((resolve) => callAt(performance.now() + this.#roundTripMs, resolve))
  }
}

/** A local log that counts each call as the requests that a bucket would need, and waits for each request. */
export class DelayedLog implements LogStore {
  readonly root: string
  readonly label: string
  readonly pagedListing = true
  readonly requests: { lists: number; gets: number; heads: number; bytes: number; inSequence: number }
  readonly #log: LogStore
  readonly #calls: DelayedCalls
  readonly #waits = new Map<string, Promise<void>>()
  /** Paths whose contents the reader of buckets would keep for a second read. */
  readonly #keepForReread = new Set<string>()
  readonly #kept = new Set<string>()
  #announced: string[] = []
  #inFlight = 0

  constructor(log: LogStore, calls: DelayedCalls) {
    this.root = log.root
    this.label = log.label
    this.requests = { lists: 0, gets: 0, heads: 0, bytes: 0, inSequence: 0 }
    this.#log = log
    this.#calls = calls
  }

  async *list(...given: Parameters<LogStore['list']>): ReturnType<LogStore['list']> {
    let names = 0
    const page = async (): Promise<void> => {
      this.requests.lists++
      await this.#call()
    }
    await page()
    for await (const entry of this.#log.list(...given)) {
      if (names++ % PAGE_NAMES === 0 && names > 1) await page()
      yield entry
    }
  }

  prefetch(...[paths, { keep = false }]: Parameters<NonNullable<LogStore['prefetch']>>): void {
    this.#waits.clear()
    this.#announced = paths.filter((path) => !this.#kept.has(path))
    if (keep) for (const path of paths) this.#keepForReread.add(path)
    this.#pump()
  }

  async *read(...given: Parameters<LogStore['read']>): ReturnType<LogStore['read']> {
    const [path, { start, end }] = given
    const isWhole = start === undefined && end === undefined
    const isKept = isWhole && this.#kept.has(path)
    if (!isKept) await ((isWhole ? this.#waits.get(path) : undefined) ?? this.#wait())
    this.#waits.delete(path)
    for await (const chunk of this.#log.read(...given)) {
      if (!isKept) this.requests.bytes += chunk.length
      yield chunk
    }
    if (isWhole && this.#keepForReread.has(path)) this.#kept.add(path)
  }

  async head(...given: Parameters<LogStore['head']>): ReturnType<LogStore['head']> {
    this.requests.heads++
    await this.#call()
    return this.#log.head(...given)
  }

  async localFile(...given: Parameters<LogStore['localFile']>): ReturnType<LogStore['localFile']> {
    const [path, signal] = given
    await this.#wait()
    this.requests.bytes += (await this.#log.head(path, signal))?.size ?? 0
    return this.#log.localFile(...given)
  }

  async #wait(): Promise<void> {
    this.requests.gets++
    await this.#call()
  }

  async #call(): Promise<void> {
    const place = requestBegins(this.requests)
    await this.#calls.wait()
    requestEnds(this.requests, place)
  }

  #pump(): void {
    while (this.#inFlight < IN_FLIGHT && this.#announced.length > 0) {
      this.#inFlight++
      const wait = this.#wait().finally(() => {
        this.#inFlight--
        this.#pump()
      })
      this.#waits.set(this.#announced.shift() ?? '', wait)
    }
  }
}
