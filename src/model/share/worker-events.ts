/** Events of workers and shared runs. */
import type { HeldState } from '../run/table-request.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { DistributedStatus, TaskState } from './distributed.ts'
import type { Dec, Int, Ms, Time } from '../run/dec.ts'

/** A worker takes a task of a run, or finishes it. */
export type WorkerSlotEvent = {
  type: 'worker.slot'
  run: Dec
  slot: Dec
  /** Its part of the work, if the tasks of a run differ. */
  about?: string
  /**
   * `begun`: in progress. `ended`: no work is left. `queued`: work is left, and waits for a free worker. `resting`:
   * failed for a transient cause, and waits. `lost`: another worker has it now. `refused`: this worker must not process
   * it.
   */
  state: 'begun' | 'ended' | 'queued' | 'resting' | 'lost' | 'refused'
  /** The command of the run. */
  command?: string
  rows?: Dec
  chunks?: Dec
  ms?: Ms
  exitCode?: Int
  error?: ErrorInfo
}

/** State of a queue, as `QueueState`. */
export type QueueStandEvent = {
  type: 'queue.stand'
  queue: {
    workers: Record<'lives' | 'silent' | 'lost', Dec>
    slots: Record<'queued' | 'working' | 'lost', Dec>
    waiting: Dec
    unconfirmed: Dec
    unconfirmedRuns: Dec
    refusedSchedules: Dec
    oldestBeatMs: Dec
  }
}

/** A heartbeat reached the queue; sent at most every ten seconds. */
export type WorkerBeatEvent = {
  type: 'worker.beat'
  concurrency: Dec
  working: Dec
  /** The queue as a whole. */
  queue: QueueStandEvent['queue']
}

/** Periodic state of a queue and one of its workers. */
export type QueueBeatEvent = WorkerBeatEvent | QueueStandEvent

/** A worker of a queue, in a list. */
export type WorkerEvent = {
  type: 'worker'
  worker: string
  host: string
  pid: Dec
  program: string
  state: 'lives' | 'draining' | 'silent' | 'lost' | 'ended'
  concurrency: Dec
  queues: readonly string[]
  /** Tasks that it works on, each as `RUN/NO`. */
  slots: readonly string[]
  /** Rows per second, of all its tasks. */
  rate: Dec
  begunAt: Time
  beatAt: Time
}

/** A shared run, in a list. */
export type SharedRunEvent = {
  type: 'shared.run'
  run: Dec
  operation: string
  command: string
  source?: string
  target?: string
  status: DistributedStatus
  paused: boolean
  queued: Dec
  working: Dec
  ended: Dec
  rows: Dec
  chunks: Dec
  /** When the ledger was read for `rows` and `chunks`, if that was before the end of the run. */
  countedAt?: Time
  rate: Dec
  begunAt: Time
  endedAt?: Time
  exitCode?: Int
  error?: string
  actor: string
  host: string
  program: string
  /** Program version of the run, if no live worker takes its queued tasks. */
  waitsFor?: string
  /** Workers that refuse it, with reasons. */
  refusedBy?: readonly string[]
}

/** A paused or skipped table of a shared run, or a chunk of it, in a list. */
export type SharedTableEvent = {
  type: 'shared.table'
  run: Dec
  table: string
  chunk?: Dec
  held: HeldState
  /** Working tasks that have not received the request yet. */
  unheard: Dec
}

/** A task of a shared run, in a list. */
export type SharedSlotEvent = {
  type: 'shared.slot'
  run: Dec
  slot: Dec
  about: string
  state: TaskState | 'lost'
  turns: Dec
  host?: string
  /** Id of the task's own run, as in ledger, catalog and run history. */
  ledgerRun?: Dec
  rows: Dec
  chunks: Dec
  rate: Dec
  beatAt?: Time
  exitCode?: Int
  error?: string
}

/** All events of this file. */
export type WorkerEvents =
  WorkerSlotEvent | QueueBeatEvent | WorkerEvent | SharedRunEvent | SharedTableEvent | SharedSlotEvent
