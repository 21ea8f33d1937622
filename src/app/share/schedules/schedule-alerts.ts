/** `failed` of schedules that begin no run: no run raises it, and the words that ask for it may be what no worker can read. */
import type { AlertEvent, AlertWish } from '../../../model/run/alert.ts'
import type { AlertKey, AlertState } from '../../../model/run/alert-memory.ts'
import { LOST_AFTER_MS } from '../../../model/share/distributed.ts'
import type { Emit } from '../../../model/run/event.ts'
import { scheduleScope } from '../../../model/share/schedule.ts'
import { isoTime, type Clock } from '../../../shared/clock.ts'
import { errorLine } from '../../../shared/errors.ts'
import type { AlertBook } from '../../../model/share/queue-port.ts'
import type { Schedule, ScheduleBook } from '../../../model/share/schedule-port.ts'
import { alertId, isReached, send, sinksOf } from '../../../engine/run/alerts/sinks.ts'
import { confirm } from '../../alerts/confirm.ts'
import { InTurn } from '../../alerts/in-turn.ts'

/** What no sink took is sent again after so long. */
const AGAIN_MS = 30_000

type Parts = {
  readonly alerts: AlertBook
  readonly schedules: Pick<ScheduleBook, 'recovered' | 'unalerted'>
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
  /** Names of schedules whose alert waits in `#sending`. */
  readonly #waiting = new Set<string>()
  /** By name: when what no sink took is sent again, ms of a steady clock. */
  readonly #againAt = new Map<string, number>()
  /** A sink may take half a minute, and no sweep of slots waits for it. */
  readonly #sending = new InTurn()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Begins to send what is over, and what no sink took. @param due all that are due now: the others were begun, by this worker or by another one */
  async look(due: readonly Schedule[]): Promise<void> {
    const periods = new Set(due.map(periodOf))
    for (const period of this.#refusedSince.keys()) if (!periods.has(period)) this.#refusedSince.delete(period)
    const { schedules, note } = this.#parts
    try {
      for (const schedule of await schedules.recovered()) this.#end(schedule)
      // They are due no more, so no worker refuses them again.
      for (const schedule of await schedules.unalerted())
        if (schedule.error !== null) this.refused(schedule, true, `it begins no run: ${errorLine(schedule.error)}`)
    } catch (error) {
      note(error)
    }
  }

  /** Raises it for a schedule that is void, or that is still due 30 s after this worker could not begin it: until then another worker may. */
  refused(schedule: Schedule, isVoid: boolean, why: string): void {
    const { alerts, clock } = this.#parts
    const wish = failedWish(schedule.words)
    if (wish === null) return
    const period = periodOf(schedule)
    const since = this.#refusedSince.get(period) ?? clock.ticks()
    this.#refusedSince.set(period, since)
    if (!isVoid && clock.ticks() - since < LOST_AFTER_MS) return
    this.#append(schedule, async () => {
      if (!isVoid && !this.#refusedSince.has(period)) return
      const begun = await alerts.begin(keyOf(schedule))
      if (begun.is === 'new') await this.#send(schedule, wish, 'raised', why, begun.since)
    })
  }

  /** Waits until all is sent, as `QueueWatch.sent`. */
  async sent(ms: number): Promise<number> {
    return await this.#sending.done(ms)
  }

  /** Also where its words do not ask for `failed` any more: its end goes where they send alerts now. */
  #end(schedule: Schedule): void {
    const wish = failedWish(schedule.words) ?? { conditions: [] }
    this.#append(schedule, async () => {
      const ended = await this.#parts.alerts.end(keyOf(schedule))
      if (ended.is === 'none') return
      const value = `nothing keeps it from beginning any more; it stood since ${isoTime(ended.since)}`
      await this.#send(schedule, wish, 'cleared', value, ended.since)
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

  async #send(schedule: Schedule, wish: AlertWish, state: AlertState, value: string, since: number): Promise<void> {
    const { alerts, host, clock, emit } = this.#parts
    const key = keyOf(schedule)
    const event: AlertEvent = { type: 'alert', cause: 'failed', state, value: `schedule ${schedule.name}: ${value}` }
    const sinks = sinksOf(wish, { run: '', about: schedule.commandLine, host })
    emit(event)
    const failures = await send({ ...event, id: alertId(key.scope, since) }, sinks)
    for (const message of failures) emit({ type: 'log', level: 'warn', message })
    const isTaken = isReached(failures, sinks)
    if (!isTaken) this.#againAt.set(schedule.name, clock.ticks() + AGAIN_MS)
    await confirm(alerts, key, state, isTaken, async () => await alerts.begin(key, { at: since }))
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
