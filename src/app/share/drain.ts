/** Drains workers of a queue: they take no new tasks, give their tasks back after the current batch, and end. */
import { SluiceError } from '../../shared/errors.ts'
import type { RunQueue } from '../../model/share/queue-port.ts'

/**
 * @param name host or id of workers
 * @throws SluiceError NO_SUCH_PATH if there is no such live worker
 */
export async function drainWorkers(queue: RunQueue, name: string): Promise<void> {
  if ((await queue.drain(name)) > 0) return
  throw new SluiceError('NO_SUCH_PATH', `no live worker of the queue has the host or the id ${name}`, {
    where: queue.label,
    hint: 'sluice workers lists them',
  })
}
