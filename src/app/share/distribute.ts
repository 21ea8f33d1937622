/** Submits an operation to workers: checks its stores, creates the run, queues its tasks. Then this program may end. */
import { takesFrom } from '../../model/share/distributed.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { OperationContext } from '../../engine/run/operation.ts'
import { openCopyStore } from '../../engine/copy/open-stores.ts'
import { storesOf } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import { titleOf } from '../../engine/run/systems.ts'
import { openQueue } from './queues.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import { storeIdentities, queueable, queuedRun } from './queued-run.ts'
import { sharingOf } from './sharing.ts'

export type DistributeOptions = Pick<OperationContext, 'commandLine' | 'tool' | 'actor' | 'host' | 'clock'> & {
  readonly operation: Operation
  /** URL of the queue's database. */
  readonly queue: string
  /** Name of the queue for its tasks; null for the unnamed queue. */
  readonly queueName: string | null
  /** Number of workers that may share one operation. */
  readonly slots: number
  /** Stores of the config file. */
  readonly stores: readonly NamedUrl[]
  readonly warn: (message: string) => void
}

export type Distributed = {
  readonly runId: string
  /** Tasks that workers can take at once. */
  readonly slots: number
  /** Tasks that wait for requests of the stream's task. */
  readonly onCall: number
  /** URL of the queue, without password. */
  readonly label: string
  /** Number of live workers of the same program version that take from this queue. */
  readonly workers: number
}

/** @throws SluiceError BAD_FLAG if the operation cannot be shared, UNSUPPORTED_URL, CONNECT_FAILED … */
export async function distributeRun(options: DistributeOptions): Promise<Distributed> {
  const { queueName, clock, tool, commandLine, slots, actor, host, warn } = options
  // Refuse before anything is opened.
  sharingOf(options.operation)
  const shared = queueable(options.operation, options.stores)
  await refuseLocalFile(shared.operation)
  const stores = await storeIdentities(shared, warn)
  const run = queuedRun(shared, { commandLine, stores, slots, queue: queueName, tool, actor, host, clock })
  await using queue = await openQueue(options.queue, 'work')
  await queue.submit(run)
  const workers = (await queue.workers()).filter((one) => one.state === 'lives' && takesFrom(one, run))
  const onCall = run.slots.filter((slot) => slot.onCall === true).length
  return {
    runId: run.runId,
    slots: run.slots.length - onCall,
    onCall,
    label: queue.label,
    workers: workers.length,
  }
}

/** First local file that the operation writes to as a database; null if none. @throws SluiceError CONNECT_FAILED … */
export async function writtenFile(
  operation: Operation,
): Promise<{ readonly label: string; readonly title: string } | null> {
  for (const { family, access, name } of storesOf(operation)) {
    if (access !== 'write' || (family !== 'database' && family !== 'catalog')) continue
    await using store = await openCopyStore(name, { mode: 'plan' })
    if (store.can.hosts !== 'any') return { label: store.label, title: titleOf(store.system) }
  }
  return null
}

/** A database file cannot be written from several machines. */
async function refuseLocalFile(operation: Operation): Promise<void> {
  const file = await writtenFile(operation)
  if (file === null) return
  throw new SluiceError('BAD_FLAG', `several machines cannot write to ${file.label}: it is a file of this machine`, {
    reason: `${file.title} allows only one writer at a time`,
    hint: 'name a database on a server, or remove --distributed',
  })
}
