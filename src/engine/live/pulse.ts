/** How far a run is, in a few numbers: folded from its events for a curve that is looked at later. */
import type { Event } from '../../model/event.ts'

export class Pulse {
  /** Bytes, or notes, that were not applied yet; null where nothing is followed. */
  lag: number | null = null
  #done = 0
  #bytes = 0
  /** What is worked on: rows and bytes by worker, table or partition. */
  readonly #open = new Map<string, { done: number; bytes: number }>()

  take(event: Event): void {
    switch (event.type) {
      case 'chunk.progress':
        this.#open.set(`${event.table} ${event.chunk}`, { done: Number(event.done), bytes: Number(event.bytes ?? 0) })
        break
      case 'chunk.done':
        this.#open.delete(`${event.table} ${event.chunk}`)
        this.#done += Number(event.read ?? event.done)
        this.#bytes += Number(event.bytes ?? 0)
        break
      case 'chunk.failed':
      case 'chunk.released':
        this.#open.delete(`${event.table} ${event.chunk}`)
        break
      case 'diff.progress':
        this.#open.set(event.table, { done: Number(event.done), bytes: 0 })
        break
      case 'fsck.progress':
        this.#open.set(event.step, { done: Number(event.done), bytes: Number(event.bytes) })
        break
      case 'archive.progress':
        this.#open.set(`${event.partition} ${event.step}`, { done: Number(event.rows), bytes: Number(event.bytes) })
        break
      case 'follow.progress':
        this.lag = Number(event.waiting ?? event.lagBytes)
        break
      default:
        break
    }
  }

  get done(): number {
    return this.#sum(this.#done, 'done')
  }

  get bytes(): number {
    return this.#sum(this.#bytes, 'bytes')
  }

  #sum(closed: number, of: 'done' | 'bytes'): number {
    let sum = closed
    for (const open of this.#open.values()) sum += open[of]
    return sum
  }
}
