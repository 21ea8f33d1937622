/** What a worker gives to the watch over alerts of the shared runs in its queue. */
import type { AlertKey } from '../../model/run/alert-memory.ts'
import type { StoodChunk } from '../../model/share/distributed.ts'
import type { Emit } from '../../model/run/event.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import type { AlertBook, QueueWorker } from '../../model/share/queue-port.ts'

/** A slot of this worker. */
export type OwnSlot = {
  readonly runId: string
  /** Chunks that it works on; none where the queue has not heard of it lately, for then another worker may have them. */
  readonly standing: readonly StoodChunk[]
  /** What has come further within the last `ms`. */
  readonly moved: (ms: number) => readonly MovedChunk[]
}

/** @property chunk null for a table that was finished, with all of its chunks */
export type MovedChunk = { readonly table: string; readonly chunk: string | null }

export type WatchParts = {
  readonly queue: Pick<QueueWorker, 'watch' | 'noteLoss' | 'takeFailure' | 'reported' | 'uncounted' | 'countEnd'>
  readonly alerts: AlertBook
  /** Stores of this machine, by the names that runs have for them. */
  readonly known: readonly NamedUrl[]
  readonly host: string
  readonly emit: Emit<'alert' | 'log'>
}

/** A run, with the operation of the slot that has asked. */
export type AlertRun = { readonly runId: string; readonly operation: unknown }

export interface QueueWatch {
  /** @param own slots of this worker @throws SluiceError where the queue is away */
  look(own: readonly OwnSlot[]): Promise<void>
  /** Reads the ledgers of runs that have ended since theirs was read, within five seconds. @throws SluiceError where the queue is away */
  countEnds(): Promise<void>
  /** Sends the end of an alert that the queue has noted. @param since when it began, ms since the epoch */
  cleared(run: AlertRun, key: AlertKey, since: number): void
  /**
   * Resolves when every alert so far was sent; no sending begins after the limit. Never rejects.
   * @param ms the limit
   * @returns how many were not sent: the queue gives them again, a minute after they were noted
   */
  sent(ms: number): Promise<number>
}
