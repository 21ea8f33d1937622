/** Streams, switches and archives that still want a database, as the ledgers on both sides know. */
import type { LedgerDatabase } from '../../../stores/copy-port.ts'
import type { DecommissionFinding } from '../../../stores/decommission-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { readSwitches } from '../../cutover/switch-row.ts'
import { hasStreams } from '../../follow/ledger/streams.ts'

/** By the ledger that the tables have moved to. @param identity of the database that is to go */
export async function wantedByTarget(
  database: LedgerDatabase,
  identity: string,
): Promise<readonly DecommissionFinding[]> {
  const streams = (await hasStreams(database))
    ? await database.all(
        `SELECT stream_id, status FROM migration_streams WHERE source_identity = ? AND status <> 'ended' ORDER BY stream_id`,
        [identity],
      )
    : []
  return [
    ...streams.map(([id, status]): DecommissionFinding => ({
      verdict: 'refused',
      about: 'stream',
      object: String(id),
      detail: `it is ${String(status)}, and reads from this database`,
      hint: `sluice follow ${String(id)} --end`,
    })),
    ...(await waysBack(database, identity)),
  ]
}

/** By a ledger that is in the database itself. */
export async function wantedInside(database: LedgerDatabase): Promise<readonly DecommissionFinding[]> {
  const streams = (await hasStreams(database))
    ? await database.all(`SELECT stream_id, status FROM migration_streams WHERE status <> 'ended' ORDER BY stream_id`)
    : []
  return [
    ...streams.map(([id, status]): DecommissionFinding => ({
      verdict: 'refused',
      about: 'stream',
      object: String(id),
      detail: `it is ${String(status)}, writes into this database, and its ledger is here`,
      hint: `sluice follow ${String(id)} --end, which gives up a way back that it keeps`,
    })),
    ...(await waysBack(database, null)),
  ]
}

/**
 * Switches that are being prepared, whose reverse stream has not ended, or which have gone back.
 * @param identity of the database on one side of them; null for all that the ledger has
 */
async function waysBack(database: LedgerDatabase, identity: string | null): Promise<readonly DecommissionFinding[]> {
  const last = new Map((await readSwitches(database)).map((row) => [row.publicTable, row]))
  if (last.size === 0 || !(await hasStreams(database))) return []
  const found: DecommissionFinding[] = []
  for (const { publicTable, status, reverse, stream, turn } of last.values()) {
    const sql = 'SELECT stream_id, status, source_identity FROM migration_streams WHERE stream_id = ? OR stream_id = ?'
    const streams = await database.all(sql, [stream, reverse])
    if (identity !== null && !streams.some(([, , source]) => source === identity)) continue
    const back = streams.find(([id]) => id === reverse)
    const refused = (about: string, object: string, detail: string, hint: string): void =>
      void found.push({ verdict: 'refused', about, object, detail, hint })
    if (status === 'preparing') {
      const hint = 'sluice cutover finishes it or gives it up'
      refused('switch', publicTable, 'a switch of this table is being prepared', hint)
    } else if (back !== undefined && back[1] !== 'ended') {
      const detail = `it is ${String(back[1])}, and keeps the way back of ${publicTable} open`
      refused('reverse stream', reverse, detail, `sluice follow ${reverse} --end gives up the way back`)
    } else if (identity !== null && turn % 2 === 0) {
      const detail = `turn ${turn} has gone back: users work in this database again`
      refused('switch', publicTable, detail, 'sluice cutover lets the other database take over first')
    }
  }
  return found
}

/** Archives whose ledger is in the database: without it nobody knows what is in them and what holds them. */
export async function archivesInside(database: LedgerDatabase): Promise<readonly DecommissionFinding[]> {
  const { columns } = ledgerDialect(database.dialect)
  if ((await database.all(columns, ['migration_archives'])).length === 0) return []
  const rows = await database.all('SELECT schema_name, table_name, archive FROM migration_archives ORDER BY 1, 2')
  return rows.map(([schema, name, archive]) => ({
    verdict: 'refused',
    about: 'archive',
    object: `${String(schema)}.${String(name)}`,
    detail: `the ledger of its archive ${String(archive)} is in this database`,
    hint: 'sluice archive adopt gives the archive to the ledger of another database; or say --leave migration_archives',
  }))
}
