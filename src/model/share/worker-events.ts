/** Events of workers, and of the runs that they share. */
import type { Held } from '../run/table-wish.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { DistributedStatus, SlotState } from './distributed.ts'
import type { Dec } from '../run/dec.ts'

/** A worker takes a slot of a run, or is done with it. */
export type WorkerSlotEvent = {
  type: 'worker.slot'
  run: string
  slot: Dec
  /** What it is about, where the slots of a run differ. */
  about?: string
  /**
   * `begun`: it works on it. `ended`: nothing is left of it. `queued`: something is left, and waits for whoever is free. `resting`: it failed for a passing cause,
   * and waits for a while. `lost`: another worker has it by now. `refused`: this worker must not work on it.
   */
  state: 'begun' | 'ended' | 'queued' | 'resting' | 'lost' | 'refused'
  /** The command of the run. */
  command?: string
  rows?: Dec
  chunks?: Dec
  ms?: number
  exitCode?: number
  error?: ErrorInfo
}

/** How a queue stands, as `QueueStand`. */
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

/** The queue has heard of a worker; at most once in ten seconds. */
export type WorkerBeatEvent = {
  type: 'worker.beat'
  concurrency: Dec
  working: Dec
  /** The queue as a whole. */
  queue: QueueStandEvent['queue']
}

/** How a queue and a worker of it do, as they go. */
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
  /** Slots that it works on, each as `RUN/NO`. */
  slots: readonly string[]
  /** Rows a second, of all of them. */
  rate: Dec
  begunAt: string
  beatAt: string
}

/** A run that machines share, in a list. */
export type SharedRunEvent = {
  type: 'shared.run'
  run: string
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
  /** When the ledger was read for `rows` and `chunks`, where that was before the end of the run. */
  countedAt?: string
  rate: Dec
  begunAt: string
  endedAt?: string
  exitCode?: number
  error?: string
  actor: string
  host: string
  program: string
  /** Version of the workers that it waits for, where none of them lives. */
  waitsFor?: string
  /** Workers that refuse it, each with why. */
  refusedBy?: readonly string[]
}

/** A table of such a run that is held back, or one chunk of it, in a list. */
export type SharedTableEvent = {
  type: 'shared.table'
  run: string
  table: string
  chunk?: string
  held: Held
  /** Slots that work and have not heard of it yet. */
  unheard: Dec
}

/** A slot of such a run, in a list. */
export type SharedSlotEvent = {
  type: 'shared.slot'
  run: string
  slot: Dec
  about: string
  state: SlotState | 'lost'
  turns: Dec
  host?: string
  /** Its run in ledger, catalog and book. */
  ledgerRun?: string
  rows: Dec
  chunks: Dec
  rate: Dec
  beatAt?: string
  exitCode?: number
  error?: string
}
