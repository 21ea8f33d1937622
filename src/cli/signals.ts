/** Handles signals: the first one stops cleanly, the second aborts, a third or a long wait ends the process. */
import type { Interrupter } from '../shared/abort.ts'
import { SluiceError } from '../shared/errors.ts'

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/**
 * 128 plus the signal number. A lost terminal (SIGHUP) has the code of SIGTERM, because
 * docs/reference/EXIT-CODES.md has only two codes.
 */
export const EXIT_OF_SIGNAL: Readonly<Record<Signal, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 143 }

/** npm and pnpm forward a signal that the terminal has sent: repeats within this time are the same key press, ms. */
const SAME_PRESS_MS = 1000
/** After this time the process exits without waiting for the abort, ms. The catalog stays valid, as after a kill -9. */
const ABORT_TIMEOUT_MS = 10_000

export type SignalWatch = {
  /** The first signal received, or null. */
  received(): Signal | null
  /** Records a signal: ctrl-c at a prompt is a key with the same meaning. */
  record(signal: Signal): void
  close(): void
}

export type SignalOptions = {
  readonly source: NodeJS.EventEmitter
  readonly interrupter: Interrupter
  /** Milliseconds of a monotonic clock. */
  readonly ticks: () => number
  readonly say: (message: string) => void
  readonly die: (exitCode: number) => void
}

/** Listens for signals until `close` is called. */
export function watchSignals(options: SignalOptions): SignalWatch {
  const { source, interrupter } = options
  let first: Signal | null = null
  let stage = 0
  let last = Number.NEGATIVE_INFINITY
  let abortTimer: NodeJS.Timeout | null = null
  const take = (signal: Signal): void => {
    const now = options.ticks()
    if (now - last < SAME_PRESS_MS) return
    last = now
    first ??= signal
    stage += 1
    if (stage === 1) {
      options.say('stopping after the running batch; press again to abort')
      interrupter.requestStop(new SluiceError('STOPPED', `stopped by ${signal}`, { exitCode: EXIT_OF_SIGNAL[first] }))
    } else if (stage === 2) {
      options.say('aborting: the running batch is dropped')
      interrupter.requestAbort(new SluiceError('ABORTED', `aborted by ${signal}`, { exitCode: EXIT_OF_SIGNAL[first] }))
      abortTimer = setTimeout(() => options.die(EXIT_OF_SIGNAL[first ?? signal]), ABORT_TIMEOUT_MS)
      abortTimer.unref()
    } else {
      options.die(EXIT_OF_SIGNAL[first])
    }
  }
  const listeners = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => [signal, () => take(signal)] as const)
  for (const [signal, listener] of listeners) source.on(signal, listener)
  return {
    received: () => first,
    record: (signal) => {
      first ??= signal
    },
    close: () => {
      for (const [signal, listener] of listeners) source.removeListener(signal, listener)
      if (abortTimer !== null) clearTimeout(abortTimer)
    },
  }
}
