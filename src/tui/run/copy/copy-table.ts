/** State of one table of a copy, folded from its events. Numbers are rows unless stated otherwise. */
import { keyRangeOfChunk } from '../../../model/run/chunk-key-range.ts'
import type {
  ChunksSummaryEvent,
  ChunkEventTotals,
  CopyPlanLine,
  CopyStartedEvent,
  CopyTally,
} from '../../../model/run/event.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { TableResult } from '../outcomes.ts'
import { ChunkMap } from './chunk-map.ts'
import { axisOf } from './key-axis.ts'

export type TableTally = { read: number; written: number; skipped: number; quarantined: number; proved: number }

const nothing = (): TableTally => ({ read: 0, written: 0, skipped: 0, quarantined: 0, proved: 0 })

export type CopyTableState =
  'waits' | 'copying' | 'copied' | 'ok' | 'failed' | 'refused' | 'stopped' | 'skipped' | 'paused'

export class CopyTable {
  readonly name: string
  readonly plan: CopyPlanLine | null
  started: CopyStartedEvent | null = null
  map = new ChunkMap({ by: 'order' }, 0)
  /** Totals of this run, for completed chunks. */
  readonly here = nothing()
  /** Totals of earlier runs. */
  readonly before = nothing()
  /** Number of chunks that this run began. */
  begun = 0
  /** Set if a steering request prevents the copy of the table: it is paused, or left to another run. */
  steering: 'paused' | 'skipped' | null = null
  result: TableResult | null = null

  constructor(name: string, plan: CopyPlanLine | null) {
    this.name = name
    this.plan = plan
  }

  start(event: CopyStartedEvent): void {
    this.started = event
    const [key] = event.key
    const native = this.plan?.columns.find(({ from }) => from === key)?.source ?? null
    this.map = new ChunkMap(axisOf(event, native), Number(event.chunks))
  }

  /** Adds chunks that are reported only by state, and their totals. */
  add({ begun, here, before, states }: ChunksSummaryEvent): void {
    this.begun += Number(begun)
    addTo(this.here, here, this.provedByChunk)
    addTo(this.before, before, this.provedByChunk)
    for (const stretch of states) {
      const { first, last, state } = stretch
      const drawn = state === 'proved' && !this.provedByChunk ? 'written' : state
      for (let no = first; no <= last; no++) this.map.set(String(no), drawn, keyRangeOfChunk(stretch, no))
    }
  }

  get to(): string {
    return this.started?.to ?? this.plan?.to ?? this.name
  }

  get key(): readonly string[] {
    return this.started?.key ?? this.plan?.key ?? []
  }

  /** Proof method of the table's chunks, as in the plan; '' if unknown. */
  get proof(): string {
    return this.plan?.proof ?? ''
  }

  /**
   * True if chunks are proved one by one. Block ranges cannot be found again in the target, so tables without a key are
   * proved as a whole or not at all.
   */
  get provedByChunk(): boolean {
    return this.proof !== 'none' && (this.started === null || this.key.length > 0)
  }

  get error(): ErrorInfo | null {
    return this.result?.error ?? this.plan?.error ?? null
  }

  get notes(): readonly string[] {
    return this.result?.notes ?? this.plan?.notes ?? []
  }

  get state(): CopyTableState {
    if (this.result !== null) return this.result.status === 'current' ? 'ok' : this.result.status
    if (this.plan?.status === 'refused') return 'refused'
    if (this.steering !== null) return this.steering
    const { all, pending, copying, waits } = this.map.counts()
    if (this.started !== null && all > 0 && pending + copying + waits === 0) return 'copied'
    return this.begun > 0 ? 'copying' : 'waits'
  }

  /** True if all chunks are completed: their rows are written or quarantined. */
  get isCompleted(): boolean {
    const { all, pending, copying, waits, failed } = this.map.counts()
    return this.state === 'ok' || (this.started !== null && all > 0 && pending + copying + waits + failed === 0)
  }

  /** Totals of all runs, for completed chunks; from the ledger once the result is known. */
  get tally(): TableTally {
    const { result, here, before } = this
    if (result?.copied !== undefined) return talliedBy(result.copied, before.proved + here.proved)
    return {
      read: before.read + here.read,
      written: before.written + here.written,
      skipped: before.skipped + here.skipped,
      quarantined: before.quarantined + here.quarantined,
      proved: before.proved + here.proved,
    }
  }

  /** Rows of the table, counted or estimated; at least the rows that were read. */
  get rows(): number {
    const { copied } = this.result ?? {}
    if (copied !== undefined && this.result?.status === 'ok') return Number(copied.read)
    return Math.max(Number(this.started?.rows ?? this.plan?.rows ?? 0), this.tally.read)
  }

  get estimated(): boolean {
    return this.result?.status === 'ok' ? false : (this.started?.estimated ?? this.plan?.estimated ?? false)
  }

  /** Rows that will be in the target if the run succeeds. */
  get expected(): number {
    return this.steering === 'skipped' ? this.tally.read : this.rows
  }

  /** Rows that earlier runs copied. */
  get baseline(): number {
    return Math.max(this.before.read, Number(this.started?.done.rows ?? 0))
  }

  /** Average bytes of a row by the source's estimate; null if unknown. */
  get rowBytes(): number | null {
    const rows = Number(this.plan?.rows ?? 0)
    const bytes = Number(this.plan?.bytes ?? 0)
    return rows > 0 && bytes > 0 ? bytes / rows : null
  }
}

function addTo(tally: TableTally, sums: ChunkEventTotals, isProved: boolean): void {
  tally.read += Number(sums.read)
  tally.written += Number(sums.written)
  tally.skipped += Number(sums.skipped)
  tally.quarantined += Number(sums.quarantined)
  if (isProved) tally.proved += Number(sums.proved)
}

function talliedBy(copied: CopyTally, proved: number): TableTally {
  return {
    read: Number(copied.read),
    written: Number(copied.written),
    skipped: Number(copied.skipped),
    quarantined: Number(copied.quarantined),
    proved,
  }
}
