/**
 * State of a copy, folded from its events: tables, chunks, checksums, throttle. A copy may have 100,000 chunks, so the
 * object is changed in place and never copied.
 */
import { WorkPace } from '../../../model/copy/work-pace.ts'
import type { Event, KeySpan, TargetLatency, LookDifferenceEvent, EventOf } from '../../../model/run/event.ts'
import { KEPT } from '../../../model/run/kept-events.ts'
import { ChunkList, freshChunk, type Chunk } from './chunk-list.ts'
import type { ChunkState } from './chunk-map.ts'
import { CopyTable, type TableTally } from './copy-table.ts'
import { FollowProgress } from './follow-progress.ts'
import { SwitchProgress } from './switch-progress.ts'
import { countDec } from '../../../render/screen-format.ts'

type Pressure = { readonly reason: string; readonly rate: number }

export class CopyProgress {
  readonly keptChunks = new ChunkList()
  readonly follow = new FollowProgress()
  /** Rates over the time in which chunks were copied. */
  readonly pace = new WorkPace()
  /** State of a cutover. */
  readonly switching = new SwitchProgress()
  throttle: Pressure | null = null
  /** Time that the target takes for a batch; null before the first measurement. */
  latency: TargetLatency | null = null
  /** When the first chunk began, ms since the epoch; rates are measured from this time. */
  begunAt: number | null = null
  /** Largest number of workers seen. */
  workers = 0
  readonly #tables = new Map<string, CopyTable>()
  #latest: string | null = null

  /** Tables of the copy, in the order of the plan. */
  get tables(): readonly CopyTable[] {
    return [...this.#tables.values()]
  }

  table(name: string | null): CopyTable | null {
    return name === null ? null : (this.#tables.get(name) ?? null)
  }

  /** The table of the newest chunk event; before the first event, the first table. */
  get latest(): CopyTable | null {
    const [first] = this.#tables.values()
    return this.table(this.#latest) ?? first ?? null
  }

  fold(event: Event, now: number): void {
    this.pace.fold(event)
    this.follow.fold(event)
    this.switching.fold(event, now)
    switch (event.type) {
      case 'plan.ready':
        for (const line of event.copies ?? []) this.#tables.set(line.table, new CopyTable(line.table, line))
        break
      case 'copy.started':
        this.#at(event.table).start(event)
        break
      case 'chunk.started':
        return this.#started(event, now)
      case 'chunk.progress':
        return this.#progress(event)
      case 'chunk.retried':
        return this.#retried(event, now)
      case 'chunk.done':
        return this.#done(event, now)
      case 'chunk.skipped':
        return this.#skipped(event)
      case 'chunks.summary':
        return this.#summed(event)
      case 'look.difference':
        return this.#differs(event)
      case 'chunk.failed':
        return this.#failed(event, now)
      case 'chunk.released':
        return this.#released(event)
      case 'table.steered':
        return this.#steered(event)
      case 'row.aside':
        return this.#onQuarantined(event)
      case 'target.latency':
        this.latency = event
        break
      case 'throttle.on':
        this.throttle = { reason: event.reason, rate: Number(event.rate) }
        this.latency = event.latency ?? this.latency
        break
      case 'throttle.off':
        this.throttle = null
        break
      case 'table.finished':
        return this.#finished(event)
      case 'run.finished':
        return this.#ended()
      default:
        break
    }
  }

  /** Totals of all tables, for completed chunks. */
  tally(): TableTally {
    const sum: TableTally = { read: 0, written: 0, skipped: 0, quarantined: 0, proved: 0 }
    for (const { tally } of this.#tables.values()) {
      sum.read += tally.read
      sum.written += tally.written
      sum.skipped += tally.skipped
      sum.quarantined += tally.quarantined
      sum.proved += tally.proved
    }
    return sum
  }

  /** Expected rows of all tables that are not refused. */
  rows(): { readonly rows: number; readonly estimated: boolean } {
    let rows = 0
    let estimated = false
    for (const table of this.#tables.values()) {
      if (table.state === 'refused') continue
      rows += table.expected
      estimated ||= table.estimated && table.steering !== 'skipped'
    }
    return { rows, estimated }
  }

  chunks(): Readonly<Record<ChunkState | 'all', number>> {
    const sum = { all: 0, pending: 0, proved: 0, written: 0, copying: 0, aside: 0, waits: 0, failed: 0 }
    for (const { map } of this.#tables.values()) {
      const counts = map.counts()
      for (const state of Object.keys(sum) as (keyof typeof sum)[]) sum[state] += counts[state]
    }
    return sum
  }

  /** True if this run copied any table; false if tables are only replicated. */
  get hasCopied(): boolean {
    return this.tables.some(({ started, begun }) => started !== null || begun > 0)
  }

  /** True if every row of every table was read, and either written or quarantined. */
  get isCompleted(): boolean {
    const { tables } = this
    return tables.length > 0 && tables.every((table) => table.isCompleted)
  }

  /** True if earlier runs quarantined rows. */
  get hasOlderQuarantined(): boolean {
    return this.tables.some(({ before }) => before.quarantined > 0)
  }

  /** Chunks that the target accepts at the same time; null if unknown. */
  get writers(): number | null {
    const reported = this.tables.flatMap(({ started, plan }) => Number(started?.writers ?? plan?.writers ?? 0) || [])
    return reported.length === 0 ? null : Math.max(...reported)
  }

  /** Average bytes of a row of the latest table; null if the source does not report it. */
  rowBytes(): number | null {
    return this.latest?.rowBytes ?? null
  }

  #at(name: string): CopyTable {
    const known = this.#tables.get(name)
    if (known !== undefined) return known
    const table = new CopyTable(name, null)
    this.#tables.set(name, table)
    return table
  }

  #put(chunk: Chunk): void {
    this.keptChunks.put(chunk)
    this.#at(chunk.table).map.set(chunk.no, chunk.state, chunk.span)
  }

  #started(event: EventOf<'chunk.started'>, now: number): void {
    const { table: name, chunk: no, worker } = event
    const table = this.#at(name)
    this.begunAt ??= now
    this.#latest = name
    this.workers = Math.max(this.workers, worker)
    table.begun++
    // The result of a failed table is removed, because the table is tried again.
    table.result = null
    // A worker that begins another chunk has lost its previous chunk to another worker.
    for (const other of this.keptChunks.active) if (other.worker === worker) this.#removeActive(other)
    const steering = this.keptChunks.find(name, no)?.steering ?? null
    this.#put({ ...freshChunk(name, no, spanOf(event)), state: 'copying', worker, startedAt: now, steering })
  }

  #progress({ table, chunk, step }: EventOf<'chunk.progress'>): void {
    const known = this.keptChunks.find(table, chunk)
    if (known === null) return
    // Read and written, but not proved yet.
    const state: ChunkState = step === 'proving' ? 'written' : 'copying'
    const inMap = this.#at(table).map
    if (inMap.state(chunk) !== state) inMap.set(chunk, state)
    if (known.state !== 'copying') this.keptChunks.put({ ...known, state: 'copying', againAt: null, error: null })
  }

  #retried(event: EventOf<'chunk.retried'>, now: number): void {
    const known = this.keptChunks.find(event.table, event.chunk) ?? freshChunk(event.table, event.chunk, {})
    const { attempt, error } = event
    // The rows that the failed try quarantined were rolled back.
    this.#put({ ...known, state: 'waits', attempt, error, againAt: now + event.waitMs, quarantined: 0, rows: [] })
  }

  #done(event: EventOf<'chunk.done'>, now: number): void {
    const table = this.#at(event.table)
    const known = this.keptChunks.find(event.table, event.chunk) ?? freshChunk(event.table, event.chunk, {})
    const read = Number(event.read ?? event.done)
    const written = Number(event.written ?? event.done)
    const quarantined = Number(event.quarantined ?? 0)
    const proved = isProved(table, event.checksum)
    table.here.read += read
    table.here.written += written
    table.here.skipped += Number(event.skipped ?? 0)
    table.here.quarantined += quarantined
    if (proved) table.here.proved += written
    this.#put({
      ...known,
      span: event.from === undefined && event.to === undefined ? known.span : spanOf(event),
      state: quarantined > 0 ? 'aside' : proved ? 'proved' : 'written',
      worker: event.worker,
      attempt: event.attempt ?? known.attempt,
      read,
      written,
      skipped: Number(event.skipped ?? 0),
      quarantined,
      checksum: event.checksum ?? null,
      startedAt: known.startedAt ?? now - event.ms,
      ms: event.ms,
      error: null,
      againAt: null,
      steering: null,
    })
  }

  #skipped(event: EventOf<'chunk.skipped'>): void {
    const table = this.#at(event.table)
    const [read, written, quarantined] = [Number(event.read), Number(event.written), Number(event.quarantined)]
    const proved = isProved(table, event.checksum)
    table.before.read += read
    table.before.written += written
    table.before.skipped += Number(event.skipped)
    table.before.quarantined += quarantined
    if (proved) table.before.proved += written
    const state = quarantined > 0 ? 'aside' : proved ? 'proved' : 'written'
    table.map.set(event.chunk, state, spanOf(event))
    // Details of chunks without quarantined rows are not kept.
    if (quarantined === 0) return
    const chunk = freshChunk(event.table, event.chunk, spanOf(event))
    const { attempt, checksum = null } = event
    this.keptChunks.put({ ...chunk, state, attempt, read, written, quarantined, checksum, earlier: true })
  }

  /** Adds chunks that are reported as a summary instead of one by one. */
  #summed(event: EventOf<'chunks.summary'>): void {
    const table = this.#at(event.table)
    table.add(event)
    this.workers = Math.max(this.workers, event.workers)
    const since = event.since === undefined ? Number.NaN : Date.parse(event.since)
    if (Number.isNaN(since)) return
    this.begunAt = Math.min(this.begunAt ?? since, since)
    this.#latest = event.table
  }

  /** Marks a chunk of an earlier run as failed, because its row counts differ now. */
  #differs(event: EventOf<'look.difference'>): void {
    if (event.chunk === undefined || event.accepted === true) return
    const known = this.keptChunks.find(event.table, event.chunk) ?? freshChunk(event.table, event.chunk, spanOf(event))
    const error = { code: 'COUNTS_DIFFER', message: countDifferenceText(event), retryable: false } as const
    // A chunk that was steered before it began has no key range yet.
    const span = event.from === undefined && event.to === undefined ? known.span : spanOf(event)
    this.#put({ ...known, span, state: 'failed', error, againAt: null, earlier: true })
  }

  #failed(event: EventOf<'chunk.failed'>, now: number): void {
    const known = this.keptChunks.find(event.table, event.chunk) ?? freshChunk(event.table, event.chunk, {})
    const ms = known.startedAt === null ? null : now - known.startedAt
    this.#put({ ...known, state: 'failed', error: event.error, againAt: null, ms })
  }

  /** Removes a chunk that was rolled back and has no worker, unless a steering request holds it. */
  #released({ table, chunk }: EventOf<'chunk.released'>): void {
    const known = this.keptChunks.find(table, chunk)
    if (known?.steering == null) return this.#removeActive({ table, no: chunk })
    this.#put({ ...freshChunk(table, chunk, known.span), steering: known.steering })
  }

  #steered({ table: name, chunk, act }: EventOf<'table.steered'>): void {
    const table = this.#at(name)
    const steering = act === 'pause' ? 'paused' : act === 'skip' ? 'skipped' : null
    if (chunk !== undefined) {
      const known = this.keptChunks.find(name, chunk) ?? freshChunk(name, chunk, {})
      if (act === 'retry' && known.state === 'failed') return this.#removeActive(known)
      if (steering === null && known.state === 'pending') this.keptChunks.remove(known)
      else this.keptChunks.put({ ...known, steering })
      return
    }
    table.steering = steering
    if (steering !== null) return
    this.keptChunks.clearSteering(name)
    if (act !== 'retry') return
    this.keptChunks.forgetFailed(name)
    table.map.replaceState('failed', 'pending')
  }

  #onQuarantined({ table, chunk, key, error }: EventOf<'row.aside'>): void {
    const known = this.keptChunks.find(table, chunk)
    if (known === null) return
    const rows = known.rows.length < KEPT.rowsOfChunk ? [...known.rows, { key, error }] : known.rows
    this.keptChunks.put({ ...known, quarantined: known.quarantined + 1, rows })
  }

  #finished(event: EventOf<'table.finished'>): void {
    const table = this.#at(event.table)
    table.result = event
    if (event.status === 'ok' && isProvedAtEnd(table)) {
      table.map.replaceState('written', 'proved')
      this.keptChunks.proveWritten(event.table)
      table.here.proved = table.tally.written - table.before.proved
    }
  }

  /** Clears the throttle. Active chunks become pending: they were rolled back, and the next run copies them. */
  #ended(): void {
    this.throttle = null
    for (const chunk of this.keptChunks.drop()) this.#at(chunk.table).map.set(chunk.no, 'pending')
  }

  #removeActive(chunk: Pick<Chunk, 'table' | 'no'>): void {
    this.keptChunks.remove(chunk)
    this.#at(chunk.table).map.set(chunk.no, 'pending')
  }
}

/** True if a completed chunk was compared with the rows in the target. */
function isProved(table: CopyTable, checksum: { readonly target: string } | undefined): boolean {
  return table.provedByChunk && (checksum === undefined || checksum.target !== '')
}

/** True if a table without a key was proved as a whole at its end, by the sums of the checksums of its chunks. */
function isProvedAtEnd({ plan, key }: CopyTable): boolean {
  return plan !== null && key.length === 0 && plan.proof === 'canonical' && plan.onExisting === 'refuse'
}

function spanOf({ from, to }: KeySpan): KeySpan {
  if (from === undefined) return to === undefined ? NOWHERE : { to }
  return to === undefined ? { from } : { from, to }
}

const NOWHERE: KeySpan = {}

/** Text such as `expected 50,000 rows, found 49,990`, with the source's row counts before and now, if they differ. */
function countDifferenceText({ side, sourceBefore, source, expected, target }: LookDifferenceEvent): string {
  const rows = `expected ${countDec(expected)} rows, found ${countDec(target)}`
  const changed =
    source === sourceBefore ? '' : `; the source had ${countDec(sourceBefore)} rows, and has ${countDec(source)}`
  return `${side === 'source' ? 'only the source has changed: ' : ''}${rows}${changed}`
}
