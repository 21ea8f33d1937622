/** The throttle of a run, which emits an event whenever it slows down or recovers. */
import { dec } from '../../../model/run/event.ts'
import type { CopyRun } from '../copy-run.ts'
import type { Steering } from './steering.ts'
import { Throttle } from './throttle.ts'

/** @param steering provides the rate that the user requested */
export function reportedThrottle({ clock, emit }: Pick<CopyRun, 'clock' | 'emit'>, steering: Steering): Throttle {
  return new Throttle({
    clock,
    requestedRate: () => steering.rateNow,
    stop: steering.stop,
    onChange: (pressure) =>
      emit(
        pressure === null
          ? { type: 'throttle.off' }
          : {
              type: 'throttle.on',
              reason: pressure.reason,
              rate: dec(Math.round(pressure.rate)),
              ...(pressure.latency === undefined
                ? { cause: 'pressure' }
                : { cause: 'latency', latency: pressure.latency }),
            },
      ),
  })
}
