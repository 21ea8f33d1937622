/** Chunks that a program works on, and since when each stands: for alerts of one run, and for what a slot reports to its queue. */
import type { EventBody } from '../../../model/run/event.ts'

/** A chunk that is worked on. */
export type OpenChunk = {
  readonly table: string
  readonly chunk: string
  /** How far it came in each step at best: what a retry does once more is no progress. */
  readonly most: Map<string, bigint>
  /** Since when it stands still, ms of a steady clock. */
  since: number
  step: string
  attempts: number
  why: string
}

/** What an event says of one chunk: it came further than ever, it is done, or the program has let go of it as it stood. */
export type ChunkMove = { readonly table: string; readonly chunk: string; readonly is: 'further' | 'done' | 'let go' }

export class StandingChunks {
  readonly #open = new Map<string, OpenChunk>()
  #heldAt: number | null = null

  /** @param at ms of a steady clock @returns null where no chunk has moved, and none was let go */
  take(event: EventBody, at: number): ChunkMove | null {
    switch (event.type) {
      case 'chunk.started':
        // Of a chunk that is begun anew within the run the time counts on.
        this.#opened(event, at)
        return null
      case 'chunk.progress':
        return advanced(this.#opened(event, at), event, at) ? moveOf(event, 'further') : null
      case 'chunk.retried': {
        const known = this.#opened(event, at)
        known.attempts = event.attempt
        known.why = `: ${event.error.code}: ${event.error.message}`
        return null
      }
      case 'chunk.done':
        this.#open.delete(keyOf(event))
        return moveOf(event, 'done')
      case 'chunk.failed':
      case 'chunk.released':
        this.#open.delete(keyOf(event))
        return moveOf(event, 'let go')
      case 'table.finished':
        for (const [key, { table }] of this.#open) if (table === event.table) this.#open.delete(key)
        return null
      case 'run.steered':
        this.#hold(event.paused, at)
        return null
      default:
        return null
    }
  }

  /** Those that stand for longer than `limit` ms; none while the run is held, for nothing is expected of it then. */
  standing(at: number, limit: number): readonly OpenChunk[] {
    return this.#heldAt === null ? [...this.#open.values()].filter(({ since }) => at - since > limit) : []
  }

  #hold(paused: boolean | undefined, at: number): void {
    if (paused === true) this.#heldAt ??= at
    if (paused !== false || this.#heldAt === null) return
    for (const chunk of this.#open.values()) chunk.since = at
    this.#heldAt = null
  }

  #opened({ table, chunk }: { readonly table: string; readonly chunk: string }, at: number): OpenChunk {
    const key = keyOf({ table, chunk })
    const known = this.#open.get(key) ?? { table, chunk, most: new Map(), since: at, step: '', attempts: 0, why: '' }
    this.#open.set(key, known)
    return known
  }
}

export function keyOf({ table, chunk }: { readonly table: string; readonly chunk: string }): string {
  return `${table}\0${chunk}`
}

function moveOf(event: { readonly table: string; readonly chunk: string }, is: ChunkMove['is']): ChunkMove {
  return { table: event.table, chunk: event.chunk, is }
}

/** @returns whether it has come further than ever before: the first reading is where it was, and no progress */
function advanced(chunk: OpenChunk, event: Extract<EventBody, { type: 'chunk.progress' }>, at: number): boolean {
  const step: string = event.step ?? ''
  const now = BigInt(event.done)
  const isWhereItWas = step === 'reading' && chunk.most.size === 0
  chunk.step = step
  if (now <= (chunk.most.get(step) ?? -1n)) return false
  chunk.most.set(step, now)
  if (isWhereItWas) return false
  chunk.since = at
  return true
}
