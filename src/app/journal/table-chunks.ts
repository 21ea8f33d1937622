/** Chunks of one table in the run journal: events of chunks that a view can show; state and totals of other chunks. */
import { KEPT } from '../../model/run/kept-events.ts'
import { keyRangeOfChunk } from '../../model/run/chunk-key-range.ts'
import { dec } from '../../model/run/event.ts'
import type { ChunksSummaryEvent, ClosedState, Event, EventOf, KeySpan } from '../../model/run/event.ts'
import { ChunkStates } from './chunk-states.ts'
import { Sums, CompletedWork } from './sums.ts'

const WHOLE = /^-?\d{1,40}$/

/** Final event of a chunk. */
export type ChunkEndEvent = EventOf<'chunk.done' | 'chunk.skipped' | 'chunk.failed' | 'look.difference'>

/** The events of one chunk since its last start. */
export type ChunkEvents = {
  readonly table: string
  readonly chunk: string
  started: EventOf<'chunk.started'> | null
  progress: EventOf<'chunk.progress'> | null
  retried: EventOf<'chunk.retried'> | null
  quarantined: EventOf<'row.aside'>[]
  steered: EventOf<'table.steered'> | null
  end: ChunkEndEvent | null
}

export function noChunkEvents(table: string, chunk: string): ChunkEvents {
  return { table, chunk, started: null, progress: null, retried: null, quarantined: [], steered: null, end: null }
}

/** The kept events of a chunk. */
export function eventsOf({ started, progress, retried, quarantined, steered, end }: ChunkEvents): readonly Event[] {
  return [started, progress, retried, ...quarantined, steered, end].filter((event) => event !== null)
}

export function noteQuarantined({ quarantined }: ChunkEvents, event: EventOf<'row.aside'>): void {
  if (quarantined.length < KEPT.rowsOfChunk) quarantined.push(event)
}

/** Key range of a chunk, as far as its events contain it. */
function keyRangeOf({ started, end }: ChunkEvents): KeySpan {
  const reported = end !== null && 'from' in end && (end.from !== undefined || end.to !== undefined) ? end : started
  const { from, to } = reported ?? {}
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
}

export class TableChunks {
  readonly name: string
  /** One event for each start or restart of the table's copy, in order. */
  readonly begins: EventOf<'copy.started'>[] = []
  /** Last steering request for the whole table. */
  steered: EventOf<'table.steered'> | null = null
  /** Sequence number of the start of the newest chunk whose events are no longer kept. */
  lastBegun = 0
  #lastSeq = 0
  #lastTs = ''
  #states = new ChunkStates(false)
  #since: string | null = null
  #begun = 0
  #workers = 0
  readonly #thisRun = new Sums()
  readonly #earlierRuns = new Sums()
  readonly work = new CompletedWork()

  constructor(name: string) {
    this.name = name
  }

  begin(event: EventOf<'copy.started'>): void {
    this.begins.push(event)
    const { key, low, high } = event
    this.#states = new ChunkStates(
      key.length === 1 && low !== undefined && high !== undefined && WHOLE.test(low) && WHOLE.test(high),
    )
  }

  /** Records the time of the first chunk that was started. */
  noteStart(event: EventOf<'chunk.started'>): void {
    if (this.#since !== null) return
    this.#since = event.ts
    this.#note(event)
  }

  /** Adds a chunk of an earlier run that no view shows. */
  skip(event: EventOf<'chunk.skipped'>): void {
    this.#note(event)
    this.#earlierRuns.add(event)
    this.#states.set(event.chunk, closedBy(event), event)
  }

  /** Adds chunks of earlier runs that were never reported one by one. */
  skipMany(event: EventOf<'chunks.summary'>): void {
    this.#note(event)
    this.#earlierRuns.take(event.before)
    for (const stretch of event.states) {
      const { first, last, state } = stretch
      for (let no = first; no <= last && this.#states.set(String(no), state, keyRangeOfChunk(stretch, no) ?? {}); no++);
    }
  }

  /** Drops the events of a chunk, and keeps its state. @param as the state, if the events do not contain it */
  retire(life: ChunkEvents, as: ClosedState | null = null): void {
    const { chunk, started, end } = life
    for (const event of eventsOf(life)) this.#note(event)
    if (started !== null) {
      this.#begun += 1
      this.#workers = Math.max(this.#workers, started.worker)
      this.lastBegun = Math.max(this.lastBegun, started.seq)
    }
    if (life.retried !== null) this.work.retries += 1n
    if (end?.type === 'chunk.done') {
      this.#thisRun.add(end)
      this.work.chunks += 1n
      this.work.bytes += BigInt(end.bytes ?? 0)
      this.work.add(end.unit, end.read ?? end.done)
    } else if (end?.type === 'chunk.skipped') this.#earlierRuns.add(end)
    const state = as ?? (end === null ? 'pending' : closedBy(end))
    // No event has reported the state of this chunk.
    if (as === null && end === null && started === null && life.retried === null) return
    this.#states.set(chunk, state, keyRangeOf(life))
  }

  forgetFailed(): void {
    this.#states.forgetFailed()
  }

  /** The summary, with number and time of the newest dropped event. */
  summary(): ChunksSummaryEvent & { readonly seq: number; readonly ts: string } {
    const { chunks, work, bytes, retries } = this.work.reported()
    return {
      type: 'chunks.summary',
      table: this.name,
      ...(this.#since === null ? {} : { since: this.#since }),
      begun: dec(this.#begun),
      chunks,
      work,
      bytes,
      retries,
      workers: this.#workers,
      here: this.#thisRun.reported(),
      before: this.#earlierRuns.reported(),
      states: this.#states.stateRanges(),
      seq: this.#lastSeq,
      ts: this.#lastTs,
    }
  }

  /** True if events of chunks were dropped. */
  get isCut(): boolean {
    return this.#lastSeq > 0
  }

  #note({ seq, ts }: Event): void {
    if (seq <= this.#lastSeq) return
    this.#lastSeq = seq
    this.#lastTs = ts
  }
}

function closedBy(end: ChunkEndEvent): ClosedState {
  if (end.type === 'chunk.failed' || end.type === 'look.difference') return 'failed'
  if (Number(end.quarantined ?? 0) > 0) return 'aside'
  return end.checksum !== undefined && end.checksum.target === '' ? 'written' : 'proved'
}
