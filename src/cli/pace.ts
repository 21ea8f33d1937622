/** How far a run is, how fast, and how long it will take: a fold of its chunk events. */
import type { Event } from '../model/event.ts'

/** Rate and time left count what happened in this window, so that they follow what is true now. */
const WINDOW_MS = 30_000

type Sample = { readonly at: number; readonly done: number }

export type Pace = {
  readonly done: number
  readonly total: number
  readonly estimated: boolean
  /** Whole percent, at most 99: 100 is for what is proved, and then the run is over. Null while nothing is known. */
  readonly percent: number | null
  readonly perSecond: number | null
  readonly leftMs: number | null
  readonly tables: number
  readonly tablesDone: number
}

export class PaceFold {
  #baseline = 0
  #total = 0
  #estimated = false
  #tables = 0
  #tablesDone = 0
  #finished = 0
  readonly #running = new Map<string, number>()
  #samples: Sample[] = []

  /** Takes one event; `at` is its time in ms. */
  event(event: Event, at: number): void {
    switch (event.type) {
      case 'run.started':
        this.#baseline = Number(event.baseline?.done ?? 0)
        break
      case 'plan.ready':
        this.#total = Number(event.total)
        this.#estimated = event.estimated
        this.#tables = Number(event.tables)
        break
      case 'table.finished':
        this.#tablesDone += 1
        break
      case 'chunk.progress':
        this.#running.set(`${event.table}\n${event.chunk}`, Number(event.done))
        break
      case 'chunk.done':
        this.#running.delete(`${event.table}\n${event.chunk}`)
        this.#finished += Number(event.done)
        break
      case 'chunk.failed':
        this.#running.delete(`${event.table}\n${event.chunk}`)
        break
      default:
        return
    }
    this.#samples.push({ at, done: this.#inThisRun() })
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) <= at - WINDOW_MS) this.#samples.shift()
  }

  now(): Pace {
    const done = this.#baseline + this.#inThisRun()
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    const span = first === undefined || last === undefined ? 0 : last.at - first.at
    const gained = first === undefined || last === undefined ? 0 : last.done - first.done
    const perSecond = span > 0 && gained > 0 ? (gained * 1000) / span : null
    const left = this.#total - done
    return {
      done,
      total: this.#total,
      estimated: this.#estimated,
      percent: this.#total > 0 && done <= this.#total ? Math.min(99, Math.floor((done * 100) / this.#total)) : null,
      perSecond,
      leftMs: perSecond === null || left <= 0 ? null : (left * 1000) / perSecond,
      tables: this.#tables,
      tablesDone: this.#tablesDone,
    }
  }

  #inThisRun(): number {
    let sum = this.#finished
    for (const done of this.#running.values()) sum += done
    return sum
  }
}
