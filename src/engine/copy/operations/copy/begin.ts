/** The first stage of a copy: what a run has before any store is open. It is heard, steered, and slowed down. */
import type { CopyOptions } from '../../../../stores/declaration.ts'
import type { Companion } from '../../companion.ts'
import type { CopyEvent, CopyRun } from '../../copy-run.ts'
import { WeakWrites } from '../../compat/script/weak-writes.ts'
import { optionsOf } from '../../open-stores.ts'
import { SlowTarget } from '../../workers/slow-target.ts'
import { Steering } from '../../workers/steering.ts'
import { toldThrottle } from '../../workers/throttle-events.ts'
import type { Throttle } from '../../workers/throttle.ts'
import { whilePaused } from '../../../run/pause.ts'
import { steeredEvent } from '../../../run/steered.ts'
import type { CopyOperation } from './declaration.ts'

type Hearer = (event: CopyEvent) => void

/** Who hears what the run says before its caller does, in this order, each from its stage on. */
export type Hearers = { track: Hearer | null; told: Hearer | null; stream: Hearer | null }

export type Begun = {
  /** As it was given, until a stage says what became of it. */
  readonly operation: CopyOperation
  /** Null of a copy that is not followed. */
  readonly companion: Companion | null
  /** What it emits goes by the hearers. */
  readonly run: CopyRun
  readonly hearers: Hearers
  readonly steering: Steering
  readonly throttle: Throttle
  readonly pulse: SlowTarget
  readonly weak: WeakWrites
  /** Of both stores: what they wait for is told once for both. */
  readonly options: Pick<CopyOptions, 'onRetry' | 'mortal'>
}

/** Waits for the hours that the run keeps: outside of them not even the source is looked at. */
export async function begin(operation: CopyOperation, asked: CopyRun, companion: Companion | null): Promise<Begun> {
  const hearers: Hearers = { track: null, told: null, stream: null }
  const run: CopyRun = {
    ...asked,
    emit: (event) => {
      hearers.track?.(event)
      hearers.told?.(event)
      hearers.stream?.(event)
      asked.emit(event)
    },
  }
  if (asked.control?.onWish === undefined) await whilePaused(run)
  const steering = new Steering(operation.workers, operation.rate ?? null, run.control, run.interrupt.stop)
  steering.onWish = (wish) => run.emit(steeredEvent(wish))
  const throttle = toldThrottle(run, steering)
  const pulse = new SlowTarget(run.clock, throttle, (latency) => run.emit({ type: 'target.latency', ...latency }))
  const options = optionsOf(run)
  return { operation, companion, run, hearers, steering, throttle, pulse, weak: new WeakWrites(), options }
}
