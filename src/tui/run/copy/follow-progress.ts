/** What is known of the stream that follows a copy, folded from its events. */
import type { Event } from '../../../model/event.ts'
import type { FollowProgressEvent } from '../../../model/follow-events.ts'

/** Samples of the curves: one a second. */
const KEPT = 60

export class FollowProgress {
  last: FollowProgressEvent | null = null
  /** Bytes that were not applied, and changes a second; the newest last. */
  readonly lag: number[] = []
  readonly rates: number[] = []
  /** Position and rows that differed of the newest comparison; null before there was one. */
  proved: { readonly position: string; readonly differing: number; readonly pauseMs: number } | null = null
  halted: string | null = null

  fold(event: Event): void {
    switch (event.type) {
      case 'follow.progress':
        this.last = event
        this.lag.push(Number(event.lagBytes))
        this.rates.push(Number(event.rate))
        if (this.lag.length > KEPT) this.lag.shift()
        if (this.rates.length > KEPT) this.rates.shift()
        break
      case 'follow.proved': {
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
}
