/**
 * Schedules of a queue: recurring commands, their times and runs. The transaction that creates the run of a due
 * schedule also sets its next time, so each period has one run.
 */
import type { CatchUp, ScheduleState } from './schedule.ts'
import type { DistributedStatus } from './distributed.ts'
import type { Event } from '../run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { QueuedStore, QueuedRun } from './queued-run.ts'

/** A schedule as added. Contains no URLs. */
export type ScheduleSpec = {
  readonly name: string
  /** The command without the program name, parsed each time by the worker that finds it due. */
  readonly words: readonly string[]
  /** The command as shell text. */
  readonly commandLine: string
  /** Calendar rule as text; format: `app/share/schedules/rule-text`. */
  readonly rule: string
  readonly catchUp: CatchUp
  /** Identities of its stores at the time of adding. */
  readonly stores: readonly QueuedStore[]
  /** For destructive commands: the confirmed operation, with names instead of URLs. */
  readonly confirmed: unknown
  /** Digest of the confirmed plan; a run compares it with its own. */
  readonly mark: string | null
  readonly slots: number
  readonly queue: string | null
  readonly actor: string
  readonly host: string
}

/** A scheduled time: its period and the time, ms since the epoch. */
export type ScheduledTime = { readonly period: string; readonly at: number }

/** @property since all times up to this one are handled, ms since the epoch @property next null after the last time */
export type ScheduleTimes = { readonly since: number; readonly next: ScheduledTime | null }

export type Schedule = ScheduleSpec &
  ScheduleTimes & {
    readonly state: ScheduleState
    /** Why it is void, or why its last attempt began no run; null if there is no problem. */
    readonly error: ErrorInfo | null
    readonly addedAt: number
    /** True if it was requested to run now. */
    readonly wanted: boolean
    /** True if a live worker that is not draining takes work from its queue. */
    readonly hasWorker: boolean
    /** Its current run. */
    readonly running: string | null
    readonly last: ScheduledRun | null
  }

/** One line of a schedule's history: a run, or skipped times. */
export type ScheduledRun = {
  /** Null if it was started by hand. */
  readonly period: string | null
  readonly dueAt: number | null
  readonly at: number
  readonly runId: string | null
  /** What was skipped, as text. */
  readonly note: string | null
  /** Status of the run; null if no run was begun. */
  readonly status: DistributedStatus | null
  readonly exitCode: number | null
  readonly error: ErrorInfo | null
  readonly endedAt: number | null
}

/** What to do with a due schedule. */
export type DueSchedule = ScheduleTimes & {
  /** `since` as read: if it differs now, another worker was faster, or the schedule was replaced. */
  readonly found: number
  /** The run to begin; null if all due times are skipped. */
  readonly run: QueuedRun | null
  /** The scheduled time; null for a run that was started by hand, because it belongs to no period. */
  readonly time: ScheduledTime | null
  /** Skipped times, as text; null if none are skipped. */
  readonly passed: string | null
}

export interface ScheduleStore {
  /** Milliseconds since the epoch, by the clock of the queue's database. */
  now(): Promise<number>
  /**
   * Adds a schedule.
   * @param replace true to replace an existing schedule, whose history stays
   * @returns false if the name is taken, or there is no schedule to replace
   */
  add(spec: ScheduleSpec, times: ScheduleTimes, replace: boolean): Promise<boolean>
  /** Schedules, sorted by name. @param name only this schedule */
  list(name?: string): Promise<readonly Schedule[]>
  /** Runs and skipped times of a schedule, newest first. */
  history(name: string, limit: number): Promise<readonly ScheduledRun[]>
  /** Pauses a schedule. @returns false if no schedule of this name can be paused */
  pause(name: string): Promise<boolean>
  /** Resumes a schedule. @param times times from now on @returns as `pause` */
  resume(name: string, times: ScheduleTimes): Promise<boolean>
  /** Removes a schedule and its history; its runs stay in the list of runs. @returns as `pause` */
  remove(name: string): Promise<boolean>
  /** Requests a run, due or not: the next worker begins it. @returns false if the schedule is missing or void */
  requestRun(name: string): Promise<boolean>
  /** Schedules that were confirmed in another database; they start no run until they are confirmed here. */
  unconfirmed(): Promise<readonly Schedule[]>
  /** Number of schedules that start no run: their command cannot be parsed, or differs from the confirmed one. */
  refused(): Promise<number>
  /**
   * Schedules with an active alert although nothing prevents a start: a later run was begun for their newest time, or
   * they were added again.
   */
  recovered(): Promise<readonly Schedule[]>
  /** Void schedules without an active alert, or whose alert was recorded but not confirmed as sent in `CONFIRM_MS`. */
  unalerted(): Promise<readonly Schedule[]>
  /** Schedules that are due and have no current run. */
  due(): Promise<readonly Schedule[]>
  /**
   * Creates the run, its tasks and jobs and the history line, and sets the next time, in one transaction.
   * @returns `runs` if an earlier run is active; `moved` if another worker was faster, or the schedule was replaced
   */
  begin(name: string, begun: DueSchedule): Promise<'begun' | 'runs' | 'moved'>
  /**
   * Records why no run was begun. @param found the schedule as read when due @param isVoid true if it never runs again
   * @returns false, without recording, if another worker has begun it since
   */
  refuse(found: Pick<Schedule, 'name' | 'since' | 'wanted'>, error: ErrorInfo, isVoid: boolean): Promise<boolean>
  /**
   * Records, in the schedule that began a run, that the run was refused: its plan differs from the confirmed one. No
   * effect if the schedule was replaced since.
   */
  refuseRun(runId: string, error: ErrorInfo): Promise<void>
  /** Events of the newest turn of each task of a run. */
  output(runId: string): Promise<readonly { readonly no: number; readonly events: readonly Event[] }[]>
}
