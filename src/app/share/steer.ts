/** Steering requests for a shared run: recorded in its row, and applied by its workers. */
import type { DistributedRun, RunRequests } from '../../model/share/distributed.ts'
import type { TableRequest } from '../../model/run/table-request.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { RunQueue } from '../../model/share/queue-port.ts'
import { openQueue } from './queues.ts'
import { unknownRun } from './unknown-run.ts'
import { refuseForOperation, refuseWorkers, withFullNames } from './table-orders.ts'

/**
 * @param options null: only read the run. `held: false` for an ended run queues its unfinished work again
 * @param tables requests for single tables, in order
 * @returns the run as it is now
 * @throws SluiceError NO_SUCH_PATH for an unknown run; BAD_FLAG for an ended run, an unknown table, or an unsupported
 * request; CONNECT_FAILED
 */
export async function steerSharedRun(
  connect: string,
  runId: string,
  options: RunRequests | null,
  tables: readonly TableRequest[] = [],
): Promise<DistributedRun> {
  await using queue = await openQueue(connect, 'read')
  return await steered(queue, runId, options, tables)
}

/** As `steerSharedRun`, over an open queue. @throws SluiceError as `steerSharedRun` */
export async function steered(
  queue: RunQueue,
  runId: string,
  options: RunRequests | null,
  tables: readonly TableRequest[] = [],
): Promise<DistributedRun> {
  const before = await runState(queue, runId)
  if (options === null) return before
  const isOver = before.status !== 'running' && options.held === false && tables.length === 0
  if (isOver) await queue.resume(runId)
  else {
    if (before.status !== 'running') throw endedError(before)
    if (before.wishes.stop === true && options.stop !== true) throw stoppingError(before)
    refuseForOperation(before, options, tables)
    const isOfChunks = tables.length > 0 || options.workers !== undefined
    const known = isOfChunks ? await queue.tables(runId) : null
    if (options.workers !== undefined) refuseWorkers(before, known)
    if (!(await queue.steer(runId, options, withFullNames(before, tables, known)))) throw endedError(before)
  }
  const [after] = await queue.runs(1, runId)
  // A successful run has nothing left to queue.
  if (isOver && after?.status === 'ok') throw endedError(after)
  return after ?? before
}

/** State of the run. In a stopping run, this ends the tasks of lost workers: perhaps no worker is left to find them. */
async function runState(queue: RunQueue, runId: string): Promise<DistributedRun> {
  const [found] = await queue.runs(1, runId)
  if (found === undefined) throw unknownRun(runId, queue.label)
  if (found.status !== 'running' || found.wishes.stop !== true || found.slots.lost === 0) return found
  await queue.steer(runId, { stop: true })
  return (await queue.runs(1, runId))[0] ?? found
}

/** Error: the run is being stopped, so nothing else can be requested before all of its tasks have ended. */
function stoppingError({ runId, slots }: DistributedRun): SluiceError {
  return new SluiceError(
    'BAD_FLAG',
    `the run ${runId} is stopping: ${slots.working} of its tasks are still finishing their batches`,
    {
      hint: `run the same command again when the run has stopped: sluice runs --distributed --run ${runId} shows its state`,
    },
  )
}

function endedError({ runId, status }: DistributedRun): SluiceError {
  return new SluiceError('BAD_FLAG', `the run ${runId} has ended: ${status}`, {
    hint: status === 'ok' ? 'start another run' : `sluice ctl ${runId} resume --distributed queues the rest of the run`,
  })
}
