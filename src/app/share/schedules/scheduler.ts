/**
 * Scheduling by a worker: finds due schedules every few seconds, and creates their runs. Each run and the record of its
 * period are written in one transaction, so any number of workers may do this. A run is queued like any other.
 */
import { takesFromQueue } from '../../../model/share/distributed.ts'
import type { Clock } from '../../../shared/clock.ts'
import { asSluiceError, errorLine, SluiceError } from '../../../shared/errors.ts'
import { redactValue } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { QueuedRun, RunQueue } from '../../../model/share/queue-port.ts'
import type { ScheduleTimes, Schedule, ScheduleStore } from '../../../model/share/schedule-port.ts'
import type { NamedUrl } from '../../../model/share/own-url.ts'
import { dueOf, type Due, type SkippedTimes } from './due.ts'
import { differences, planChanged } from './plan.ts'
import { parseRule } from './rule-text.ts'
import type { ReadWords, WorkOf } from '../../../model/share/work-port.ts'
import { occurrencesAfter, type ScheduleRule } from './rule.ts'
import { ScheduleAlerts } from './schedule-alerts.ts'
import type { RunOf } from '../../../engine/run/run-context.ts'
import type { worker } from '../operations/worker/declaration.ts'

/** Delay after which a schedule that no worker takes gets an error, ms: a worker of its queue may be starting. */
const LATE_MS = 60_000

export type SchedulerOptions = {
  readonly book: ScheduleStore
  readonly known: readonly NamedUrl[]
  readonly secrets: readonly string[]
  readonly readCommand: ReadWords
  readonly workOf: WorkOf
  readonly tool: string
  readonly host: string
  /** Queues of the worker; empty for the unnamed queue. */
  readonly queues: readonly string[]
  readonly clock: Clock
  readonly log: (level: 'note' | 'warn', message: string) => void
  readonly alerts: ScheduleAlerts
}

export class Scheduler {
  readonly #options: SchedulerOptions
  /** Last message of each schedule, to avoid repetition. */
  readonly #lastMessages = new Map<string, string>()
  /** Schedules already reported as unconfirmed in this database. */
  readonly #reportedUnconfirmed = new Set<string>()

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  /** Begins due schedules. @throws SluiceError if the queue is unreachable */
  async check(): Promise<void> {
    const { book, alerts } = this.#options
    await this.#noteUnconfirmed()
    const found = await book.due()
    await alerts.check(found)
    if (found.length === 0) return
    const now = await book.now()
    for (const schedule of found) {
      // Only workers of this version and of the schedule's queue can execute the run. So one of them begins it: it
      // parses the command with its own config file, as the others do.
      if (takesFromQueue(this.#options.queues, schedule.queue)) await this.#begin(schedule, now)
      else if (!schedule.hasWorker) await this.#noteWaiting(schedule, now)
    }
  }

  /** Waits until the alerts of schedules are sent, as `QueueWatch.sent`. */
  async sent(ms: number): Promise<number> {
    return await this.#options.alerts.sent(ms)
  }

  /** Records an error for a late schedule. A worker of its queue that starts later begins it, and clears the error. */
  async #noteWaiting(schedule: Schedule, now: number): Promise<void> {
    const { queue, next, wanted } = schedule
    if (!wanted && now - (next?.at ?? now) < LATE_MS) return
    const takes = queue === null ? 'without --queues' : `with --queues ${queue}`
    const error = new SluiceError('BAD_CONFIG', `runs of the schedule need a live worker ${takes}, and there is none`, {
      hint: `start sluice worker ${queue === null ? '' : `--queues ${shellQuote(queue)} `}on a machine whose config file has all stores that the scheduled command uses`,
    })
    await this.#refuse(schedule, error)
  }

  /** Reports schedules that were copied with the queue's database, once per worker. They never become due. */
  async #noteUnconfirmed(): Promise<void> {
    const held = await this.#options.book.unconfirmed()
    const names = new Set(held.map(({ name }) => name))
    for (const name of this.#reportedUnconfirmed) if (!names.has(name)) this.#reportedUnconfirmed.delete(name)
    for (const { name, error } of held) {
      if (this.#reportedUnconfirmed.has(name) || error === null) continue
      this.#reportedUnconfirmed.add(name)
      this.#options.log('warn', `schedule ${name} begins no run: ${errorLine(error)}`)
    }
  }

  async #begin(schedule: Schedule, now: number): Promise<void> {
    const { book, log } = this.#options
    const { name, since, catchUp } = schedule
    try {
      const rule = parseRule(schedule.rule)
      // A start by hand belongs to no period, and does not change the next time.
      const due: Due | null = schedule.wanted ? null : dueOf(rule, catchUp, since, now)
      if (due === null && !schedule.wanted) return
      const run = due !== null && due.run === null ? null : await this.#queued(schedule)
      const clockwork = due === null ? { since, next: schedule.next } : clockworkFrom(rule, due.since)
      const time = due?.run ?? null
      const passed = due?.passed ?? null
      const came = await book.begin(name, {
        ...clockwork,
        found: since,
        run,
        time,
        passed: passed === null ? null : skippedText(passed),
      })
      this.#lastMessages.delete(name)
      if (came !== 'begun') return
      if (passed !== null) log('warn', `schedule ${name}: ${skippedText(passed)}`)
      if (run !== null)
        log(
          'note',
          `schedule ${name} begins run ${run.runId}${time === null ? ', as requested' : ` for ${time.period}`}`,
        )
    } catch (thrown) {
      const error = asSluiceError(thrown)
      // The caller reports an unreachable queue.
      if (error.code === 'CONNECTION_LOST') throw error
      await this.#refuse(schedule, error)
    }
  }

  async #refuse(schedule: Schedule, error: SluiceError): Promise<void> {
    const { book, log, secrets, alerts } = this.#options
    const { name } = schedule
    const info = redactValue(error.info(), secrets)
    const isVoid = error.code === 'SCHEDULE_VOID'
    if (!(await book.refuse(schedule, info, isVoid))) return
    alerts.refused(schedule, isVoid, `it begins no run: ${errorLine(info)}`)
    const text = `schedule ${name} begins no run: ${errorLine(info)}`
    if (this.#lastMessages.get(name) !== text) log('warn', text)
    this.#lastMessages.set(name, text)
  }

  /** @throws SluiceError if this program parses the words differently from when they were added */
  async #queued(schedule: Schedule): Promise<QueuedRun> {
    const { known, readCommand, workOf, tool, host, clock } = this.#options
    const { words, stores, commandLine, slots, queue, mark, actor, confirmed } = schedule
    const work = await workOf(await readCommand(words), known)
    const added = stores.map(({ name }) => name)
    const others = work.names.filter((name) => !added.includes(name))
    if (others.length > 0) {
      throw new SluiceError(
        'BAD_CONFIG',
        `the command of the schedule uses ${others.join(', ')} on this worker, but used ${added.join(', ')} when it was added`,
        {
          hint: 'compare the config files of this worker and of the machine where the schedule was added',
        },
      )
    }
    if (confirmed !== null) {
      const fields = differences(confirmed, work.operation)
      if (fields.length > 0) throw planChanged(`other values of ${fields.join(', ')}`)
    }
    return work.queued({ commandLine, stores, slots, queue, tool, actor, host, clock, mark, whole: slots === 1 })
  }
}

/** State of a rule after all times up to `since` are handled. */
export function clockworkFrom(rule: ScheduleRule, since: number): ScheduleTimes {
  return { since, next: occurrencesAfter(rule, since).next().value ?? null }
}

/** Text such as `3 times were skipped: 2026-11-20 to 2026-11-22`. */
export function skippedText({ first, last, count }: SkippedTimes): string {
  return count === 1
    ? `the time of ${first.period} was skipped`
    : `${count} times were skipped: ${first.period} to ${last.period}`
}

/**
 * The scheduler of a worker; null if its program cannot parse commands: then other workers begin due schedules.
 * @param failed receives errors of calls to the queue
 */
export function workerScheduler(
  { schedules, alerts }: Pick<RunQueue, 'schedules' | 'alerts'>,
  { readCommand, workOf, tool, host, clock, emit }: RunOf<typeof worker>,
  own: Pick<SchedulerOptions, 'known' | 'secrets' | 'queues' | 'log'>,
  failed: (error: unknown) => void,
): Scheduler | null {
  if (readCommand === undefined || workOf === undefined) return null
  const scheduleAlerts = new ScheduleAlerts({ alerts, schedules, host, clock, emit, note: failed })
  return new Scheduler({ ...own, book: schedules, readCommand, workOf, tool, host, clock, alerts: scheduleAlerts })
}
