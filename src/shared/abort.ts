/** Two ways to end work: `stop` finishes the running batch and ends cleanly, `abort` drops it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT_OF_KIND, SluiceError } from './errors.ts'

export type Interrupt = {
  /** Fires when no new batch may begin; running work is finished and committed. */
  readonly stop: AbortSignal
  /** Fires when running work must be dropped immediately; open transactions roll back. */
  readonly abort: AbortSignal
}

/** An interrupt that never fires. */
export const NEVER: Interrupt = { stop: new AbortController().signal, abort: new AbortController().signal }

/** An `Interrupt` that its owner fires. Aborting also stops. */
export class Interrupter implements Interrupt {
  readonly #stop = new AbortController()
  readonly #abort = new AbortController()
  get stop(): AbortSignal {
    return this.#stop.signal
  }
  get abort(): AbortSignal {
    return this.#abort.signal
  }
  requestStop(reason: SluiceError = new SluiceError('STOPPED', 'stopped on request')): void {
    if (!this.#stop.signal.aborted) this.#stop.abort(reason)
  }
  requestAbort(reason: SluiceError = new SluiceError('ABORTED', 'aborted on request')): void {
    this.requestStop(reason)
    if (!this.#abort.signal.aborted) this.#abort.abort(reason)
  }
}

/** Exit code of a stopped run: the code of the first signal that requested the stop, otherwise 75. */
export function exitOfStop({ stop }: Interrupt): number {
  const reason: unknown = stop.reason
  return reason instanceof SluiceError && reason.kind === 'stopped' ? reason.exitCode : EXIT_OF_KIND.stopped
}

/** @throws the reason of the signal, a SluiceError, if it has fired */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return
  if (signal.reason instanceof SluiceError) throw signal.reason
  throw new SluiceError('ABORTED', 'aborted on request', { cause: signal.reason })
}

/** Sleeps until the time is over or the signal has fired. */
export async function restUnder(signal: AbortSignal, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** The items, with a pause after each in which timers, signals and other workers run. @throws as `throwIfAborted` */
export async function* breathing<T>(items: AsyncIterable<T> | Iterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const item of items) {
    throwIfAborted(signal)
    yield item
    await breathe()
  }
}

/** Lets timers, signals and other workers run; long synchronous loops call it from time to time. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
