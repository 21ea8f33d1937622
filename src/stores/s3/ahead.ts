/** Fetches several objects ahead, in the order in which they will be read, within memory limits. */

import { setMaxListeners } from 'node:events'

/** Maximum number of requests in flight. */
export const IN_FLIGHT = 16
/** Maximum number of bytes that were fetched, or are being fetched, and were not taken yet. */
export const HELD_BYTES = 64 << 20
/** Maximum number of objects that were fetched, or are being fetched, and were not taken yet. */
const HELD_OBJECTS = 256

type Held<T> = { readonly promise: Promise<T>; readonly bytes: number; readonly controller: AbortController }

export class Ahead<T> {
  readonly #fetch: (path: string, signal: AbortSignal) => Promise<T>
  readonly #inFlight: number
  #order: readonly string[] = []
  #places = new Map<string, number>()
  #sizes: ReadonlyMap<string, number> = new Map()
  /** Indexes in `#order`: of the next object to fetch, and of the next object that may be taken. */
  #next = 0
  #taken = 0
  #held = new Map<string, Held<T>>()
  #heldBytes = 0
  #flying = 0
  #signal: AbortSignal | null = null

  constructor(fetch: (path: string, signal: AbortSignal) => Promise<T>, inFlight: number = IN_FLIGHT) {
    this.#fetch = fetch
    this.#inFlight = inFlight
    // The signal exists as long as the run. The reference is weak, so that the objects of a reader that stopped early
    // can be freed.
    const own = new WeakRef(this)
    this.#abort = () => own.deref()?.drop()
  }

  /** Replaces the plan, and drops the objects that were fetched for the old one. @param sizes bytes by path */
  plan(order: readonly string[], sizes: ReadonlyMap<string, number>, signal: AbortSignal): void {
    this.drop()
    this.#order = order
    this.#places = new Map(order.map((path, i) => [path, i]))
    this.#sizes = sizes
    this.#signal = signal
    setMaxListeners(0, signal)
    signal.addEventListener('abort', this.#abort, { once: true })
    this.#pump()
  }

  /** Returns the object; null if it is not in the plan. Drops the objects that come before it in the plan. */
  take(path: string): Promise<T> | null {
    const place = this.#places.get(path)
    if (place === undefined || place < this.#taken) return null
    for (; this.#taken < place; this.#taken++) this.#release(this.#order[this.#taken] ?? '', true)
    this.#next = Math.max(this.#next, place)
    if (this.#next === place) this.#start()
    const held = this.#held.get(path)
    this.#taken = place + 1
    this.#release(path, false)
    if (this.#taken === this.#order.length) this.drop()
    else this.#pump()
    return held?.promise ?? null
  }

  /** Forgets the plan and aborts its requests. */
  drop(): void {
    for (const path of this.#held.keys()) this.#release(path, true)
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#signal = null
    this.#order = []
    this.#places = new Map()
    this.#next = 0
    this.#taken = 0
  }

  readonly #abort: () => void

  #pump(): void {
    while (
      this.#next < this.#order.length &&
      this.#flying < this.#inFlight &&
      this.#held.size < HELD_OBJECTS &&
      (this.#held.size === 0 || this.#heldBytes + this.#sizeOf(this.#order[this.#next] ?? '') <= HELD_BYTES)
    ) {
      this.#start()
    }
  }

  #start(): void {
    const path = this.#order[this.#next++] ?? ''
    const bytes = this.#sizeOf(path)
    const controller = new AbortController()
    this.#flying++
    this.#heldBytes += bytes
    const promise = this.#fetch(path, controller.signal).finally(() => {
      this.#flying--
      this.#pump()
    })
    // The caller of `take` gets the error. The error of an object that is never taken is ignored.
    promise.catch(() => undefined)
    this.#held.set(path, { promise, bytes, controller })
  }

  #release(path: string, end: boolean): void {
    const held = this.#held.get(path)
    if (held === undefined) return
    this.#held.delete(path)
    this.#heldBytes -= held.bytes
    if (end) held.controller.abort()
  }

  #sizeOf(path: string): number {
    return this.#sizes.get(path) ?? 0
  }
}
