/** Streams as stored in the ledger. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { StreamStart, StreamFault } from '../../../model/follow/port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { TableKey } from './owner.ts'

/**
 * `begun`: publication and replication slot are not created completely. `halted`: changes may be
 * missing; the position is kept. `ended`: publication and replication slot are removed.
 */
export type StreamStatus = 'begun' | 'active' | 'halted' | 'ended'

/**
 * `resync`: the table is to be emptied and copied again within the stream. `copying`: no change of the stream is
 * applied to the table. `catchup`: all chunks are copied; changes are applied that may be older than some rows. `live`:
 * the table has the rows of the source as of the applied position.
 */
export type StreamTableState = 'resync' | 'copying' | 'catchup' | 'live'

export type StreamRow = {
  readonly id: string
  readonly status: StreamStatus
  /** URL of the source without password. */
  readonly source: string
  readonly sourceIdentity: string
  /** Options of `copy --follow`, as JSON: `follow RUN` continues with them. */
  readonly wishes: string
  /** Null until publication and replication slot exist. */
  readonly startRecord: StreamStart | null
  /** Reasons why the stream is halted; otherwise empty. */
  readonly faults: readonly StreamFault[]
}

export type StreamTable = {
  readonly key: TableKey
  /** Name of the source's table, by `tableText`. */
  readonly source: string
  /** Number of the table's apply worker. */
  readonly worker: number
  readonly state: StreamTableState
  /** Catch-up position: the table is live once this position is applied; null while the table is copied. */
  readonly fence: LogPosition | null
}

/** Changes by kind. */
export type CountedChanges = { inserts: number; updates: number; deletes: number; truncates: number }

/**
 * A known row count of a table. @property changes counted for the table at that time; if the current count differs,
 * other programs applied changes and `rows` is unknown
 */
export type KnownRowCount = { readonly rows: number; readonly changes: number }

/**
 * Changes applied to a table since it was copied last.
 * @property before counts before the last copy, if the table was copied again within its stream
 * @property held row count at the apply worker's position; absent if unknown
 */
export type ChangeCounts = CountedChanges & { before?: CountedChanges; held?: KnownRowCount }

/** Changes applied to a table since its stream started. @param counts absent if there were none */
export function totalChanges(counts: ChangeCounts | undefined): CountedChanges {
  const { before, held: _held, ...since } = counts ?? { inserts: 0, updates: 0, deletes: 0, truncates: 0 }
  if (before === undefined) return since
  return {
    inserts: before.inserts + since.inserts,
    updates: before.updates + since.updates,
    deletes: before.deletes + since.deletes,
    truncates: before.truncates + since.truncates,
  }
}

/** Number of changes applied since the table was copied last. */
export function countChanges({ inserts, updates, deletes, truncates }: CountedChanges): number {
  return inserts + updates + deletes + truncates
}

/** Known row count of the target table at the apply worker's position; null if the ledger does not have it. */
export function knownRows(counts: ChangeCounts | undefined): number | null {
  const held = counts?.held
  return held === undefined || held.changes !== countChanges(counts as CountedChanges) ? null : held.rows
}

/** Progress of an apply worker. @property counts by name of the source's table */
export type ApplyWorkerRow = {
  /** Number of the worker; 0 for the progress of all workers. */
  readonly worker: number
  readonly position: string
  /** Number of target transactions that have advanced the position. */
  readonly batches: number
  /** Commit time of the last applied transaction, ms since the epoch by the source's clock. */
  readonly commitMs: number | null
  /**
   * Source transactions. A transaction over tables of several apply workers is counted by the worker of its first
   * table.
   */
  readonly transactions: number
  readonly counts: Readonly<Record<string, ChangeCounts>>
}

export const STREAM_COLUMNS = 'stream_id, status, source, source_identity, wishes, birth, fault'

/** @param row values of `STREAM_COLUMNS` */
export function streamOf(row: SqlRow): StreamRow {
  const [id, status, source, identity, options, startRecord, fault] = row
  return {
    id: String(id),
    status: String(status) as StreamStatus,
    source: String(source),
    sourceIdentity: String(identity),
    wishes: String(options),
    startRecord: startRecord == null ? null : (JSON.parse(String(startRecord)) as StreamStart),
    faults: fault == null ? [] : (JSON.parse(String(fault)) as readonly StreamFault[]),
  }
}

export const APPLY_WORKER_COLUMNS = 'lane, log_position, batches, commit_ms, transactions, counts'

/** @param row values of `APPLY_WORKER_COLUMNS` */
export function applyWorkerOf(row: SqlRow): ApplyWorkerRow {
  const [worker, position, batches, commitMs, transactions, counts] = row
  return {
    worker: Number(worker),
    position: String(position),
    batches: Number(batches),
    commitMs: commitMs == null ? null : Number(commitMs),
    transactions: Number(transactions),
    counts: counts == null ? {} : (JSON.parse(String(counts)) as Readonly<Record<string, ChangeCounts>>),
  }
}

/**
 * Joins the progress of all apply workers.
 * @param lanes at least one
 * @returns the position of the slowest worker, and summed counts; a transaction over tables of several workers is
 * counted once
 */
export function joinedApplyWorkers(
  workers: readonly ApplyWorkerRow[],
  positions: { readonly position: (text: string) => LogPosition },
): ApplyWorkerRow {
  const [first, ...others] = workers
  if (first === undefined) throw new Error('a stream has at least one apply worker')
  const at = (text: string): LogPosition => positions.position(text)
  const last = others.reduce((behind, one) => (at(one.position) < at(behind.position) ? one : behind), first)
  return {
    ...last,
    worker: 0,
    batches: workers.reduce((sum, { batches }) => sum + batches, 0),
    transactions: workers.reduce((sum, { transactions }) => sum + transactions, 0),
    counts: Object.assign({}, ...workers.map(({ counts }) => counts)) as ApplyWorkerRow['counts'],
  }
}
