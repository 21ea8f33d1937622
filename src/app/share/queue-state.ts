/** Queue data for the UI: one port for all screens, opened on first use. Plain data that can be sent to a thread. */
import type { ScheduleEvent } from '../../model/share/schedule-events.ts'
import type { DistributedRun, RunRequests, TaskRow, WorkerRow } from '../../model/share/distributed.ts'
import type { ScheduleChange } from './schedules/change.ts'

/** A run of the queue, as its screen shows it. */
export type SharedRun = Omit<DistributedRun, 'operation'> & {
  /** Tables that the run works on; empty if unknown. */
  readonly about: string
  /** Name in `stores:` of the database whose ledger the run writes; null if the run writes no ledger. */
  readonly ledgerStore: string | null
  /** Default number of chunks that each task copies at once; null if it copies none. */
  readonly workersEach: number | null
}

/** The listings that are shown now. Other listings are not read. */
export type QueueRequest = {
  /** Limit of newest runs; 0 for none. */
  readonly runs: number
  readonly workers: boolean
  readonly schedules: boolean
  /** A run with its tasks; null for none. */
  readonly run: string | null
}

/** Data of the listings; null if not requested. */
export type QueueSnapshot = {
  /** Time of the queue's database, ms since the epoch, from the same clock as all times of its rows. */
  readonly now: number
  /** Identifies this program's version, as `program` in worker rows: only workers with the same value take its runs. */
  readonly program: string
  readonly runs: readonly SharedRun[] | null
  readonly workers: readonly WorkerRow[] | null
  readonly schedules: readonly ScheduleEvent[] | null
  /** `found` is null if the queue has no such run. */
  readonly run: { readonly found: SharedRun | null; readonly slots: readonly TaskRow[] } | null
}

/** @property notes on the change @property schedules all schedules after the change */
export type ScheduleChanged = { readonly notes: readonly string[]; readonly schedules: readonly ScheduleEvent[] }

export interface QueueState {
  /** URL of the queue's database without password. */
  readonly label: string
  /** @throws SluiceError CONNECT_FAILED, CONNECTION_LOST, UNSUPPORTED_URL, LEDGER_NEWER; the next call tries again */
  snapshot(wanted: QueueRequest): Promise<QueueSnapshot>
  /**
   * Records steering requests of a run. For an ended run, `held: false` queues its unfinished work again.
   * @returns the run with its current requests
   * @throws SluiceError NO_SUCH_PATH, BAD_FLAG, CONNECT_FAILED
   */
  steer(runId: string, options: RunRequests): Promise<SharedRun>
  /**
   * Drains a worker: it takes no new tasks, gives its tasks back, and ends.
   * @returns all workers
   * @throws SluiceError NO_SUCH_PATH, CONNECT_FAILED
   */
  drain(worker: string): Promise<readonly WorkerRow[]>
  /** @throws SluiceError NO_SUCH_PATH, BAD_FLAG, SCHEDULE_VOID, CONNECT_FAILED */
  changeSchedule(name: string, change: ScheduleChange): Promise<ScheduleChanged>
  /** Closes the connection while nothing of the queue is shown. The next call reopens it. */
  rest(): void
}
