/** State of a replication stream, folded from its events. */
import type { Event } from '../../../model/run/event.ts'
import { KEPT } from '../../../model/run/kept-events.ts'
import type { FollowProgressEvent, FollowTableEvent } from '../../../model/follow/events.ts'

export type StreamTableView = {
  state: FollowTableEvent['state']
  inserts: number
  updates: number
  deletes: number
  truncates: number
  /** Result of the last comparison; null before the first. */
  proved: { readonly position: string; readonly rows: number; readonly differing: number } | null
  /** Source rows that the current comparison has read, and their estimated total; null if no comparison is active. */
  comparing: { readonly done: number; readonly total: number } | null
}

export class FollowProgress {
  last: FollowProgressEvent | null = null
  /**
   * `lag`: bytes of the log, or number of trigger records, that are not applied yet. `rates`: changes per second. The
   * newest value is last.
   */
  readonly lag: number[] = []
  readonly rates: number[] = []
  /**
   * Bytes of the log that the replication slot retains, or bytes of the trigger records. The newest value is last.
   */
  readonly held: number[] = []
  /** By name: changes applied to each table, and its last comparison. */
  readonly tables = new Map<string, StreamTableView>()
  /** Position and differing rows of the newest comparison; null before the first. */
  proved: { readonly position: string; readonly differing: number; readonly pauseMs: number } | null = null
  halted: string | null = null

  /** True if no table is being copied any more; false before the first report of the stream. */
  get isWhole(): boolean {
    return this.last !== null && this.last.tables.copying === '0'
  }

  fold(event: Event): void {
    switch (event.type) {
      case 'follow.progress':
        this.last = event
        this.lag.push(Number(event.waiting ?? event.lagBytes))
        this.rates.push(Number(event.rate))
        this.held.push(Number(event.heldBytes))
        if (this.held.length > KEPT.curve) this.held.shift()
        if (this.lag.length > KEPT.curve) this.lag.shift()
        if (this.rates.length > KEPT.curve) this.rates.shift()
        break
      case 'follow.table':
        this.#table(event.table).state = event.state
        break
      case 'follow.counted': {
        const table = this.#table(event.table)
        table.state = event.state
        table.inserts = Number(event.inserts)
        table.updates = Number(event.updates)
        table.deletes = Number(event.deletes)
        table.truncates = Number(event.truncates)
        break
      }
      case 'diff.progress':
        this.#table(event.table).comparing = { done: Number(event.done), total: Number(event.total) }
        break
      case 'run.finished':
        // A comparison that was running is cancelled.
        for (const table of this.tables.values()) table.comparing = null
        break
      case 'follow.proved': {
        const compared = this.#table(event.table)
        compared.comparing = null
        compared.proved = {
          position: event.position,
          rows: Number(event.rows),
          differing: Number(event.differing) + Number(event.unread),
        }
        const differing = Number(event.differing) + Number(event.unread)
        const same = this.proved?.position === event.position ? this.proved.differing : 0
        this.proved = { position: event.position, differing: same + differing, pauseMs: event.pauseMs }
        break
      }
      case 'follow.halted':
        this.halted = event.message
        break
      default:
        break
    }
  }

  #table(name: string): StreamTableView {
    const known = this.tables.get(name)
    if (known !== undefined) return known
    const table: StreamTableView = {
      state: 'copying',
      inserts: 0,
      updates: 0,
      deletes: 0,
      truncates: 0,
      proved: null,
      comparing: null,
    }
    this.tables.set(name, table)
    return table
  }
}
