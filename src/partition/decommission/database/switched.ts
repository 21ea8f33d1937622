/** Which tables of a database have given their users to tables of another one, by a switch between both. */
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { tableKeyOf, type TableKey } from '../../../engine/copy/ledger/owner.ts'
import { documentOf } from '../../../engine/follow/cutover/between/document.ts'
import { BETWEEN } from '../../../engine/follow/cutover/switch-row.ts'

export type LastSwitch = {
  readonly turn: number
  /** The table that was closed, in the database that is to go, and the one that was opened. */
  readonly closes: TableKey
  readonly opens: TableKey
  /** Equal ones of both sides at the switch. */
  readonly rows: string
  /** When it happened. */
  readonly ms: number
}

/** The last one of each table. @param database ledger of the one that was opened @param identity of the one that is to go */
export async function switchesOut(database: LedgerDatabase, identity: string): Promise<readonly LastSwitch[]> {
  const { columns, types } = ledgerDialect(database.dialect)
  if ((await database.all(columns, ['migration_switches'])).length === 0) return []
  const rows = await database.all(
    `SELECT turn, CAST(proved_rows AS ${types.castText}), switched_ms, document FROM migration_switches
     WHERE status IN ('switched', 'announced', 'done') AND document LIKE '${BETWEEN}%' ORDER BY switched_ms`,
  )
  const last = new Map<string, LastSwitch>()
  for (const [turn, proved, ms, text] of rows) {
    const { closes, opens } = documentOf(String(text))
    if (closes.identity !== identity) continue
    const [from, to] = [tableKeyOf(closes.table), tableKeyOf(opens.table)]
    const one = { turn: Number(turn), closes: from, opens: to, rows: String(proved ?? 0), ms: Number(ms) }
    last.set(JSON.stringify([from.schema, from.name]), one)
  }
  return [...last.values()]
}
