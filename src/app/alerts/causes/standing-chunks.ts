/** Started chunks, and how long each has made no progress: for alerts of a run, and a task's reports to its queue. */
import type { EventBody } from '../../../model/run/event.ts'

/** A chunk that has started and not ended. */
export type OpenChunk = {
  readonly table: string
  readonly chunk: string
  /** Highest progress of each step: reaching it again in a retry is no progress. */
  readonly most: Map<string, bigint>
  /** Last progress, ms of a monotonic clock. */
  since: number
  step: string
  /** Number of failed attempts. */
  attempts: number
  /** Text about the last error, to append to a message; empty without an error. */
  why: string
}

/** Change of a chunk. `further`: new progress; `done`: completed; `let go`: failed or released. */
export type ChunkMove = { readonly table: string; readonly chunk: string; readonly is: 'further' | 'done' | 'let go' }

export class OpenChunks {
  readonly #open = new Map<string, OpenChunk>()
  #pausedAt: number | null = null

  /** @param at ms of a monotonic clock @returns null without a change */
  take(event: EventBody, at: number): ChunkMove | null {
    switch (event.type) {
      case 'chunk.started':
        // The time without progress continues if a chunk is restarted within the run.
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
        this.#open.delete(openChunkKey(event))
        return moveOf(event, 'done')
      case 'chunk.failed':
      case 'chunk.released':
        this.#open.delete(openChunkKey(event))
        return moveOf(event, 'let go')
      case 'table.finished':
        for (const [key, { table }] of this.#open) if (table === event.table) this.#open.delete(key)
        return null
      case 'run.steered':
        this.#setPaused(event.paused, at)
        return null
      default:
        return null
    }
  }

  /** Chunks without progress for longer than `limit` ms; none while the run is paused. */
  stalled(at: number, limit: number): readonly OpenChunk[] {
    return this.#pausedAt === null ? [...this.#open.values()].filter(({ since }) => at - since > limit) : []
  }

  #setPaused(paused: boolean | undefined, at: number): void {
    if (paused === true) this.#pausedAt ??= at
    if (paused !== false || this.#pausedAt === null) return
    for (const chunk of this.#open.values()) chunk.since = at
    this.#pausedAt = null
  }

  #opened({ table, chunk }: { readonly table: string; readonly chunk: string }, at: number): OpenChunk {
    const key = openChunkKey({ table, chunk })
    const known = this.#open.get(key) ?? { table, chunk, most: new Map(), since: at, step: '', attempts: 0, why: '' }
    this.#open.set(key, known)
    return known
  }
}

export function openChunkKey({ table, chunk }: { readonly table: string; readonly chunk: string }): string {
  return `${table}\0${chunk}`
}

function moveOf(event: { readonly table: string; readonly chunk: string }, is: ChunkMove['is']): ChunkMove {
  return { table: event.table, chunk: event.chunk, is }
}

/** @returns true for new progress; the first reading is the start position, not progress */
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
