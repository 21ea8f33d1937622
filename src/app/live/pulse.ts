/** How far a run is, in a few numbers: folded from its events for a curve that is looked at later. */
import type { Event } from '../../model/run/event.ts'

export class Pulse {
  /** Bytes, or notes, that were not applied yet; null where nothing is followed. */
  lag: number | null = null
  #follows: boolean
  #done = 0
  #bytes = 0
  /** What earlier slots of the same run have brought in of what is worked on, by table and chunk, and of what is done. */
  readonly #earlier = new Map<string, number>()
  #earlierDone = 0
  /** What is worked on: rows and bytes by worker, table or partition. */
  readonly #open = new Map<string, { done: number; bytes: number }>()
  /** Rows of partitions that this run brings into an archive, by partition; null for other runs. */
  #archived: Map<string, { rows: number; isThere: boolean }> | null = null

  /** @param follows from its first event on: it works for a stream that another program has */
  constructor(follows = false) {
    this.#follows = follows
  }

  take(event: Event): void {
    switch (event.type) {
      case 'run.started':
        if (event.command === 'archive') this.#archived = new Map()
        break
      case 'chunk.started':
        if (event.earlier !== undefined) this.#earlier.set(`${event.table} ${event.chunk}`, Number(event.earlier))
        break
      case 'chunk.progress':
        this.#open.set(`${event.table} ${event.chunk}`, { done: Number(event.done), bytes: Number(event.bytes ?? 0) })
        break
      case 'chunk.done':
        this.#open.delete(`${event.table} ${event.chunk}`)
        this.#earlierDone += this.#earlier.get(`${event.table} ${event.chunk}`) ?? 0
        this.#earlier.delete(`${event.table} ${event.chunk}`)
        this.#done += Number(event.read ?? event.done)
        this.#bytes += Number(event.bytes ?? 0)
        break
      case 'chunk.failed':
      case 'chunk.released':
        this.#open.delete(`${event.table} ${event.chunk}`)
        break
      case 'follow.started':
        this.#follows = true
        break
      case 'diff.progress':
        // Rows of a stream that are compared round and round are rows that it has brought already.
        if (!this.#follows) this.#open.set(event.table, { done: Number(event.done), bytes: 0 })
        break
      case 'fsck.progress':
        this.#open.set(event.step, { done: Number(event.done), bytes: Number(event.bytes) })
        break
      case 'archive.progress':
        this.#open.set(`${event.table} ${event.partition} ${event.step}`, {
          done: Number(event.rows),
          bytes: Number(event.bytes),
        })
        if (event.step === 'exporting')
          this.#archived?.set(partitionOf(event), { rows: Number(event.rows), isThere: false })
        break
      case 'archive.state': {
        const partition = partitionOf(event)
        const known = this.#archived?.get(partition)
        if (event.state === 'EXPORTED' && event.error === undefined)
          this.#archived?.set(partition, { rows: Number(event.rows ?? known?.rows ?? 0), isThere: true })
        else if (known?.isThere === false) this.#archived?.delete(partition)
        break
      }
      case 'run.finished':
        // What was not exported to its end is exported anew.
        for (const [partition, { isThere }] of this.#archived ?? []) if (!isThere) this.#archived?.delete(partition)
        break
      case 'follow.progress':
        this.lag = Number(event.waiting ?? event.lagBytes)
        break
      default:
        break
    }
  }

  /** Rows that were passed over: what a rate is of. */
  get done(): number {
    return this.#sum(this.#done, 'done')
  }

  /** Rows that the run has brought so far, each once, however often it passes over them. */
  get rows(): number {
    if (this.#archived === null) return this.done + this.#earlierDone + this.#earlierOpen
    let sum = 0
    for (const { rows } of this.#archived.values()) sum += rows
    return sum
  }

  /** Of `rows`, those of work that is not ended: whoever goes on after this program was killed passes over them again. */
  get open(): number {
    if (this.#archived === null) return this.#sum(0, 'done') + this.#earlierOpen
    let sum = 0
    for (const { rows, isThere } of this.#archived.values()) if (!isThere) sum += rows
    return sum
  }

  get #earlierOpen(): number {
    return [...this.#earlier.values()].reduce((sum, one) => sum + one, 0)
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

function partitionOf({ table, partition }: { readonly table: string; readonly partition: string }): string {
  return JSON.stringify([table, partition])
}
