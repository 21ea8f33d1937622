/** State of a queue in the form of events. */
import type { QueueState } from '../../model/share/distributed.ts'
import { dec } from '../../model/run/event.ts'
import type { QueueStandEvent } from '../../model/share/worker-events.ts'

/** The counts of a queue as fields of an event. */
export function queueCounts({
  workers,
  slots,
  waiting,
  unconfirmed,
  unconfirmedRuns,
  refusedSchedules,
  oldestBeatMs,
}: QueueState): QueueStandEvent['queue'] {
  const { lives, silent, lost } = workers
  return {
    workers: { lives: dec(lives), silent: dec(silent), lost: dec(lost) },
    slots: { queued: dec(slots.queued), working: dec(slots.working), lost: dec(slots.lost) },
    waiting: dec(waiting),
    unconfirmed: dec(unconfirmed),
    unconfirmedRuns: dec(unconfirmedRuns),
    refusedSchedules: dec(refusedSchedules),
    oldestBeatMs: dec(oldestBeatMs),
  }
}
