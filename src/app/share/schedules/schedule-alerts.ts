/** `failed` of schedules that begin no run: no run raises it, and the words that ask for it may be what no worker can read. */
import type { AlertEvent, AlertWish } from '../../../model/run/alert.ts'
import type { AlertKey, AlertState } from '../../../model/run/alert-memory.ts'
import { LOST_AFTER_MS } from '../../../model/share/distributed.ts'
import type { Emit } from '../../../model/run/event.ts'
import { scheduleScope } from '../../../model/share/schedule.ts'
import { isoTime, type Clock } from '../../../shared/clock.ts'
import type { AlertBook } from '../../../model/share/queue-port.ts'
import type { Schedule } from '../../../model/share/schedule-port.ts'
import { alertId, isReached, send, sinksOf } from '../../../engine/run/alerts/sinks.ts'

type Parts = {
  readonly alerts: AlertBook
  readonly host: string
  readonly clock: Pick<Clock, 'ticks'>
  readonly emit: Emit<'alert' | 'log'>
  /** Gets why the queue has not taken what an alert is noted with. */
  readonly note: (error: unknown) => void
}

export class ScheduleAlerts {
  readonly #parts: Parts
  /** Since when each that is due begins nothing, by period, as this worker has seen it, ms of a steady clock. */
  readonly #refusedSince = new Map<string, number>()
  /** Periods whose alert waits in `#sending`. */
  readonly #raising = new Set<string>()
  /** Ends when all is sent that was begun so far: a sink may take half a minute, and no sweep of slots waits for it. */
  #sending: Promise<void> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** All that are due now: the others were begun, by this worker or by another one. */
  due(schedules: readonly Schedule[]): void {
    const periods = new Set(schedules.map(periodOf))
    for (const period of this.#refusedSince.keys()) if (!periods.has(period)) this.#refusedSince.delete(period)
  }

  /** Raises it for a schedule that is void, or that is still due 30 s after this worker could not begin it: until then another worker may. */
  refused(schedule: Schedule, isVoid: boolean, why: string): void {
    const { alerts, clock } = this.#parts
    const wish = failedWish(schedule.words)
    if (wish === null) return
    const period = periodOf(schedule)
    const since = this.#refusedSince.get(period) ?? clock.ticks()
    this.#refusedSince.set(period, since)
    if ((!isVoid && clock.ticks() - since < LOST_AFTER_MS) || this.#raising.has(period)) return
    this.#raising.add(period)
    this.#append(async () => {
      this.#raising.delete(period)
      if (!isVoid && !this.#refusedSince.has(period)) return
      const begun = await alerts.begin(keyOf(schedule))
      if (begun.is === 'new') await this.#send(schedule, wish, 'raised', why, begun.since)
    })
  }

  began(schedule: Schedule): void {
    this.#refusedSince.delete(periodOf(schedule))
    const wish = failedWish(schedule.words)
    if (wish === null) return
    this.#append(async () => {
      const ended = await this.#parts.alerts.end(keyOf(schedule))
      if (ended.is === 'none') return
      await this.#send(schedule, wish, 'cleared', `it begins; it stood since ${isoTime(ended.since)}`, ended.since)
    })
  }

  /** Ends when all is sent. Does not reject. */
  async sent(): Promise<void> {
    await this.#sending
  }

  #append(work: () => Promise<void>): void {
    this.#sending = this.#sending.then(work).catch((error: unknown) => this.#parts.note(error))
  }

  async #send(schedule: Schedule, wish: AlertWish, state: AlertState, value: string, since: number): Promise<void> {
    const { alerts, host, emit } = this.#parts
    const key = keyOf(schedule)
    const event: AlertEvent = { type: 'alert', cause: 'failed', state, value: `schedule ${schedule.name}: ${value}` }
    const sinks = sinksOf(wish, { run: '', about: schedule.commandLine, host })
    emit(event)
    const failures = await send({ ...event, id: alertId(key.scope, since) }, sinks)
    for (const message of failures) emit({ type: 'log', level: 'warn', message })
    const isSent = isReached(failures, sinks)
    if (!isSent && state === 'raised') await alerts.end(key)
    if (!isSent && state === 'cleared') await alerts.begin(key, { at: since })
    await alerts.sent(key, isSent === (state === 'raised') ? 'raised' : 'cleared')
  }
}

/** What is due of it. What is begun by hand moves no time. */
const periodOf = ({ name, since, wanted }: Schedule): string => JSON.stringify([name, since, wanted])

const keyOf = ({ name }: Schedule): AlertKey => ({ scope: scheduleScope(name), cause: 'failed', table: '' })

/** What words ask for where `failed` is among it, whether or not a program can read the rest of them; null else. */
export function failedWish(words: readonly string[]): AlertWish | null {
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
