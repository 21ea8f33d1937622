/** `failed` for schedules that begin no run: no run can raise the alert, and workers may fail to parse its options. */
import type { AlertEvent, AlertKey, AlertOptions } from '../../../model/run/alert.ts'
import type { AlertState } from '../../../model/run/alert-memory.ts'
import { LOST_AFTER_MS } from '../../../model/share/distributed.ts'
import type { Emit } from '../../../model/run/event.ts'
import { scheduleScope } from '../../../model/share/schedule.ts'
import { isoTime, type Clock } from '../../../shared/clock.ts'
import { errorLine } from '../../../shared/errors.ts'
import type { AlertStore } from '../../../model/share/queue-port.ts'
import type { Schedule, ScheduleStore } from '../../../model/share/schedule-port.ts'
import { alertId, isReached, send, sinksOf } from '../../../engine/run/alerts/sinks.ts'
import { confirm } from '../../alerts/confirm.ts'
import { AlertQueue } from '../../alerts/in-turn.ts'

/** Pause before an alert that no sink accepted is sent again, ms. */
const AGAIN_MS = 30_000

type Parts = {
  readonly alerts: AlertStore
  readonly schedules: Pick<ScheduleStore, 'recovered' | 'unalerted'>
  readonly host: string
  readonly clock: Pick<Clock, 'ticks'>
  readonly emit: Emit<'alert' | 'log'>
  /** Called with the reason if the queue did not record an alert. */
  readonly note: (error: unknown) => void
}

export class ScheduleAlerts {
  readonly #parts: Parts
  /** Time at which this worker first could not begin a schedule, by its due period, ms of a monotonic clock. */
  readonly #refusedSince = new Map<string, number>()
  /** Names of schedules whose alert is in `#sending`. */
  readonly #waiting = new Set<string>()
  /** Time at which an alert that no sink accepted is sent again, by the schedule's name, ms of a monotonic clock. */
  readonly #againAt = new Map<string, number>()
  /** A sink may take half a minute; sweeps must not wait for it. */
  readonly #sending = new AlertQueue()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Ends alerts, and repeats those that no sink accepted. @param due all schedules that are due now */
  async check(due: readonly Schedule[]): Promise<void> {
    const periods = new Set(due.map(periodOf))
    for (const period of this.#refusedSince.keys()) if (!periods.has(period)) this.#refusedSince.delete(period)
    const { schedules, note } = this.#parts
    try {
      for (const schedule of await schedules.recovered()) this.#end(schedule)
      // These schedules are not due any more, so no worker refuses them again.
      for (const schedule of await schedules.unalerted())
        if (schedule.error !== null) this.refused(schedule, true, `it begins no run: ${errorLine(schedule.error)}`)
    } catch (error) {
      note(error)
    }
  }

  /**
   * Raises the alert of a schedule that is void. For a valid schedule, it first waits 30 s after this worker could not
   * begin it, because another worker may begin it.
   */
  refused(schedule: Schedule, isVoid: boolean, why: string): void {
    const { alerts, clock } = this.#parts
    const options = failedOptions(schedule.words)
    if (options === null) return
    const period = periodOf(schedule)
    const since = this.#refusedSince.get(period) ?? clock.ticks()
    this.#refusedSince.set(period, since)
    if (!isVoid && clock.ticks() - since < LOST_AFTER_MS) return
    this.#append(schedule, async () => {
      if (!isVoid && !this.#refusedSince.has(period)) return
      const begun = await alerts.begin(keyOf(schedule))
      if (begun.is === 'new') await this.#send(schedule, options, 'raised', why, begun.since)
    })
  }

  /** Waits until all alerts are sent, as `QueueWatch.sent`. */
  async sent(ms: number): Promise<number> {
    return await this.#sending.done(ms)
  }

  /**
   * Ends the alert of a schedule. If its options no longer include `failed`, no alert command runs, but the event is
   * emitted, and the webhook is called.
   */
  #end(schedule: Schedule): void {
    const options = failedOptions(schedule.words) ?? { conditions: [] }
    this.#append(schedule, async () => {
      const ended = await this.#parts.alerts.end(keyOf(schedule))
      if (ended.is === 'none') return
      const value = `it can begin runs again; the alert was open since ${isoTime(ended.since)}`
      await this.#send(schedule, options, 'cleared', value, ended.since)
    })
  }

  #append({ name }: Schedule, work: () => Promise<void>): void {
    const { clock, note } = this.#parts
    if (this.#waiting.has(name) || clock.ticks() < (this.#againAt.get(name) ?? -Infinity)) return
    this.#waiting.add(name)
    this.#sending.append(async () => {
      this.#againAt.delete(name)
      await work().catch(note)
      this.#waiting.delete(name)
    })
  }

  async #send(
    schedule: Schedule,
    options: AlertOptions,
    state: AlertState,
    value: string,
    since: number,
  ): Promise<void> {
    const { alerts, host, clock, emit } = this.#parts
    const key = keyOf(schedule)
    const event: AlertEvent = { type: 'alert', cause: 'failed', state, value: `schedule ${schedule.name}: ${value}` }
    const sinks = sinksOf(options, { run: '', about: schedule.commandLine, host })
    emit(event)
    const failures = await send({ ...event, id: alertId(key.scope, since) }, sinks)
    for (const message of failures) emit({ type: 'log', level: 'warn', message })
    const isTaken = isReached(failures, sinks)
    if (!isTaken) this.#againAt.set(schedule.name, clock.ticks() + AGAIN_MS)
    await confirm(alerts, key, state, isTaken, async () => await alerts.begin(key, { at: since }))
  }
}

/** Identifies the due period of a schedule. A start by hand does not change `since`, so `wanted` is added. */
const periodOf = ({ name, since, wanted }: Schedule): string => JSON.stringify([name, since, wanted])

const keyOf = ({ name }: Schedule): AlertKey => ({ scope: scheduleScope(name), cause: 'failed', table: '' })

/** Alert options in the words of a command, even if other words cannot be parsed; null if they lack `failed`. */
export function failedOptions(words: readonly string[]): AlertOptions | null {
  const conditions = valueOf(words, '--alert')?.split(',') ?? []
  if (!conditions.some((one) => one.trim() === 'failed')) return null
  const command = valueOf(words, '--alert-command')
  return { conditions: [{ cause: 'failed' }], ...(command === undefined ? {} : { command }) }
}

function valueOf(words: readonly string[], flag: string): string | undefined {
  const at = words.findIndex((word) => word === flag || word.startsWith(`${flag}=`))
  if (at === -1) return undefined
  return words[at] === flag ? words[at + 1] : words[at]?.slice(flag.length + 1)
}
