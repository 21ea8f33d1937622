/** Opens queues by URL. */
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { RunQueue } from '../../model/share/queue-port.ts'
import type { QueueRights } from '../../model/share/queue-rights-port.ts'
import { ARCHIVE_LEDGER_VERSION } from '../../archive/ledger/schema.ts'
import { LEDGER_VERSION } from '../../engine/copy/ledger/schema.ts'
import { systemOf, titlesOf } from '../../engine/run/systems.ts'

/**
 * @param mode `read`: creates nothing
 * @param slots number of tasks that a worker processes at the same time
 * @throws SluiceError UNSUPPORTED_URL, CONNECT_FAILED, LEDGER_NEWER
 */
export async function openQueue(url: string, mode: 'read' | 'work', slots = 0): Promise<RunQueue> {
  const queue = systemOf(url)?.queue
  if (queue === undefined) throw noQueueIn(url)
  return await queue(url, mode, slots)
}

/** Rights in the database of a queue. @throws SluiceError UNSUPPORTED_URL, CONNECT_FAILED, TARGET_DENIED */
export async function openQueueRights(url: string): Promise<QueueRights> {
  const rights = systemOf(url)?.queueRights
  if (rights === undefined) throw noQueueIn(url)
  return await rights(url)
}

function noQueueIn(url: string): SluiceError {
  return new SluiceError('UNSUPPORTED_URL', `${redactUrl(url)} cannot be used for a queue of workers`, {
    hint: `name a database of ${titlesOf((system) => system.queue !== undefined)}, such as postgresql://user@host/database`,
  })
}

/** Identifies programs that may process the same run: same version, same ledger versions. */
export function programMark(tool: string): string {
  return `${tool}, ledgers ${LEDGER_VERSION} and ${ARCHIVE_LEDGER_VERSION}`
}
