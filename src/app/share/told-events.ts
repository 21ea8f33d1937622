/** What a slot has said, as much of it as is kept: its beginning, its end, why tables failed, and nothing that only tells how far it is. */
import type { Event } from '../../model/run/event.ts'
import { isCause } from './causes.ts'

const FIRST = 60
const LAST = 140
/** Causes between beginning and end. */
const MIDDLE = 100
/** Longer ones are left out: a value of somebody may be as long as it likes. */
const LONGEST = 8_000

export class ToldEvents {
  readonly #first: Event[] = []
  readonly #middle: Event[] = []
  readonly #last: Event[] = []

  take(event: Event): void {
    if (isPassing(event) || JSON.stringify(event).length > LONGEST) return
    if (this.#first.length < FIRST) {
      this.#first.push(event)
      return
    }
    this.#last.push(event)
    const oldest = this.#last.length > LAST ? this.#last.shift() : undefined
    if (oldest !== undefined && isCause(oldest) && this.#middle.length < MIDDLE) this.#middle.push(oldest)
  }

  get kept(): readonly Event[] {
    return [...this.#first, ...this.#middle, ...this.#last]
  }
}

/** Whether an event is of no interest any more when the next one of its kind has come. */
function isPassing({ type }: Event): boolean {
  return (
    type.endsWith('.progress') || (type.startsWith('chunk.') && type !== 'chunk.failed') || type === 'target.latency'
  )
}
