/** What the copy of one table works with. */
import type { CopyRun } from '../copy-run.ts'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnPlan, TablePlan } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type {
  BatchSize,
  ChunkRequest,
  ChunkWriter,
  CopyStore,
  CopyTarget,
  LedgerDatabase,
  ReadColumn,
  SourceView,
  WriteColumn,
} from '../../../model/copy/port.ts'
import type { ComputedRows } from '../chunk/computed-rows.ts'
import type { ChunkLedger } from '../ledger/chunks.ts'
import type { Owner, TableKey } from '../ledger/owner.ts'
import type { PeriodWish } from '../../../model/copy/period-marks.ts'
import type { PeriodProgress } from './period-progress.ts'
import type { Planning } from '../ledger/planning.ts'
import type { UnevenElements } from '../chunk/uneven-elements.ts'
import type { WeakWrites } from '../compat/script/weak-writes.ts'
import type { RingPlan } from '../plan/ring-plan.ts'
import type { SlowTarget } from '../workers/slow-target.ts'
import type { FrameRows } from '../chunk/frame-rows.ts'
import type { Throttle } from '../workers/throttle.ts'
import type { Views } from '../source-views.ts'
import { withWriter } from '../../../stores/common/with-writer.ts'

export type TableContext = {
  /** Name of the source's table, for messages and events. */
  readonly name: string
  readonly plan: TablePlan
  /** Which ranges of a ring are copied; null where the table lies on none. */
  readonly ring: RingPlan | null
  /** The table is copied period by period. */
  readonly periods?: {
    readonly wish: PeriodWish
    readonly progress: PeriodProgress
    /** Chunks that are not done are left to a later run. */
    readonly leavesOut?: true
  }
  readonly key: TableKey
  /** URL of the source without password. */
  readonly sourceLabel: string
  readonly store: CopyStore
  readonly target: CopyTarget
  readonly views: Views
  /** The one view in which the table's chunks mean something; null where they mean the same in every view. */
  readonly only: SourceView | null
  readonly ledger: ChunkLedger
  readonly planning: Planning
  readonly database: LedgerDatabase
  readonly owner: Owner
  readonly throttle: Throttle
  readonly frameRows: FrameRows
  /** What its chunks came to with their generated columns. */
  readonly computedRows: ComputedRows
  /** Is told how long the target takes. */
  readonly pulse: SlowTarget
  readonly batch: BatchSize
  /** Rows that may be set aside before the table is given up. */
  readonly maxAside: number
  /** Is told of rows that could only be written at ONE. */
  readonly weak?: WeakWrites
  /** Of the chunks that this program has copied. */
  readonly uneven: UnevenElements
  /** What earlier runs have copied is compared in this run, and mended. */
  readonly compares?: true
  /** As in `ChunkRequest`. */
  readonly pastTriggers?: true
  readonly emit: CopyRun['emit']
  /** As of `Attempts`. */
  readonly retryMs: number
  readonly signal: AbortSignal
}

/** Columns that are compared, in the order of their cells: those that are written, then those that the target computes. */
export function comparedColumns({
  columns,
  checked = [],
}: Pick<TablePlan, 'columns' | 'checked'>): readonly ColumnPlan[] {
  return [...columns, ...checked]
}

/** The cells of a row that are written, without those that the target computes. */
export function writtenCells({ columns, checked }: Pick<TablePlan, 'columns' | 'checked'>, row: Row): Row {
  return checked === undefined ? row : row.slice(0, columns.length)
}

export function readColumns({ columns }: Pick<TablePlan, 'columns'>): readonly ReadColumn[] {
  return columns.map(({ from, as, source, codec }) => ({
    name: from,
    as,
    column: source,
    ...(codec === undefined ? {} : { codec }),
  }))
}

export function writeColumns({ columns }: Pick<TablePlan, 'columns'>): readonly WriteColumn[] {
  return columns.map(({ to, as, target }) => ({ name: to, as, column: target }))
}

/** A look at what the target holds in a range, by a writer that writes nothing. */
export function lookAt<T>(
  { plan, target, signal }: TableContext,
  range: Range,
  look: (writer: ChunkWriter) => Promise<T>,
): Promise<T> {
  const request: ChunkRequest = {
    table: targetTable(plan),
    columns: writeColumns(plan),
    range,
    onExisting: 'append',
    careful: false,
    cursor: null,
    signal,
  }
  return withWriter(target, request, look)
}

/** Where in a row the columns of the source's key stand. */
export function keyPositions(plan: TablePlan): readonly number[] {
  return plan.source.key.map((name) => plan.columns.findIndex(({ from }) => from === name))
}

/** The table of the target with the key that rows are found by there. */
export function targetTable({ target, rangeKey }: TablePlan): TableSpec {
  return rangeKey.length === 0 ? target : { ...target, key: rangeKey }
}

/** The same for the key of the target; empty where it has none, or it is not copied whole. */
export function targetKeyPositions(plan: TablePlan): readonly number[] {
  const positions = targetTable(plan).key.map((name) => plan.columns.findIndex(({ to }) => to === name))
  return positions.includes(-1) ? [] : positions
}
