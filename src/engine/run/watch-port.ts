/** Interface between a worker and the watch for alerts of the distributed runs in its queue. */
import type { AlertKey } from '../../model/run/alert.ts'
import type { ActiveChunk } from '../../model/share/distributed.ts'
import type { Emit } from '../../model/run/event.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import type { AlertStore, QueueWorker } from '../../model/share/queue-port.ts'

/** A task of this worker. */
export type OwnTask = {
  readonly runId: string
  /** Chunks of the task; empty if the task has not reported to the queue recently: another worker may have them. */
  readonly standing: readonly ActiveChunk[]
  /** Chunks that have advanced within the last `ms`. */
  readonly moved: (ms: number) => readonly AdvancedChunk[]
}

/** @property chunk null: all chunks of a finished table */
export type AdvancedChunk = { readonly table: string; readonly chunk: string | null }

export type WatchParts = {
  readonly queue: Pick<QueueWorker, 'watch' | 'noteLoss' | 'takeFailure' | 'reported' | 'uncounted' | 'countEnd'>
  readonly alerts: AlertStore
  /** Stores of this machine, by their names in runs. */
  readonly known: readonly NamedUrl[]
  readonly host: string
  readonly emit: Emit<'alert' | 'log'>
}

/** A run, with the operation of the task that reported the alert. */
export type AlertRun = { readonly runId: string; readonly operation: unknown }

export interface QueueWatch {
  /**
   * Evaluates the alerts of all runs in the queue.
   * @param own tasks of this worker
   * @throws SluiceError if the queue is unreachable
   */
  evaluate(own: readonly OwnTask[]): Promise<void>
  /**
   * Waits at most five seconds while it reads the ledgers of runs whose totals at their end are not recorded yet.
   * @throws SluiceError if the queue is unreachable
   */
  countEnds(): Promise<void>
  /** Sends the end of an alert that the queue has recorded. @param since start of the alert, ms since the epoch */
  cleared(run: AlertRun, key: AlertKey, since: number): void
  /**
   * Resolves when all alerts so far are sent; after the limit no further alert is sent. Never rejects.
   * @param ms the limit, ms
   * @returns number of alerts that were not sent: the queue returns them again, a minute after they were recorded
   */
  sent(ms: number): Promise<number>
}
