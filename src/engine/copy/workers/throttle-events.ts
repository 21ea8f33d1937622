/** The throttle of a run, which tells by events whenever it slows down. */
import { dec } from '../../../model/run/event.ts'
import type { CopyRun } from '../copy-run.ts'
import type { Steering } from './steering.ts'
import { Throttle } from './throttle.ts'

/** @param steering says which rate a person has asked for */
export function toldThrottle({ clock, emit }: Pick<CopyRun, 'clock' | 'emit'>, steering: Steering): Throttle {
  return new Throttle({
    clock,
    asked: () => steering.rateNow,
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
