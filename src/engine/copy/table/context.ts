/** Context of the copy of one table. */
import type { CopyRun } from '../copy-run.ts'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnPlan, TablePlan } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { BatchSize, SourceView } from '../../../model/copy/source-port.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { ComputedRows } from '../chunk/computed-rows.ts'
import type { ChunkLedger } from '../ledger/chunks.ts'
import type { RunOwner, TableKey } from '../ledger/owner.ts'
import type { PeriodOptions } from '../../../model/copy/period-marks.ts'
import type { PeriodProgress } from './period-progress.ts'
import type { Planning } from '../ledger/planning.ts'
import type { TimeLosses } from '../chunk/time-losses.ts'
import type { WeakWrites } from '../compat/script/weak-writes.ts'
import type { RingPlan } from '../plan/ring-plan.ts'
import type { SlowTarget } from '../workers/slow-target.ts'
import type { FrameRows } from '../chunk/frame-rows.ts'
import type { Throttle } from '../workers/throttle.ts'
import type { SourceViews } from '../source-views.ts'
import { withWriter } from '../../../stores/common/with-writer.ts'

export type TableContext = {
  /** Name of the source's table, for messages and events. */
  readonly name: string
  readonly plan: TablePlan
  /** Ranges of a ring to copy; null if the table has no ring. */
  readonly ring: RingPlan | null
  /** Set if the table is copied period by period. */
  readonly periods?: {
    readonly options: PeriodOptions
    readonly progress: PeriodProgress
    /** Set if this run leaves out unfinished chunks, which a later run copies. */
    readonly leavesOut?: true
  }
  readonly key: TableKey
  /** URL of the source without password. */
  readonly sourceLabel: string
  readonly store: CopyStore
  readonly target: CopyTarget
  readonly views: SourceViews
  /** The only read view in which the table's chunks are valid; null if they are valid in every read view. */
  readonly only: SourceView | null
  readonly ledger: ChunkLedger
  readonly planning: Planning
  readonly database: LedgerDatabase
  readonly owner: RunOwner
  readonly throttle: Throttle
  readonly frameRows: FrameRows
  /** Digest of the table's chunks with their generated columns. */
  readonly computedRows: ComputedRows
  /** Receives the durations of target calls. */
  readonly pulse: SlowTarget
  readonly batch: BatchSize
  /** Maximum number of quarantined rows of a table; with more, the table is given up. */
  readonly maxAside: number
  /** Receives rows that could only be written at consistency level ONE. */
  readonly weak?: WeakWrites
  /** Write times and TTLs that the target did not get exactly, in chunks that this process copied. */
  readonly timeLosses: TimeLosses
  /** Set if this run compares and repairs chunks that earlier runs copied. */
  readonly compares?: true
  /** Set to bypass triggers and foreign keys of the target, as in `ChunkRequest`. */
  readonly pastTriggers?: true
  /** Set if a stream copies the table, as in `ChunkRequest`. */
  readonly isOfStream?: true
  readonly emit: CopyRun['emit']
  /** Minimum time for which transient failures are retried, ms. */
  readonly retryMs: number
  readonly signal: AbortSignal
}

/** Compared columns, in the order of their cells: the written ones, then those that the target computes. */
export function comparedColumns({
  columns,
  checked = [],
}: Pick<TablePlan, 'columns' | 'checked'>): readonly ColumnPlan[] {
  return [...columns, ...checked]
}

/** The written cells of a row, without those that the target computes. */
export function writtenCells({ columns, checked }: Pick<TablePlan, 'columns' | 'checked'>, row: Row): Row {
  return checked === undefined ? row : row.slice(0, columns.length)
}

export function plannedReadColumns({ columns }: Pick<TablePlan, 'columns'>): readonly ReadColumn[] {
  return columns.map(({ from, as, source, target, codec }) => ({
    name: from,
    as,
    column: source,
    ...(codec === undefined ? {} : { codec }),
    ...(as.kind === 'decimal' && target.type.kind === 'text' ? { intoText: true } : {}),
  }))
}

export function writeColumns({ columns }: Pick<TablePlan, 'columns'>): readonly WriteColumn[] {
  return columns.map(({ to, as, target }) => ({ name: to, as, column: target }))
}

/** Reads a range of the target with a writer that writes nothing. */
export function inspectTarget<T>(
  { plan, target, signal }: TableContext,
  range: Range,
  read: (writer: ChunkWriter) => Promise<T>,
): Promise<T> {
  const request: ChunkRequest = {
    table: keyedTargetTable(plan),
    columns: writeColumns(plan),
    range,
    onExisting: 'append',
    careful: false,
    cursor: null,
    signal,
  }
  return withWriter(target, request, read)
}

/** Positions of the source's key columns in a row. */
export function keyPositions(plan: TablePlan): readonly number[] {
  return plan.source.key.map((name) => plan.columns.findIndex(({ from }) => from === name))
}

/** The target's table with the key by which rows are found there. */
export function keyedTargetTable({ target, rangeKey }: TablePlan): TableSpec {
  return rangeKey.length === 0 ? target : { ...target, key: rangeKey }
}

/**
 * Positions of the target's key columns in a row; empty if the target has no key, or if the key is not copied
 * completely.
 */
export function targetKeyPositions(plan: TablePlan): readonly number[] {
  const positions = keyedTargetTable(plan).key.map((name) => plan.columns.findIndex(({ to }) => to === name))
  return positions.includes(-1) ? [] : positions
}
