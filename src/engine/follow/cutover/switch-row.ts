/** Switches as the ledger has them: one row for each turn, forward and back. */
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'

/**
 * `preparing`: slot and publication of the reverse stream are being made, nothing has changed places. `switched`: the other table has the public name, and what the
 * stream before has left at the source is still there. `done`: that is removed, too. `given up`: it did not happen, and nothing of it is left.
 *
 * Between two databases also: `closing`: the table of the source may be closed. `closed`: it is, and its fence is known. `proved`: both tables are equal as of the
 * fence, and only the target is to be opened. `announced`: it is open, and users know its address.
 */
export type SwitchStatus =
  'preparing' | 'closing' | 'closed' | 'proved' | 'switched' | 'announced' | 'done' | 'given up'

/** Whether the table that gets the public name has it. */
export function hasSwitched(status: SwitchStatus): boolean {
  return status === 'switched' || status === 'announced' || status === 'done'
}

/** Whether a program makes it, or was killed while it did. */
export function isUnderWay(status: SwitchStatus): boolean {
  return status !== 'given up' && !hasSwitched(status)
}

export type SwitchRow = {
  readonly id: string
  /** The stream that filled the table which got the public name. */
  readonly stream: string
  /** The stream that keeps the parked table equal since. */
  readonly reverse: string
  /** From 1; odd turns go forward, even ones back. */
  readonly turn: number
  readonly status: SwitchStatus
  /** Names with their schema, as `tableText` writes them: the public one, the one that the new table had before, and the one that the old table got. */
  readonly publicTable: string
  readonly takenTable: string
  readonly parkedTable: string
  /** Position up to which the stream before was applied; null before the switch. */
  readonly position: string | null
  /** Position from which the reverse stream tells. */
  readonly reversePosition: string | null
  readonly tries: number
  /** Longest that anybody may have waited for it, ms. */
  readonly pauseMs: number | null
  readonly switchedMs: number | null
  readonly actor: string
  /** Its tables are in two databases, and this ledger is in the one that is opened. `parkedTable` is then a table of the other one. */
  readonly isBetween: boolean
}

/** First characters of the document of a switch between two databases. */
export const BETWEEN = '{"format":"sluice-cutover-between"'

const COLUMNS =
  'switch_id, stream_id, reverse_stream_id, turn, status, public_table, taken_table, parked_table, log_position, reverse_position, tries, pause_ms, switched_ms, actor'

const IS_BETWEEN = `CASE WHEN document LIKE '${BETWEEN}%' THEN 1 ELSE 0 END`

/** Those that happened or are about to, the oldest first; none in a ledger that knows of none. */
export async function readSwitches(database: LedgerDatabase): Promise<readonly SwitchRow[]> {
  const there = await database.all(ledgerDialect(database.dialect).columns, ['migration_switches'])
  if (there.length === 0) return []
  const rows = await database.all(
    `SELECT ${COLUMNS}, ${IS_BETWEEN} FROM migration_switches WHERE status <> 'given up' ORDER BY begun_ms, switch_id`,
  )
  return rows.map(rowOf)
}

function rowOf(row: SqlRow): SwitchRow {
  const [
    id,
    stream,
    reverse,
    turn,
    status,
    publicTable,
    taken,
    parked,
    position,
    back,
    tries,
    pause,
    at,
    actor,
    between,
  ] = row
  return {
    id: String(id),
    stream: String(stream),
    reverse: String(reverse),
    turn: Number(turn),
    status: String(status) as SwitchStatus,
    publicTable: String(publicTable),
    takenTable: String(taken),
    parkedTable: String(parked),
    position: position == null ? null : String(position),
    reversePosition: back == null ? null : String(back),
    tries: Number(tries ?? 0),
    pauseMs: pause == null ? null : Number(pause),
    switchedMs: at == null ? null : Number(at),
    actor: String(actor ?? ''),
    isBetween: Number(between ?? 0) === 1,
  }
}
