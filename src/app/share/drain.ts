/** Workers that are taken out of a queue from anywhere: they take nothing new, give back what they have after the batch, and end. */
import { SluiceError } from '../../shared/errors.ts'
import type { RunQueue } from '../../model/share/queue-port.ts'

/**
 * @param name host or id of workers
 * @throws SluiceError NO_SUCH_PATH where no living worker is called so
 */
export async function drainWorkers(queue: RunQueue, name: string): Promise<void> {
  if ((await queue.drain(name)) > 0) return
  throw new SluiceError('NO_SUCH_PATH', `no living worker of the queue has the host or the id ${name}`, {
    where: queue.label,
    hint: 'sluice workers lists them',
  })
}
