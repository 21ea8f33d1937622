/** Streams as the ledger has them. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { StreamBirth, StreamFault } from '../../../model/follow/port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { TableKey } from './owner.ts'

/**
 * `begun`: publication and slot are being made, or were when its program ended. `halted`: changes may be missing; the position is kept. `ended`: publication and
 * slot are removed.
 */
export type StreamStatus = 'begun' | 'active' | 'halted' | 'ended'

/**
 * `resync`: the table is to be emptied and copied anew within the stream. `copying`: nothing of the stream is applied to the table. `catchup`: all chunks are there, and changes are applied that may be older than some of its rows.
 * `live`: it holds what the source held at the applied position.
 */
export type TableState = 'resync' | 'copying' | 'catchup' | 'live'

export type StreamRow = {
  readonly id: string
  readonly status: StreamStatus
  /** URL of the source without password. */
  readonly source: string
  readonly sourceIdentity: string
  /** What `copy --follow` was asked for, as JSON: `follow RUN` goes on with it. */
  readonly wishes: string
  /** Null until publication and slot are there. */
  readonly birth: StreamBirth | null
  /** Why it is halted; none otherwise. */
  readonly faults: readonly StreamFault[]
}

export type StreamTable = {
  readonly key: TableKey
  /** Name of the source's table, `tableText`. */
  readonly source: string
  readonly lane: number
  readonly state: TableState
  /** The table is live once this position is applied; null while it is copied. */
  readonly fence: LogPosition | null
}

/** Changes by kind. */
export type Counted = { inserts: number; updates: number; deletes: number; truncates: number }

/** Rows that a table held for sure. @property changes that were counted of it by then: where others were since, whoever applied them knew nothing of `rows` */
export type Held = { readonly rows: number; readonly changes: number }

/**
 * Changes that were applied to a table since it was copied last.
 * @property before those before that, where the table was copied anew within its stream
 * @property held as of the lane's position; absent where nobody knows
 */
export type ChangeCounts = Counted & { before?: Counted; held?: Held }

/** Changes that were applied to a table since its stream began. @param counts absent where none were */
export function countedInAll(counts: ChangeCounts | undefined): Counted {
  const { before, held: _held, ...since } = counts ?? { inserts: 0, updates: 0, deletes: 0, truncates: 0 }
  if (before === undefined) return since
  return {
    inserts: before.inserts + since.inserts,
    updates: before.updates + since.updates,
    deletes: before.deletes + since.deletes,
    truncates: before.truncates + since.truncates,
  }
}

/** Changes that were applied since the table was copied last. */
export function changesSince({ inserts, updates, deletes, truncates }: Counted): number {
  return inserts + updates + deletes + truncates
}

/** Rows that the target's table held for sure at the lane's position; null where the ledger does not say. */
export function sureRows(counts: ChangeCounts | undefined): number | null {
  const held = counts?.held
  return held === undefined || held.changes !== changesSince(counts as Counted) ? null : held.rows
}

/** How far a lane has come. @property counts by name of the source's table */
export type LaneRow = {
  readonly lane: number
  readonly position: string
  /** Transactions of the target that have moved it. */
  readonly batches: number
  /** When the last applied transaction was committed, ms since the epoch by the source's clock. */
  readonly commitMs: number | null
  /** Of the source; one that has changed tables of several lanes is counted by the lane of the first of them. */
  readonly transactions: number
  readonly counts: Readonly<Record<string, ChangeCounts>>
}

export const STREAM_COLUMNS = 'stream_id, status, source, source_identity, wishes, birth, fault'

/** @param row values of `STREAM_COLUMNS` */
export function streamOf(row: SqlRow): StreamRow {
  const [id, status, source, identity, wishes, birth, fault] = row
  return {
    id: String(id),
    status: String(status) as StreamStatus,
    source: String(source),
    sourceIdentity: String(identity),
    wishes: String(wishes),
    birth: birth == null ? null : (JSON.parse(String(birth)) as StreamBirth),
    faults: fault == null ? [] : (JSON.parse(String(fault)) as readonly StreamFault[]),
  }
}

export const LANE_COLUMNS = 'lane, log_position, batches, commit_ms, transactions, counts'

/** @param row values of `LANE_COLUMNS` */
export function laneOf(row: SqlRow): LaneRow {
  const [lane, position, batches, commitMs, transactions, counts] = row
  return {
    lane: Number(lane),
    position: String(position),
    batches: Number(batches),
    commitMs: commitMs == null ? null : Number(commitMs),
    transactions: Number(transactions),
    counts: counts == null ? {} : (JSON.parse(String(counts)) as Readonly<Record<string, ChangeCounts>>),
  }
}

/**
 * Lanes as one.
 * @param lanes at least one
 * @returns with the position of the lane that is furthest behind; a transaction that has changed tables of several lanes is counted by one of them
 */
export function joinedLanes(
  lanes: readonly LaneRow[],
  positions: { readonly position: (text: string) => LogPosition },
): LaneRow {
  const [first, ...others] = lanes
  if (first === undefined) throw new Error('a stream has at least one lane')
  const at = (text: string): LogPosition => positions.position(text)
  const last = others.reduce((behind, one) => (at(one.position) < at(behind.position) ? one : behind), first)
  return {
    ...last,
    lane: 0,
    batches: lanes.reduce((sum, { batches }) => sum + batches, 0),
    transactions: lanes.reduce((sum, { transactions }) => sum + transactions, 0),
    counts: Object.assign({}, ...lanes.map(({ counts }) => counts)) as LaneRow['counts'],
  }
}
