/** State of one partition in an archive run or a restore, folded from its events. */
import type {
  ArchivePlanEvent,
  ArchiveProgressEvent,
  ArchiveStateEvent,
  ArchiveStep,
} from '../../../model/archive/events.ts'
import { ARCHIVE_STATES, type ArchiveState } from '../../../model/archive/state.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'

/** Archive states in the order of a run, without RESTORED, EXPIRED and FAILED. */
export const STAGES = ARCHIVE_STATES.slice(0, ARCHIVE_STATES.indexOf('RESTORED'))

export type PartitionStatus = 'waits' | 'running' | 'done' | 'failed' | 'blocked' | 'held'

type Sample = { readonly at: number; readonly rows: number; readonly bytes: number }

/** Current step of a partition. */
export type StepView = {
  readonly step: ArchiveStep
  readonly rows: number
  readonly total: number
  readonly bytes: number
  readonly samples: readonly Sample[]
}

/** The rates of a step are averaged over this time, ms. */
const WINDOW_MS = 10_000
const WINDOW_SAMPLES = 64

/** Completed passes over the partition's rows when a step begins. */
const PASS: Readonly<Partial<Record<ArchiveStep, number>>> = { exporting: 0, verifying: 1, removing: 2, dropping: 2 }

export class ArchivePartition {
  readonly table: string
  readonly name: string
  readonly plan: ArchivePlanEvent | null
  /** State that the partition has after a successful run. */
  readonly goal: ArchiveState
  state: ArchiveState | null
  step: StepView | null = null
  error: ErrorInfo | null = null
  failed = false
  rows: number | null = null
  sourceBytes: number | null = null
  bytes: number | null = null
  files: number | null = null
  version: string | null = null
  dropAfter: string | null = null
  /** Time spent in this run, ms. */
  ms = 0
  /** Bytes read from the source by completed steps of this run. */
  #moved = 0
  /** True if this run has worked on the partition. */
  #touched = false

  constructor(table: string, name: string, plan: ArchivePlanEvent | null, goal: ArchiveState) {
    this.table = table
    this.name = name
    this.plan = plan
    this.goal = goal
    this.state = plan?.state ?? null
  }

  progress(event: ArchiveProgressEvent, now: number): void {
    this.#touched = true
    const [rows, bytes] = [Number(event.rows), Number(event.bytes)]
    const known = this.step?.step === event.step ? this.step.samples : []
    if (known.length === 0 && this.step !== null) this.#moved += this.step.bytes
    const from = known.findLastIndex(({ at }) => at <= now - WINDOW_MS)
    const samples = [...known.slice(Math.max(0, from)).slice(1 - WINDOW_SAMPLES), { at: now, rows, bytes }]
    this.step = { step: event.step, rows, total: Number(event.total), bytes, samples }
  }

  reach(event: ArchiveStateEvent): void {
    this.#touched = true
    this.#moved += this.step?.bytes ?? 0
    this.step = null
    // Keep the state reached before the failure: the error says that it failed.
    if (event.state !== 'FAILED') this.state = event.state
    this.error = event.error ?? null
    this.failed = event.state === 'FAILED' || event.error !== undefined
    this.ms += event.ms
    this.rows = event.rows === undefined ? this.rows : Number(event.rows)
    this.sourceBytes = event.sourceBytes === undefined ? this.sourceBytes : Number(event.sourceBytes)
    this.bytes = event.bytes === undefined ? this.bytes : Number(event.bytes)
    this.files = event.files === undefined ? this.files : Number(event.files)
    this.version = event.version ?? this.version
    this.dropAfter = event.dropAfter ?? this.dropAfter
  }

  get status(): PartitionStatus {
    if (this.failed) return 'failed'
    if (this.step !== null) return 'running'
    if (this.#touched) return this.#atGoal() ? 'done' : 'running'
    const planned = this.plan?.status
    return planned === 'blocked' || planned === 'held' ? planned : 'waits'
  }

  /** Rows of the partition, as far as known. */
  get size(): number {
    return this.rows ?? (this.step !== null && this.step.total > 0 ? this.step.total : Number(this.plan?.rows ?? 0))
  }

  /** Bytes read from the source in this run. */
  get moved(): number {
    return this.#moved + (this.step?.bytes ?? 0)
  }

  /** Number of row visits that this run needs: rows times passes. For a failed partition, only the completed visits. */
  get work(): number {
    const { status } = this
    if (status === 'blocked' || status === 'held') return 0
    return status === 'failed' ? this.#over(this.#all) : this.#all
  }

  /** Number of completed row visits of `work`. */
  get done(): number {
    return this.status === 'done' ? this.work : this.#over(this.work)
  }

  get #all(): number {
    if (this.goal === 'RESTORED') return this.size
    return Math.max(0, passesOf(this.goal) - passesOf(this.plan?.state ?? null)) * this.size
  }

  #over(most: number): number {
    if (!this.#touched) return 0
    const inStep = Math.min(this.step?.rows ?? 0, this.size)
    if (this.goal === 'RESTORED') return Math.min(most, inStep)
    const began = passesOf(this.plan?.state ?? null)
    const passed = this.step === null ? passesOf(this.state) : (PASS[this.step.step] ?? passesOf(this.state))
    // A repeated export of a partition is no progress.
    return Math.min(most, Math.max(0, passed - began) * this.size + (passed < began ? 0 : inStep))
  }

  #atGoal(): boolean {
    if (this.goal === 'RESTORED') return this.state === 'RESTORED'
    return this.state !== null && STAGES.indexOf(this.state) >= STAGES.indexOf(this.goal)
  }
}

/** Passes over its rows that a partition in this state has completed: export, read back, check before the drop. */
function passesOf(state: ArchiveState | null): number {
  if (state === 'DROPPED') return 3
  if (state === 'EXPORTED') return 1
  return state !== null && STAGES.indexOf(state) >= STAGES.indexOf('VERIFIED') ? 2 : 0
}

/** Rows and bytes per second of a step over WINDOW_MS. Null before one second has passed, or without progress. */
export function stepRates({ samples }: StepView): { readonly rows: number | null; readonly bytes: number | null } {
  const [first] = samples
  const last = samples.at(-1)
  const ms = first === undefined || last === undefined ? 0 : last.at - first.at
  if (first === undefined || last === undefined || ms < 1000) return { rows: null, bytes: null }
  const per = (amount: number): number | null => (amount > 0 ? (amount * 1000) / ms : null)
  return { rows: per(last.rows - first.rows), bytes: per(last.bytes - first.bytes) }
}
