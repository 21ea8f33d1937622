/** A local proxy that adds latency to servers. It passes bytes on without reading or changing them. */
import type { Worker } from 'node:worker_threads'
import { compiledEntry } from '../../../../shared/compiled-entry.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { startThread } from '../../../../shared/thread.ts'
import type { Route, ServerAddress } from '../../../../model/run/route.ts'

/** `turns`: one cell that counts the calls of `onTurn` in `wire-main.ts`. */
export type WireStart = { readonly roundTripMs: number; readonly turns: SharedArrayBuffer }
export type WireOrder = { readonly id: number; readonly address: ServerAddress }
export type WireAnswer = { readonly id: number } & ({ readonly port: number } | { readonly error: string })

/** Id of the message by which the thread reports that it is running. */
export const STARTED_ID = 0

type Asked = { readonly resolve: (port: number) => void; readonly reject: (error: SluiceError) => void }

export class DelayedWire implements AsyncDisposable {
  readonly #worker: Worker
  readonly #turns = new SharedArrayBuffer(4)
  readonly #ports = new Map<string, Promise<number>>()
  readonly #asked = new Map<number, Asked>()
  #ids = STARTED_ID
  #broken: SluiceError | null = null

  private constructor(roundTripMs: number) {
    const workerData: WireStart = { roundTripMs, turns: this.#turns }
    const entry = compiledEntry('engine/lake/compare/wire/wire-main')
    this.#worker = startThread(entry, workerData)
    this.#worker.on('message', (answer: WireAnswer) => this.#receive(answer))
    this.#worker.on('error', (error) => this.#break(error.message))
    this.#worker.on('exit', () => this.#break('its thread ended'))
  }

  /**
   * Starts a proxy and waits until its thread is running, so that no measured time includes this start.
   * @param roundTripMs added to each request with its answer, ms
   */
  static async start(roundTripMs: number): Promise<DelayedWire> {
    const wire = new DelayedWire(roundTripMs)
    await wire.#answer(STARTED_ID)
    return wire
  }

  /** Address under which a server is reached through the proxy. @throws SluiceError INTERNAL if it cannot listen */
  readonly route: Route = async (address) => {
    const key = JSON.stringify(address)
    let port = this.#ports.get(key)
    if (port === undefined) {
      const order: WireOrder = { id: ++this.#ids, address }
      port = this.#answer(order.id)
      this.#ports.set(key, port)
      this.#worker.postMessage(order)
    }
    return { host: '127.0.0.1', port: await port }
  }

  /** Number of round trips so far; round trips of one connection are sequential. */
  get turns(): number {
    return Atomics.load(new Int32Array(this.#turns), 0)
  }

  /** Ends the proxy and every connection through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }

  #answer(id: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#broken === null) this.#asked.set(id, { resolve, reject })
      else reject(this.#broken)
    })
  }

  #receive(answer: WireAnswer): void {
    const asked = this.#asked.get(answer.id)
    this.#asked.delete(answer.id)
    if ('port' in answer) asked?.resolve(answer.port)
    else asked?.reject(brokenWire(answer.error))
  }

  #break(reason: string): void {
    this.#broken ??= brokenWire(reason)
    for (const { reject } of this.#asked.values()) reject(this.#broken)
    this.#asked.clear()
  }
}

function brokenWire(reason: string): SluiceError {
  return new SluiceError('INTERNAL', `the proxy for --simulate-latency cannot listen: ${reason}`, {
    hint: 'remove --simulate-latency, and use your own proxy',
  })
}
