/** What the UI asks of a queue of workers: one port for every screen of it, opened by the first question. Plain data that can cross a thread. */
import type { ScheduleEvent } from '../../model/share/schedule-events.ts'
import type { DistributedRun, RunWishes, Slot, WorkerRow } from '../../model/share/distributed.ts'
import type { ScheduleChange } from './schedules/change.ts'

/** A run of the queue, as its screen shows it. */
export type SharedRun = Omit<DistributedRun, 'operation'> & {
  /** Tables that it is about; empty where nobody can tell. */
  readonly about: string
  /** Name in `stores:` of the database whose ledger it writes; null where it has none. */
  readonly ledgerStore: string | null
  /** Chunks that each slot copies at once where nobody wishes for another number; null where it copies none. */
  readonly workersEach: number | null
}

/** Which listings are shown now: what is not shown is not asked. */
export type QueueWanted = {
  /** Newest runs, at most so many; 0 for none. */
  readonly runs: number
  readonly workers: boolean
  readonly schedules: boolean
  /** A run with its slots; null for none. */
  readonly run: string | null
}

/** What a listing shows of a moment; null where it was not asked for. */
export type QueueSeen = {
  /** ms since the epoch by the clock of the queue's database, as all times of its rows. */
  readonly now: number
  /** Of workers that take what is begun by this program, as `program` of their rows. */
  readonly program: string
  readonly runs: readonly SharedRun[] | null
  readonly workers: readonly WorkerRow[] | null
  readonly schedules: readonly ScheduleEvent[] | null
  /** `found` is null where the queue does not know the run. */
  readonly run: { readonly found: SharedRun | null; readonly slots: readonly Slot[] } | null
}

/** @property notes what there is to say of a change @property schedules all of them behind it */
export type ScheduleChanged = { readonly notes: readonly string[]; readonly schedules: readonly ScheduleEvent[] }

export interface QueueLook {
  /** URL of the queue's database without password. */
  readonly label: string
  /** @throws SluiceError CONNECT_FAILED, CONNECTION_LOST, UNSUPPORTED_URL, LEDGER_NEWER; the next question tries again */
  look(wanted: QueueWanted): Promise<QueueSeen>
  /**
   * Notes what is wished of a run; `held: false` of one that has ended queues what is left of it.
   * @returns the run with what is wished of it now
   * @throws SluiceError NO_SUCH_PATH, BAD_FLAG, CONNECT_FAILED
   */
  steer(runId: string, wishes: RunWishes): Promise<SharedRun>
  /**
   * Asks a worker to take nothing new, give back what it has, and end.
   * @returns the workers with it
   * @throws SluiceError NO_SUCH_PATH, CONNECT_FAILED
   */
  drain(worker: string): Promise<readonly WorkerRow[]>
  /** @throws SluiceError NO_SUCH_PATH, BAD_FLAG, SCHEDULE_VOID, CONNECT_FAILED */
  changeSchedule(name: string, change: ScheduleChange): Promise<ScheduleChanged>
  /** Lets the connection go: nothing of the queue is shown. The next question opens it again. */
  rest(): void
}
