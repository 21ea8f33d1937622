/**
 * Run journal: the events that a late viewer needs to build the same state as a viewer from the start. Bounded: events
 * of chunks are summed up when no view can show them any more, and lists keep the newest entries.
 */
import { dec } from '../../model/run/event.ts'
import type { ClosedState, Event, EventOf, EventType, TableStatus } from '../../model/run/event.ts'
import { KEPT } from '../../model/run/kept-events.ts'
import { ruleOf } from './rules.ts'
import { CompletedWork } from './sums.ts'
import {
  eventsOf,
  noChunkEvents,
  noteQuarantined,
  TableChunks,
  type ChunkEndEvent,
  type ChunkEvents,
} from './table-chunks.ts'

/** Limit of tables whose final events are kept. */
const ENDS = 5000

type Counts = { mismatches: bigint; differences: bigint; findings: bigint }

export class RunJournal {
  readonly #keyed = new Map<string, Event>()
  readonly #newest = new Map<EventType, Event[]>()
  readonly #tables = new Map<string, TableChunks>()
  /** Completed work of runs that are not copies, and of tables that were planned again. */
  readonly #work = new CompletedWork()
  readonly #ended = new Map<string, EventOf<'table.finished'>>()
  readonly #endedBefore = new Map<TableStatus, bigint>()
  readonly #counts: Counts = { mismatches: 0n, differences: 0n, findings: 0n }
  /** Number of completed steps of each partition. */
  readonly #steps = new Map<string, number>()
  readonly #active = new Map<string, ChunkEvents>()
  readonly #noted = new Map<string, ChunkEvents>()
  readonly #recent = new Map<string, ChunkEvents>()
  #last: Event | null = null

  /** Call in event order. */
  take(event: Event): void {
    this.#last = event
    switch (event.type) {
      case 'copy.started':
        return this.#begin(event)
      case 'chunk.started':
        return this.#started(event)
      case 'chunk.progress':
        this.#eventsOf(event).progress = event
        return
      case 'chunk.retried':
        return this.#retried(event)
      case 'row.aside': {
        const life = this.#active.get(keyOf(event))
        if (life !== undefined) noteQuarantined(life, event)
        return
      }
      case 'chunk.done':
      case 'chunk.failed':
        return this.#close(event)
      case 'chunk.skipped':
        return this.#skipped(event)
      case 'chunks.summary':
        return this.#table(event.table).skipMany(event)
      case 'chunk.released':
        return this.#releaseChunk(event, true)
      case 'look.difference':
        if (event.chunk === undefined || event.accepted === true) break
        return this.#addDifference(event, event.chunk)
      case 'table.steered':
        return this.#steered(event)
      case 'table.finished':
        return this.#finished(event)
      case 'plan.ready':
        this.#planned(event)
        break
      case 'throttle.off':
        this.#keyed.delete('throttle.on\n')
        return
      case 'archive.progress': {
        const partition = `${event.table}\n${event.partition}`
        return this.#keep(`${event.type}\n${partition}\n${event.step}\n${this.#steps.get(partition) ?? 0}`, event)
      }
      case 'archive.state': {
        const partition = `${event.table}\n${event.partition}`
        this.#steps.set(partition, (this.#steps.get(partition) ?? 0) + 1)
        break
      }
      default:
        break
    }
    this.#byRule(event)
  }

  /** The events for a viewer who joins now; all later events have higher numbers. */
  snapshot(): readonly Event[] {
    const base: Event[] = []
    const rest: Event[] = [...this.#newest.values()].flat()
    for (const event of this.#keyed.values()) (isBase(event) ? base : rest).push(event)
    for (const { begins, steered } of this.#tables.values())
      base.push(...begins, ...(steered === null ? [] : [steered]))
    for (const some of [this.#active, this.#noted, this.#recent])
      for (const life of some.values()) rest.push(...eventsOf(life))
    rest.push(...this.#ended.values())
    const inOrder = (a: Event, b: Event): number => a.seq - b.seq
    return [...base.toSorted(inOrder), ...this.#summaries(), ...rest.toSorted(inOrder)]
  }

  /** Number of the newest event. */
  get seq(): number {
    return this.#last?.seq ?? 0
  }

  #summaries(): readonly Event[] {
    const last = this.#last
    if (last === null) return []
    const { runId } = last
    const cut = [...this.#tables.values()].filter(({ isCut }) => isCut).toSorted((a, b) => a.lastBegun - b.lastBegun)
    const all = this.#work.reported()
    const { mismatches, differences, findings } = this.#counts
    const isWhole = this.#work.isEmpty && this.#endedBefore.size === 0 && mismatches + differences + findings === 0n
    return [
      ...(isWhole
        ? []
        : [
            {
              v: 1,
              seq: last.seq,
              ts: last.ts,
              runId,
              type: 'run.summary',
              tables: Object.fromEntries([...this.#endedBefore].map(([status, count]) => [status, dec(count)])),
              ...all,
              mismatches: dec(mismatches),
              differences: dec(differences),
              findings: dec(findings),
            } as const,
          ]),
      ...cut.map((table) => ({ v: 1, runId, ...table.summary() }) as const),
    ]
  }

  #byRule(event: Event): void {
    const rule = ruleOf(event.type)
    if (event.type === 'log' && event.level === 'debug') return
    if ('by' in rule) return this.#keep(`${event.type}\n${rule.by(event)}`, event)
    const list = this.#newest.get(event.type) ?? []
    this.#newest.set(event.type, list)
    list.push(event)
    if (list.length <= rule.newest) return
    const gone = list.shift()
    if (gone !== undefined && rule.counts !== undefined && (rule.only?.(gone) ?? true)) this.#counts[rule.counts] += 1n
  }

  #keep(key: string, event: Event): void {
    this.#keyed.delete(key)
    this.#keyed.set(key, event)
  }

  #table(name: string): TableChunks {
    const known = this.#tables.get(name)
    if (known !== undefined) return known
    const table = new TableChunks(name)
    this.#tables.set(name, table)
    return table
  }

  #begin(event: EventOf<'copy.started'>): void {
    const table = this.#table(event.table)
    // The chunk map of the table restarts; completed work stays counted.
    for (const some of [this.#noted, this.#recent]) {
      for (const [key, life] of some) {
        if (life.table !== event.table || life.end === null) continue
        some.delete(key)
        this.#retire(life)
      }
    }
    table.begin(event)
  }

  #planned({ copies = [] }: EventOf<'plan.ready'>): void {
    for (const { table: name } of copies) {
      for (const some of [this.#active, this.#noted, this.#recent])
        for (const [key, life] of some) if (life.table === name && some.delete(key)) this.#retire(life)
      const table = this.#tables.get(name)
      if (table !== undefined) this.#work.take(table.work)
      this.#tables.delete(name)
    }
  }

  /** Returns the kept events of a chunk, and marks the chunk as being copied. */
  #eventsOf({ table, chunk }: { readonly table: string; readonly chunk: string }): ChunkEvents {
    const key = keyOf({ table, chunk })
    const known = this.#active.get(key)
    if (known !== undefined) return known
    const life = this.#removeChunk(key) ?? noChunkEvents(table, chunk)
    this.#active.set(key, life)
    return life
  }

  #removeChunk(key: string): ChunkEvents | null {
    for (const some of [this.#active, this.#noted, this.#recent]) {
      const life = some.get(key)
      if (life !== undefined && some.delete(key)) return life
    }
    return null
  }

  #retire(life: ChunkEvents, as: ClosedState | null = null): void {
    const table = this.#tables.get(life.table)
    if (table !== undefined) return table.retire(life, as)
    const { end } = life
    if (life.retried !== null) this.#work.retries += 1n
    if (end?.type !== 'chunk.done') return
    this.#work.chunks += 1n
    this.#work.bytes += BigInt(end.bytes ?? 0)
    this.#work.add(end.unit, end.read ?? end.done)
  }

  #started(event: EventOf<'chunk.started'>): void {
    const { table, chunk, worker } = event
    // A worker that begins another chunk has left the previous one.
    for (const [key, life] of this.#active) {
      if (life.started?.worker !== worker || (life.table === table && life.chunk === chunk)) continue
      this.#active.delete(key)
      this.#retire(life, 'pending')
    }
    this.#tables.get(table)?.noteStart(event)
    const finished = this.#ended.get(table)
    if (finished !== undefined && this.#tables.has(table)) this.#endEarlier(finished)
    const before = this.#removeChunk(keyOf(event))
    if (before !== null) this.#retire(before)
    this.#active.set(keyOf(event), { ...noChunkEvents(table, chunk), started: event, steered: before?.steered ?? null })
  }

  #retried(event: EventOf<'chunk.retried'>): void {
    const life = this.#eventsOf(event)
    if (life.retried !== null) this.#work.retries += 1n
    life.retried = event
    life.quarantined = []
    life.end = null
  }

  #close(event: EventOf<'chunk.done' | 'chunk.failed'>): void {
    const life = this.#removeChunk(keyOf(event)) ?? noChunkEvents(event.table, event.chunk)
    const { started } = life
    const isSpanned = event.type === 'chunk.failed' || event.from !== undefined || event.to !== undefined
    const { from, to } = started ?? {}
    const span = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
    this.#end(life, isSpanned ? event : { ...event, ...span })
  }

  #end(before: ChunkEvents, end: ChunkEndEvent): void {
    if (before.end !== null) this.#retire(before)
    const life = before.end === null ? before : noChunkEvents(before.table, before.chunk)
    life.end = end
    life.progress = null
    const isDone = end.type === 'chunk.done'
    if (isDone) life.steered = null
    const isClean = isDone && Number(end.quarantined ?? 0) === 0
    if (isClean) life.quarantined = []
    const some = isClean ? this.#recent : this.#noted
    some.set(keyOf(life), life)
    this.#limitChunks(some, isClean ? KEPT.chunksDone : KEPT.chunksNoted)
  }

  #limitChunks(some: Map<string, ChunkEvents>, most: number): void {
    if (some.size <= most) return
    const [oldest] = some
    if (oldest === undefined) return
    some.delete(oldest[0])
    this.#retire(oldest[1])
  }

  #skipped(event: EventOf<'chunk.skipped'>): void {
    const known = this.#removeChunk(keyOf(event))
    if (known !== null) this.#retire(known)
    if (Number(event.quarantined) === 0) this.#table(event.table).skip(event)
    else this.#end(noChunkEvents(event.table, event.chunk), event)
  }

  #addDifference(event: EventOf<'look.difference'>, chunk: string): void {
    const known = this.#removeChunk(keyOf({ table: event.table, chunk }))
    if (known !== null) this.#retire(known)
    this.#end(noChunkEvents(event.table, chunk), event)
  }

  /** Handles a chunk that no worker copies any more. @param isHeldStill true: keep the chunk's steering request */
  #releaseChunk(at: { readonly table: string; readonly chunk: string }, isHeldStill: boolean): void {
    const life = this.#removeChunk(keyOf(at))
    if (life === null) return this.#retire({ ...noChunkEvents(at.table, at.chunk) }, 'pending')
    this.#retire({ ...life, steered: null }, 'pending')
    const { steered } = life
    if (!isHeldStill || steered === null || steered.act === 'resume' || steered.act === 'retry') return
    this.#noted.set(keyOf(at), { ...noChunkEvents(at.table, at.chunk), steered })
  }

  #steered(event: EventOf<'table.steered'>): void {
    const { table: name, chunk, act } = event
    if (chunk !== undefined) return this.#steeredChunk(event, chunk)
    const table = this.#table(name)
    table.steered = event
    if (act === 'pause' || act === 'skip') return
    for (const some of [this.#active, this.#noted, this.#recent]) {
      for (const [key, life] of some) {
        if (life.table !== name) continue
        life.steered = null
        const isFailed = life.end?.type === 'chunk.failed' || life.end?.type === 'look.difference'
        const isForgotten = act === 'retry' && isFailed
        if (!isForgotten && eventsOf(life).length > 0) continue
        some.delete(key)
        if (isForgotten) this.#retire(life, 'pending')
      }
    }
    if (act === 'retry') table.forgetFailed()
  }

  #steeredChunk(event: EventOf<'table.steered'>, chunk: string): void {
    const { table, act } = event
    const key = keyOf({ table, chunk })
    const life = this.#active.get(key) ?? this.#noted.get(key) ?? this.#recent.get(key) ?? null
    const isFailed = life?.end?.type === 'chunk.failed' || life?.end?.type === 'look.difference'
    if (act === 'retry' && isFailed) return this.#releaseChunk({ table, chunk }, false)
    const isHeld = act === 'pause' || act === 'skip'
    if (life !== null) {
      life.steered = event
      if (!isHeld && life.started === null && life.end === null) this.#removeChunk(key)
    } else if (isHeld) {
      this.#noted.set(key, { ...noChunkEvents(table, chunk), steered: event })
      this.#limitChunks(this.#noted, KEPT.chunksNoted)
    }
  }

  #finished(event: EventOf<'table.finished'>): void {
    const before = this.#ended.get(event.table)
    if (before !== undefined) this.#endEarlier(before)
    this.#ended.set(event.table, event)
    if (this.#ended.size <= ENDS) return
    const [oldest] = this.#ended.values()
    if (oldest !== undefined) this.#endEarlier(oldest)
  }

  /** Drops the final event of a table. From now on the table is only counted. */
  #endEarlier(event: EventOf<'table.finished'>): void {
    this.#ended.delete(event.table)
    this.#endedBefore.set(event.status, (this.#endedBefore.get(event.status) ?? 0n) + 1n)
    // A comparison has no chunks: count its work by its last progress.
    const compared = this.#keyed.get(`diff.progress\n${event.table}`)
    if (compared?.type !== 'diff.progress' || compared.seq > event.seq) return
    this.#work.add('row', compared.done)
    this.#keyed.delete(`diff.progress\n${event.table}`)
  }
}

const keyOf = ({ table, chunk = '' }: { readonly table: string; readonly chunk?: string }): string =>
  `${chunk}\n${table}`

/** True for the events that all other events of a run refer to. */
function isBase({ type }: Event): boolean {
  return type === 'run.started' || type === 'plan.ready'
}
