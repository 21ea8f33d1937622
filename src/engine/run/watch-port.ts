/** Port between a worker and the watch for alerts of the shared runs in its queue. */
import type { AlertKey } from '../../model/run/alert.ts'
import type { StoodChunk } from '../../model/share/distributed.ts'
import type { Emit } from '../../model/run/event.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import type { AlertBook, QueueWorker } from '../../model/share/queue-port.ts'

/** A task of this worker. */
export type OwnSlot = {
  readonly runId: string
  /** Its chunks; empty if it has not reported to the queue lately: another worker may have them then. */
  readonly standing: readonly StoodChunk[]
  /** Chunks that have advanced within the last `ms`. */
  readonly moved: (ms: number) => readonly MovedChunk[]
}

/** @property chunk null for a finished table, with all of its chunks */
export type MovedChunk = { readonly table: string; readonly chunk: string | null }

export type WatchParts = {
  readonly queue: Pick<QueueWorker, 'watch' | 'noteLoss' | 'takeFailure' | 'reported' | 'uncounted' | 'countEnd'>
  readonly alerts: AlertBook
  /** Stores of this machine, by their names in runs. */
  readonly known: readonly NamedUrl[]
  readonly host: string
  readonly emit: Emit<'alert' | 'log'>
}

/** A run, with the operation of the task that has asked. */
export type AlertRun = { readonly runId: string; readonly operation: unknown }

export interface QueueWatch {
  /** @param own tasks of this worker @throws SluiceError if the queue is unreachable */
  look(own: readonly OwnSlot[]): Promise<void>
  /**
   * Reads the ledgers of runs that have ended since their last reading, within five seconds. @throws SluiceError if the
   * queue is unreachable
   */
  countEnds(): Promise<void>
  /** Sends the end of an alert that the queue has recorded. @param since when it began, ms since the epoch */
  cleared(run: AlertRun, key: AlertKey, since: number): void
  /**
   * Resolves when every alert so far was sent; no sending begins after the limit. Never rejects.
   * @param ms the limit
   * @returns how many were not sent: the queue gives them again, a minute after they were recorded
   */
  sent(ms: number): Promise<number>
}
