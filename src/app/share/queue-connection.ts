/** Queue access of the UI over one connection pool, opened on first use and dropped after a failure. */
import type { DistributedRun, RunRequests, WorkerRow } from '../../model/share/distributed.ts'
import type { RunQueue } from '../../model/share/queue-port.ts'
import { storesOf, subjectsOf } from '../operations/facts.ts'
import { changeSchedule, type ScheduleChange } from './schedules/change.ts'
import { scheduleEvent } from './schedules/report-schedules.ts'
import { drainWorkers } from './drain.ts'
import { knownOperation } from './known-operation.ts'
import { openQueue, programMark } from './queues.ts'
import type { QueueSnapshot, QueueRequest, ScheduleChanged, SharedRun } from './queue-state.ts'
import { steered } from './steer.ts'

export class QueueConnection {
  readonly #url: string
  readonly #tool: string
  #queue: Promise<RunQueue> | null = null

  /** @param url URL of the queue's database @param tool version of this program */
  constructor(url: string, tool: string) {
    this.#url = url
    this.#tool = tool
  }

  async snapshot({ runs, workers, schedules, run }: QueueRequest): Promise<QueueSnapshot> {
    return await this.#ask(async (queue) => ({
      runs: runs === 0 ? null : (await queue.runs(runs)).map(sharedRun),
      workers: workers ? await queue.workers() : null,
      schedules: schedules ? (await queue.schedules.list()).map(scheduleEvent) : null,
      run: run === null ? null : await oneRun(queue, run),
      // Read the time last, so that no row is newer than it.
      now: await queue.now(),
      program: programMark(this.#tool),
    }))
  }

  async steer(runId: string, options: RunRequests): Promise<SharedRun> {
    return await this.#ask(async (queue) => sharedRun(await steered(queue, runId, options)))
  }

  async drain(worker: string): Promise<readonly WorkerRow[]> {
    return await this.#ask(async (queue) => {
      await drainWorkers(queue, worker)
      return await queue.workers()
    })
  }

  async changeSchedule(name: string, change: ScheduleChange): Promise<ScheduleChanged> {
    return await this.#ask(async (queue) => {
      const notes = await changeSchedule(queue, name, change)
      return { notes, schedules: (await queue.schedules.list()).map(scheduleEvent) }
    })
  }

  async close(): Promise<void> {
    const opened = this.#queue
    this.#queue = null
    await opened?.then((queue) => queue[Symbol.asyncDispose]()).catch(() => undefined)
  }

  /** Calls the queue. After a failure, the next call opens a new connection. */
  async #ask<T>(question: (queue: RunQueue) => Promise<T>): Promise<T> {
    try {
      this.#queue ??= openQueue(this.#url, 'read')
      return await question(await this.#queue)
    } catch (error) {
      await this.close()
      throw error
    }
  }
}

async function oneRun(queue: RunQueue, runId: string): Promise<NonNullable<QueueSnapshot['run']>> {
  const [found] = await queue.runs(1, runId)
  return { found: found === undefined ? null : sharedRun(found), slots: await queue.slots(runId) }
}

function sharedRun({ operation, ...run }: DistributedRun): SharedRun {
  const known = knownOperation(operation)
  if (known === null) return { ...run, about: '', ledgerStore: null, workersEach: null }
  const ledger = storesOf(known).find(({ family, access }) => family === 'database' && access === 'write')
  return {
    ...run,
    about: subjectsOf(known).join(', '),
    ledgerStore: ledger?.name ?? null,
    workersEach: known.kind === 'copy' || known.kind === 'partition-run' ? known.workers : null,
  }
}
