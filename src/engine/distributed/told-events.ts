/** What a slot has said, as much of it as is kept: its beginning and its end, and nothing that only tells how far it is. */
import type { Event } from '../../model/event.ts'

const FIRST = 60
const LAST = 140
/** Longer ones are left out: a value of somebody may be as long as it likes. */
const LONGEST = 8_000

export class ToldEvents {
  readonly #first: Event[] = []
  readonly #last: Event[] = []

  take(event: Event): void {
    if (isPassing(event) || JSON.stringify(event).length > LONGEST) return
    if (this.#first.length < FIRST) this.#first.push(event)
    else {
      this.#last.push(event)
      if (this.#last.length > LAST) this.#last.shift()
    }
  }

  get kept(): readonly Event[] {
    return [...this.#first, ...this.#last]
  }
}

/** Whether an event is of no interest any more when the next one of its kind has come. */
function isPassing({ type }: Event): boolean {
  return (
    type.endsWith('.progress') || (type.startsWith('chunk.') && type !== 'chunk.failed') || type === 'target.latency'
  )
}
