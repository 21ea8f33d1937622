/** First stage of a copy, before any store is open: event listeners, steering and throttle. */
import type { CopyOptions } from '../../../../stores/declaration.ts'
import type { Companion } from '../../companion.ts'
import type { CopyEvent, CopyRun } from '../../copy-run.ts'
import { WeakWrites } from '../../compat/script/weak-writes.ts'
import { storeOptions } from '../../open-stores.ts'
import { SlowTarget } from '../../workers/slow-target.ts'
import { Steering } from '../../workers/steering.ts'
import { reportedThrottle } from '../../workers/throttle-events.ts'
import type { Throttle } from '../../workers/throttle.ts'
import { whilePaused } from '../../../run/pause.ts'
import { steeredEvent } from '../../../run/steered.ts'
import type { CopyOperation } from './declaration.ts'

type EventListener = (event: CopyEvent) => void

/**
 * Listeners that receive the run's events before the caller of the run does, in this order. Each is set by one stage.
 */
export type CopyListeners = {
  track: EventListener | null
  reported: EventListener | null
  stream: EventListener | null
}

export type BegunCopy = {
  /** The operation as given, until a stage replaces it. */
  readonly operation: CopyOperation
  /** Null for a copy without a stream. */
  readonly companion: Companion | null
  /** The run; `listeners` receive its events. */
  readonly run: CopyRun
  readonly listeners: CopyListeners
  readonly steering: Steering
  readonly throttle: Throttle
  readonly pulse: SlowTarget
  /** Rows that the target accepted only at level ONE. */
  readonly weak: WeakWrites
  /** Options for both stores, so that a wait is reported only once. */
  readonly options: Pick<CopyOptions, 'onRetry' | 'mortal'>
}

/**
 * Waits for the run's allowed hours, so that the source is not read outside of them. Then creates the parts that need
 * no store.
 */
export async function begin(
  operation: CopyOperation,
  requestedRun: CopyRun,
  companion: Companion | null,
): Promise<BegunCopy> {
  const listeners: CopyListeners = { track: null, reported: null, stream: null }
  const run: CopyRun = {
    ...requestedRun,
    emit: (event) => {
      listeners.track?.(event)
      listeners.reported?.(event)
      listeners.stream?.(event)
      requestedRun.emit(event)
    },
  }
  if (requestedRun.control?.onRequest === undefined) await whilePaused(run)
  const steering = new Steering(operation.workers, operation.rate ?? null, run.control, run.interrupt.stop)
  steering.onOptions = (request) => run.emit(steeredEvent(request))
  const throttle = reportedThrottle(run, steering)
  const pulse = new SlowTarget(run.clock, throttle, (latency) => run.emit({ type: 'target.latency', ...latency }))
  const options = storeOptions(run)
  return { operation, companion, run, listeners, steering, throttle, pulse, weak: new WeakWrites(), options }
}
