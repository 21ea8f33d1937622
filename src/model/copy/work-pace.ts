/** Mean speed of a copy, computed from its chunks, so that all frontends show the same figure. */
import type { Event } from '../run/event.ts'

/** Minimum time for a meaningful rate, s. */
const LEAST_SECONDS = 1

/** Rows and bytes of closed chunks, and the time from the first start to the last close. Replication is not counted. */
export class WorkPace {
  chunks = 0
  rows = 0
  bytes = 0
  #from: number | null = null
  #to: number | null = null

  fold(event: Event): void {
    switch (event.type) {
      case 'chunk.started':
        this.#from ??= timeOf(event.ts)
        break
      case 'chunk.done':
        this.#add(1, Number(event.read ?? 0), Number(event.bytes ?? 0))
        this.#to = timeOf(event.ts) ?? this.#to
        break
      case 'chunks.summary': {
        this.#add(Number(event.chunks), Number(event.here.read), Number(event.bytes))
        const since = timeOf(event.since ?? '')
        if (since !== null) this.#from = Math.min(this.#from ?? since, since)
        break
      }
      default:
        break
    }
  }

  /** Rows and bytes per second; null if this run copied nothing, or for less than a second. */
  mean(): { readonly rows: number; readonly bytes: number } | null {
    if (this.#from === null || this.#to === null || this.rows === 0) return null
    const seconds = (this.#to - this.#from) / 1000
    return seconds < LEAST_SECONDS ? null : { rows: this.rows / seconds, bytes: this.bytes / seconds }
  }

  #add(chunks: number, rows: number, bytes: number): void {
    this.chunks += chunks
    this.rows += rows
    this.bytes += bytes
  }
}

function timeOf(iso: string): number | null {
  const ms = Date.parse(iso)
  return Number.isNaN(ms) ? null : ms
}
