/** Schedules beside a queue: what comes again, when, and what became of it. Who finds one due makes its run in the same transaction, so that each period has one. */
import type { CatchUp, ScheduleState } from './schedule.ts'
import type { DistributedStatus } from './distributed.ts'
import type { Event } from '../run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { NamedStore, QueuedRun } from './queued-run.ts'

/** A schedule as somebody has added it. Nothing of it holds a URL. */
export type ScheduleSpec = {
  readonly name: string
  /** The command, without the program: read anew each time, by the program that finds it due. */
  readonly words: readonly string[]
  /** The same as a shell takes it. */
  readonly commandLine: string
  /** As `app/share/schedules/rule-text` writes it. */
  readonly rule: string
  readonly catchUp: CatchUp
  /** What the names in it meant where it was added. */
  readonly stores: readonly NamedStore[]
  /** Of what destroys something: the operation as it was confirmed, with names in place of URLs. */
  readonly confirmed: unknown
  /** Of the plan that was confirmed; a run compares it with its own. */
  readonly mark: string | null
  readonly slots: number
  readonly queue: string | null
  readonly actor: string
  readonly host: string
}

/** A time: its period and its moment, ms since the epoch. */
export type ScheduledTime = { readonly period: string; readonly at: number }

/** @property since times up to it are dealt with, ms @property next null where there is none any more */
export type Clockwork = { readonly since: number; readonly next: ScheduledTime | null }

export type Schedule = ScheduleSpec &
  Clockwork & {
    readonly state: ScheduleState
    /** Why it is void, or why its newest try began no run; null where all is well. */
    readonly error: ErrorInfo | null
    readonly addedAt: number
    /** Somebody wishes it to run now. */
    readonly wanted: boolean
    /** A worker lives that takes from its queue; one that drains takes nothing. */
    readonly hasWorker: boolean
    /** Its run that goes on. */
    readonly running: string | null
    readonly last: ScheduledRun | null
  }

/** One line of its history: a run, or times that were passed over. */
export type ScheduledRun = {
  /** Null for one that somebody has begun by hand. */
  readonly period: string | null
  readonly dueAt: number | null
  readonly at: number
  readonly runId: string | null
  /** What was passed over, in words. */
  readonly note: string | null
  /** Null where there is no run. */
  readonly status: DistributedStatus | null
  readonly exitCode: number | null
  readonly error: ErrorInfo | null
  readonly endedAt: number | null
}

/** What becomes of a schedule that was found due. */
export type Begun = Clockwork & {
  /** As the look had it: whoever was faster has moved it. */
  readonly found: number
  /** Null where all that was due is passed over. */
  readonly run: QueuedRun | null
  /** Null for one that somebody begins by hand: that is no period's. */
  readonly time: ScheduledTime | null
  readonly passed: string | null
}

export interface ScheduleBook {
  /** Milliseconds since the epoch, by the clock of the queue's database. */
  now(): Promise<number>
  /** @param replace one of that name, whose history stays @returns false where the name is taken, or there is none to replace */
  add(spec: ScheduleSpec, clockwork: Clockwork, replace: boolean): Promise<boolean>
  /** By name. @param name only that one */
  list(name?: string): Promise<readonly Schedule[]>
  /** Newest first. */
  history(name: string, limit: number): Promise<readonly ScheduledRun[]>
  /** @returns false where there is none of that name that could be */
  pause(name: string): Promise<boolean>
  /** @param clockwork from now on @returns as `pause` */
  resume(name: string, clockwork: Clockwork): Promise<boolean>
  /** Its history goes with it; its runs stay in the list of runs. @returns as `pause` */
  remove(name: string): Promise<boolean>
  /** Has the next worker that looks begin it, whatever its time. @returns false where there is none of that name, or it is void */
  want(name: string): Promise<boolean>
  /** Those that were confirmed in another database than this one, and begin nothing before they are confirmed here. */
  unconfirmed(): Promise<readonly Schedule[]>
  /** How many begin nothing, because their command cannot be read or is not the one that was confirmed. */
  refused(): Promise<number>
  /** Those whose alert stands though nothing keeps them from beginning: the newest of their times has a run that was begun since, or they were added anew. */
  recovered(): Promise<readonly Schedule[]>
  /** Those that are void and whose alert does not stand, or was begun by a program that did not confirm it. */
  unalerted(): Promise<readonly Schedule[]>
  /** Those that are due and have no run that goes on. */
  due(): Promise<readonly Schedule[]>
  /** In one transaction: the run, its slots and jobs, the line of history, and the next time. @returns what hindered it: `runs`, an earlier run goes on; `moved`, somebody else was faster */
  begin(name: string, begun: Begun): Promise<'begun' | 'runs' | 'moved'>
  /**
   * Notes why no run was begun. @param found as it was found due @param isVoid nothing of it runs any more
   * @returns false, and notes nothing, where another worker has begun it since
   */
  refuse(found: Pick<Schedule, 'name' | 'since' | 'wanted'>, error: ErrorInfo, isVoid: boolean): Promise<boolean>
  /** The schedule of a run whose plan is another one than was confirmed. */
  refuseRun(runId: string, error: ErrorInfo): Promise<void>
  /** What the newest turn of each slot of a run has said. */
  output(runId: string): Promise<readonly { readonly no: number; readonly events: readonly Event[] }[]>
}
