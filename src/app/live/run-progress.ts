/** Progress figures of a run for a curve, computed from its events. */
import type { Event } from '../../model/run/event.ts'

export class RunProgress {
  /** Bytes or trigger records not applied yet; null without a stream. */
  lag: number | null = null
  #follows: boolean
  #done = 0
  #bytes = 0
  /** Rows that earlier tasks of the run have copied of current chunks, by table and chunk. */
  readonly #earlier = new Map<string, number>()
  #earlierDone = 0
  /** Current work: rows and bytes by chunk, table, partition or step. */
  readonly #open = new Map<string, { done: number; bytes: number }>()
  /** Rows of each partition that this run archives. `isThere`: its export is complete. Null for other commands. */
  #archived: Map<string, { rows: number; isThere: boolean }> | null = null

  /** @param follows true if the run works for the stream of another program; its comparisons are then not counted */
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
        // Repeated comparisons of a stream cover rows that the stream has already copied.
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
        // An incomplete export restarts from the beginning.
        for (const [partition, { isThere }] of this.#archived ?? []) if (!isThere) this.#archived?.delete(partition)
        break
      case 'follow.progress':
        this.lag = Number(event.waiting ?? event.lagBytes)
        break
      default:
        break
    }
  }

  /** Rows processed, to compute a rate; rows that are processed twice count twice. */
  get done(): number {
    return this.#sum(this.#done, 'done')
  }

  /** Rows transferred so far; rows that were processed again count once. */
  get rows(): number {
    if (this.#archived === null) return this.done + this.#earlierDone + this.#earlierOpen
    let sum = 0
    for (const { rows } of this.#archived.values()) sum += rows
    return sum
  }

  /** The part of `rows` in unfinished work, which is processed again after a crash. */
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
