/** `workers --metrics`: reports the state of the queue until stopped. */
import { LOST_AFTER_MS } from '../../../../model/share/distributed.ts'
import { restUnder } from '../../../../shared/abort.ts'
import { asSluiceError, errorLine } from '../../../../shared/errors.ts'
import { openQueue } from '../../queues.ts'
import { queueCounts } from '../../queue-status.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import type { workersWatch, WorkersWatchOperation } from './declaration.ts'

/** Interval, ms: Prometheus seldom scrapes more often. */
const POLL_MS = 5_000

/**
 * @throws SluiceError UNSUPPORTED_URL, CONNECT_FAILED, LEDGER_NEWER; CONNECTION_LOST after 30 seconds without the
 * queue, because its last state is outdated
 */
export async function performWorkersWatch(
  { connect }: WorkersWatchOperation,
  run: RunOf<typeof workersWatch>,
): Promise<Ending> {
  await using queue = await openQueue(connect, 'read')
  const { stop } = run.interrupt
  run.emit({ type: 'log', level: 'note', message: `watching ${queue.label}; stop with ctrl-c` })
  let since: number | null = null
  while (!stop.aborted) {
    try {
      run.emit({ type: 'queue.stand', queue: queueCounts(await queue.state()) })
      since = null
    } catch (thrown) {
      const error = asSluiceError(thrown)
      const now = run.clock.ticks()
      if (!error.retryable || now - (since ?? now) >= LOST_AFTER_MS) throw error
      if (since === null)
        run.emit({ type: 'log', level: 'warn', message: `${errorLine(error.info())}; it is tried again` })
      since ??= now
    }
    await restUnder(stop, POLL_MS)
  }
  return { totals: {}, stopped: true }
}
