/** `workers`: lists the workers of a queue. */
import { dec } from '../../../../model/run/event.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { drainWorkers } from '../../drain.ts'
import { waitingText } from '../../waiting.ts'
import { openQueue, programMark } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import type { workers, WorkersOperation } from './declaration.ts'

/** Limit of newest runs that are reported as waiting. */
const MOST_RUNS = 100

/** @throws SluiceError NO_SUCH_PATH if there is no worker to drain; UNSUPPORTED_URL, CONNECT_FAILED, LEDGER_NEWER */
export async function performWorkers(
  { connect, drain }: WorkersOperation,
  run: RunOf<typeof workers>,
): Promise<Ending> {
  await using queue = await openQueue(connect, 'read')
  if (drain !== undefined) await drainWorkers(queue, drain)
  const all = await queue.workers()
  for (const { workerId, host, pid, program, state, concurrency, queues, slots, begunAt, beatAt } of all) {
    run.emit({
      type: 'worker',
      worker: workerId,
      host,
      pid: dec(pid),
      program,
      state,
      concurrency: dec(concurrency),
      queues,
      slots: slots.map(({ runId, no }) => `${runId}/${no}`),
      rate: dec(
        Math.round(state === 'lives' || state === 'draining' ? slots.reduce((sum, { rate }) => sum + rate, 0) : 0),
      ),
      begunAt: isoTime(begunAt),
      beatAt: isoTime(beatAt),
    })
  }
  for (const one of await queue.runs(MOST_RUNS)) {
    const waiting = waitingText(one)
    if (waiting !== null) run.emit({ type: 'log', level: 'warn', ...waiting })
  }
  const others = all.filter(({ program, state }) => state === 'lives' && program !== programMark(run.tool))
  if (others.length > 0) {
    const message = `${others.length} of them have another version, and take no runs that are started with this version (${programMark(run.tool)})`
    run.emit({ type: 'log', level: 'warn', message })
  }
  return { totals: { workers: dec(all.length), live: dec(all.filter(({ state }) => state === 'lives').length) } }
}
