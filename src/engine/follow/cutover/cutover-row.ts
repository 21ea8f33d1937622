/** Cutovers in the ledger: one row per cutover, forward or back. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { hasTable } from '../../copy/ledger/statement.ts'
import { textOrNull, numberOrNull } from '../../../stores/common/cells.ts'

/**
 * `preparing`: slot and publication of the reverse stream are being created, no table is switched. `switched`: the
 * other table has the public name; the earlier stream's slot and publication still exist at the source. `done`: those
 * are removed, too. `given up`: the cutover did not happen, and all that it created is removed.
 * Between two databases also: `closing`: the source's table may be closed to writers. `closed`: the table is closed,
 * and the position up to which the stream must be applied is known. `proved`: both tables are equal as of that
 * position, and only the target remains to be opened. `announced`: the target is open, and users know its address.
 */
export type CutoverStatus =
  'preparing' | 'closing' | 'closed' | 'proved' | 'switched' | 'announced' | 'done' | 'given up'

/** True if the cutover has happened: writers use the other table. */
export function hasSwitched(status: CutoverStatus): boolean {
  return status === 'switched' || status === 'announced' || status === 'done'
}

/** True if a program is making the cutover, or was killed while making it. */
export function isUnderWay(status: CutoverStatus): boolean {
  return status !== 'given up' && !hasSwitched(status)
}

/** True if no step of the cutover is left. */
export function isOver(status: CutoverStatus): boolean {
  return status === 'done' || status === 'given up'
}

export type CutoverRow = {
  readonly id: string
  /** The stream into the table that got the public name. */
  readonly stream: string
  /** The reverse stream: it applies changes of the new table to the old one after the cutover. */
  readonly reverse: string
  /** Number from 1; odd cutovers go forward, even ones back. */
  readonly turn: number
  readonly status: CutoverStatus
  /** Names with schema, as `tableText`: the public name, the new table's earlier name, the old table's name. */
  readonly publicTable: string
  readonly takenTable: string
  readonly oldTable: string
  /** Position up to which the earlier stream was applied; null before the switch. */
  readonly position: string | null
  /** Position at which the reverse stream starts. */
  readonly reversePosition: string | null
  readonly tries: number
  /** Longest time that a session may have waited for the cutover, ms. */
  readonly pauseMs: number | null
  readonly switchedMs: number | null
  readonly actor: string
  /** True between two databases: the ledger is in the database that writers move to, `oldTable` is in the other one. */
  readonly isBetween: boolean
  /** True if the duration of an attempt is unknown, so that `pauseMs` is a lower bound. */
  readonly isLeast: boolean
}

/** First characters of the document of a cutover between two databases. */
export const BETWEEN_FORMAT = '{"format":"sluice-cutover-between"'

const COLUMNS =
  'switch_id, stream_id, reverse_stream_id, turn, status, public_table, taken_table, parked_table, log_position, reverse_position, tries, pause_ms, switched_ms, actor'

/** Quotes of a text in JSON are escaped, so no text matches. */
const IS_LEAST = `CASE WHEN document LIKE '%"isLeast":true%' THEN 1 ELSE 0 END`

const IS_BETWEEN = `CASE WHEN document LIKE '${BETWEEN_FORMAT}%' THEN 1 ELSE 0 END`

/** Cutovers that happened or are under way, oldest first; empty if the ledger has no such table. */
export async function readCutovers(database: LedgerDatabase): Promise<readonly CutoverRow[]> {
  if (!(await hasTable(database, 'migration_switches'))) return []
  const rows = await database.all(
    `SELECT ${COLUMNS}, ${IS_BETWEEN}, ${IS_LEAST} FROM migration_switches WHERE status <> 'given up' ORDER BY begun_ms, switch_id`,
  )
  return rows.map(rowOf)
}

/** The document of a cutover; null if it wrote none. */
export async function storedDocument(database: LedgerDatabase, id: string): Promise<string | null> {
  const [row] = await database.all('SELECT document FROM migration_switches WHERE switch_id = ?', [id])
  return row?.[0] == null ? null : String(row[0])
}

function rowOf(row: SqlRow): CutoverRow {
  const [
    id,
    stream,
    reverse,
    turn,
    status,
    publicTable,
    taken,
    oldTable,
    position,
    back,
    tries,
    pause,
    at,
    actor,
    between,
    least,
  ] = row
  return {
    id: String(id),
    stream: String(stream),
    reverse: String(reverse),
    turn: Number(turn),
    status: String(status) as CutoverStatus,
    publicTable: String(publicTable),
    takenTable: String(taken),
    oldTable: String(oldTable),
    position: textOrNull(position),
    reversePosition: textOrNull(back),
    tries: Number(tries ?? 0),
    pauseMs: numberOrNull(pause),
    switchedMs: numberOrNull(at),
    actor: String(actor ?? ''),
    isBetween: Number(between ?? 0) === 1,
    isLeast: Number(least ?? 0) === 1,
  }
}
