/**
 * Chunks kept for display: active ones, failed ones, and the newest of the others. The chunk map has the state of all
 * chunks, the ledger has every detail. This collection is changed in place, like the map.
 */
import type { KeySpan } from '../../../model/run/event.ts'
import { KEPT } from '../../../model/run/kept-events.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { ChunkState } from './chunk-map.ts'

export type ShownRefusedRow = { readonly key: readonly (string | null)[]; readonly error: ErrorInfo }

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
  readonly quarantined: number
  readonly checksum: { readonly source: string; readonly target: string } | null
  readonly startedAt: number | null
  readonly ms: number | null
  readonly error: ErrorInfo | null
  /** When the next try begins, ms since the epoch. */
  readonly againAt: number | null
  /** The first rows of the chunk that the target refused. */
  readonly rows: readonly ShownRefusedRow[]
  /** True if the chunk was completed or tried before this run. */
  readonly earlier: boolean
  /** Set if a steering request prevents the copy of the chunk: it is paused, or left to another run. */
  readonly steering: 'paused' | 'skipped' | null
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
    quarantined: 0,
    checksum: null,
    startedAt: null,
    ms: null,
    error: null,
    againAt: null,
    rows: [],
    earlier: false,
    steering: null,
  }
}

export const chunkKey = ({ table, no }: Pick<Chunk, 'table' | 'no'>): string => `${no} ${table}`

/** Order of display: chunks that need attention first. */
const ORDER: Readonly<Record<ChunkState, number>> = {
  failed: 0,
  waits: 1,
  aside: 2,
  copying: 3,
  written: 4,
  proved: 5,
  pending: 6,
}

export class ChunkList {
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

  /** Stores a chunk among the active ones, the noted ones (failed, held, quarantined rows) or the recent ones. */
  put(chunk: Chunk): void {
    const key = chunkKey(chunk)
    this.remove(chunk)
    if (chunk.state === 'copying' || chunk.state === 'waits') this.#active.set(key, chunk)
    else if (chunk.state === 'failed' || chunk.state === 'aside' || chunk.steering !== null)
      keep(this.#noted, key, chunk, KEPT.chunksNoted)
    else keep(this.#recent, key, chunk, KEPT.chunksDone)
  }

  remove(chunk: Pick<Chunk, 'table' | 'no'>): void {
    const key = chunkKey(chunk)
    for (const some of [this.#active, this.#noted, this.#recent]) some.delete(key)
  }

  /** @param bad only chunks that failed, wait, or have quarantined rows */
  list(table: string, bad: boolean): readonly Chunk[] {
    const some = bad
      ? [
          ...[...this.#noted.values()].filter(({ state }) => state !== 'pending'),
          ...[...this.#active.values()].filter(({ state, rows }) => state === 'waits' || rows.length > 0),
        ]
      : [...this.#noted.values(), ...this.#active.values(), ...[...this.#recent.values()].toReversed()]
    // The sort is stable: the newest completed chunks stay at the top of their group.
    return some.filter((chunk) => chunk.table === table).toSorted((a, b) => ORDER[a.state] - ORDER[b.state])
  }

  /** Removes the failed chunks of a table, which are tried again. */
  forgetFailed(table: string): void {
    for (const chunk of this.#noted.values()) if (chunk.table === table && chunk.state === 'failed') this.remove(chunk)
  }

  /** Marks written chunks of a table as proved, after the whole table was compared. */
  proveWritten(table: string): void {
    for (const chunk of this.#recent.values())
      if (chunk.table === table && chunk.state === 'written')
        this.#recent.set(chunkKey(chunk), { ...chunk, state: 'proved' })
  }

  /** Ends the effect of a steering request on the chunks of a table. */
  clearSteering(table: string): void {
    for (const some of [this.#active, this.#noted]) {
      for (const [key, chunk] of some) {
        if (chunk.table !== table || chunk.steering === null) continue
        if (chunk.state === 'pending') some.delete(key)
        else some.set(key, { ...chunk, steering: null })
      }
    }
  }

  /** Clears the active chunks. @returns the chunks that were active */
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
