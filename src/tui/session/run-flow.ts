/**
 * Passes the events of one run to the store, at most ten times a second. If a chunk has several progress events between
 * two updates, only the newest is passed on. So a fast engine costs no more than a slow one.
 */
import type { Story } from '../../app/command-port.ts'
import type { Event } from '../../model/run/event.ts'
import type { Clock } from '../../shared/clock.ts'
import { LogEntries, type LogEntry } from '../../render/log-entry.ts'
import type { Action } from '../state/action.ts'
import type { State } from '../state/state.ts'
import type { Store } from '../state/store.ts'

const FLUSH_MS = 100

export class RunFlow {
  readonly id: number
  readonly #store: Store<State, Action>
  readonly #clock: Clock
  /** Null if there is no line output. */
  readonly #story: Story | null
  #events: Event[] = []
  readonly #progress = new Map<string, Event>()
  readonly #log = new LogEntries()
  notified: string[] = []
  #entries: LogEntry[] = []
  #timer: ReturnType<typeof setTimeout> | null = null

  /** @param id run number in this program */
  constructor(id: number, store: Store<State, Action>, clock: Clock, story: Story | null) {
    this.id = id
    this.#store = store
    this.#clock = clock
    this.#story = story
  }

  /** Passes an event to the store with the next flush. */
  take(event: Event): void {
    this.report(event)
    if (event.type === 'chunk.progress') {
      this.#progress.set(`${event.worker}`, event)
    } else {
      // Progress of a chunk must precede the event that ends the chunk.
      if (this.#progress.size > 0) {
        this.#events.push(...this.#progress.values())
        this.#progress.clear()
      }
      this.#events.push(event)
    }
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS)
  }

  /** Adds the printed lines and the log entries of an event, but not the event itself. */
  report(event: Event): void {
    this.notified.push(...(this.#story?.take(event) ?? []))
    this.#entries.push(...this.#log.event(event, this.#clock.now()))
  }

  /** Passes all collected events and lines to the store now. */
  flush(): void {
    this.stop()
    const events = [...this.#events, ...this.#progress.values()]
    this.#events = []
    this.#progress.clear()
    const lines = this.notified
    const entries = this.#entries
    this.notified = []
    this.#entries = []
    const { id } = this
    if (lines.length + entries.length > 0) this.#store.dispatch({ type: 'output', id, lines, entries })
    if (events.length > 0) this.#store.dispatch({ type: 'events', id, events, now: this.#clock.now() })
  }

  /** Stops the automatic flush. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
