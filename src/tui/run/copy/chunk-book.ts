/**
 * Chunks that a person may want to look at: those that are worked on, those that went wrong, and the newest of the others. Of all the rest
 * the map knows the state, and the ledger everything. It is changed in place, as the map is.
 */
import type { KeySpan } from '../../../model/run/event.ts'
import { KEPT } from '../../../model/run/kept.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { ChunkState } from './chunk-map.ts'

export type RowAside = { readonly key: readonly (string | null)[]; readonly error: ErrorInfo }

export type Chunk = {
  readonly table: string
  readonly no: string
  readonly span: KeySpan
  readonly state: ChunkState
  readonly worker: number | null
  readonly attempt: number
  readonly read: number
  readonly written: number
  readonly skipped: number
  readonly aside: number
  readonly checksum: { readonly source: string; readonly target: string } | null
  readonly startedAt: number | null
  readonly ms: number | null
  readonly error: ErrorInfo | null
  /** When its next try begins. */
  readonly againAt: number | null
  /** The first of its rows that the target did not take. */
  readonly rows: readonly RowAside[]
  /** Proved, or tried, before this run. */
  readonly earlier: boolean
  /** Whether somebody asked that it be held back, or left to another run. */
  readonly held: 'paused' | 'skipped' | null
}

export function freshChunk(table: string, no: string, span: KeySpan): Chunk {
  return {
    table,
    no,
    span,
    state: 'pending',
    worker: null,
    attempt: 1,
    read: 0,
    written: 0,
    skipped: 0,
    aside: 0,
    checksum: null,
    startedAt: null,
    ms: null,
    error: null,
    againAt: null,
    rows: [],
    earlier: false,
    held: null,
  }
}

export const chunkKey = ({ table, no }: Pick<Chunk, 'table' | 'no'>): string => `${no} ${table}`

/** What stands first is what needs somebody. */
const ORDER: Readonly<Record<ChunkState, number>> = {
  failed: 0,
  waits: 1,
  aside: 2,
  copying: 3,
  written: 4,
  proved: 5,
  pending: 6,
}

export class ChunkBook {
  readonly #active = new Map<string, Chunk>()
  readonly #noted = new Map<string, Chunk>()
  readonly #recent = new Map<string, Chunk>()

  get active(): Iterable<Chunk> {
    return this.#active.values()
  }

  find(table: string, no: string): Chunk | null {
    const key = chunkKey({ table, no })
    return this.#active.get(key) ?? this.#noted.get(key) ?? this.#recent.get(key) ?? null
  }

  /** Puts a chunk where its state belongs. */
  put(chunk: Chunk): void {
    const key = chunkKey(chunk)
    this.remove(chunk)
    if (chunk.state === 'copying' || chunk.state === 'waits') this.#active.set(key, chunk)
    else if (chunk.state === 'failed' || chunk.state === 'aside' || chunk.held !== null)
      keep(this.#noted, key, chunk, KEPT.chunksNoted)
    else keep(this.#recent, key, chunk, KEPT.chunksDone)
  }

  remove(chunk: Pick<Chunk, 'table' | 'no'>): void {
    const key = chunkKey(chunk)
    for (const some of [this.#active, this.#noted, this.#recent]) some.delete(key)
  }

  /** @param bad only those that failed, wait, or left rows behind */
  list(table: string, bad: boolean): readonly Chunk[] {
    const some = bad
      ? [
          ...[...this.#noted.values()].filter(({ state }) => state !== 'pending'),
          ...[...this.#active.values()].filter(({ state, rows }) => state === 'waits' || rows.length > 0),
        ]
      : [...this.#noted.values(), ...this.#active.values(), ...[...this.#recent.values()].toReversed()]
    // The sort is stable: the newest of those that are done stay at the top of theirs.
    return some.filter((chunk) => chunk.table === table).toSorted((a, b) => ORDER[a.state] - ORDER[b.state])
  }

  /** Forgets the chunks of a table that failed: they are as if nobody had tried them. */
  forgetFailed(table: string): void {
    for (const chunk of this.#noted.values()) if (chunk.table === table && chunk.state === 'failed') this.remove(chunk)
  }

  /** Chunks of a table that were written are proved: it was compared as a whole. */
  proveWritten(table: string): void {
    for (const chunk of this.#recent.values())
      if (chunk.table === table && chunk.state === 'written')
        this.#recent.set(chunkKey(chunk), { ...chunk, state: 'proved' })
  }

  /** Nothing of a table is held back any more. */
  unhold(table: string): void {
    for (const some of [this.#active, this.#noted]) {
      for (const [key, chunk] of some) {
        if (chunk.table !== table || chunk.held === null) continue
        if (chunk.state === 'pending') some.delete(key)
        else some.set(key, { ...chunk, held: null })
      }
    }
  }

  /** Nobody works on anything any more. @returns what was being worked on */
  drop(): readonly Chunk[] {
    const left = [...this.#active.values()]
    this.#active.clear()
    return left
  }
}

function keep(map: Map<string, Chunk>, key: string, chunk: Chunk, most: number): void {
  map.set(key, chunk)
  if (map.size <= most) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
