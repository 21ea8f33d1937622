/** `worker`: takes tasks of shared runs, starts a program for each, and reports on them. */
import { dec } from '../../../../model/run/event.ts'
import { Worker } from '../../worker.ts'
import { openQueue, programMark } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import type { worker, WorkerOperation } from './declaration.ts'
import { countText } from '../../../../shared/figures.ts'

/** @throws SluiceError UNSUPPORTED_URL, CONNECT_FAILED, LEDGER_NEWER */
export async function performWorker(operation: WorkerOperation, run: RunOf<typeof worker>): Promise<Ending> {
  const { connect, concurrency, queues, names, stores, idleMs } = operation
  await using queue = await openQueue(connect, 'work', concurrency)
  const { id: workerId, host, pid } = run.owner
  const about = { workerId, host, pid, program: programMark(run.tool), concurrency, queues }
  const known = names.map((name, at) => ({ name, url: stores[at] ?? '' }))
  const taking = new Worker(queue, about, known, run)
  const from = queues.length === 0 ? '' : `, queues ${queues.join(', ')}`
  run.emit({
    type: 'log',
    level: 'note',
    message: `worker ${workerId} takes from ${queue.label}${from}: ${countText(concurrency, 'task')} at once`,
  })
  if (run.readCommand === undefined) {
    const message = 'this worker starts no scheduled runs: only a worker of the command line can read their commands'
    run.emit({ type: 'log', level: 'warn', message })
  }
  const { slots, rows } = await taking.work(idleMs ?? null)
  return { totals: { slots: dec(slots), rows: dec(rows) } }
}
