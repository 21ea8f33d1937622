/** Streams, cutovers and archives that still need a database, according to the ledgers of both sides. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { DecommissionFinding } from '../../../model/partition/decommission-port.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { tableOfKey, type TableKey } from '../../../engine/copy/ledger/owner.ts'
import { schemaText } from '../../../engine/copy/ledger/other-ledgers.ts'
import type { LocatedLedger } from '../../../engine/run/ledger-places.ts'
import type { Ledgers } from '../../../archive/work/find-ledger.ts'
import { hasSwitched, isUnderWay, readCutovers, type CutoverRow } from '../../../engine/follow/cutover/cutover-row.ts'
import { hasStreams } from '../../../engine/copy/ledger/stream-lookup.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { switchesOut } from './moved.ts'

/** Findings from a ledger of the database that the tables moved to. @param identity of the database to remove */
export async function findDependentsInTarget(
  place: LocatedLedger,
  identity: string,
): Promise<readonly DecommissionFinding[]> {
  const { database } = place
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
      hint: `sluice follow ${String(id)} --end${ofSchema(place)}`,
    })),
    ...(await cutoverFindings(place, identity)),
  ]
}

/** Findings from a ledger in the database itself. @param to where the tables moved @param target the ledger of `to` */
export async function findDependentsInside(
  place: LocatedLedger,
  to: CopyStore,
  target: LedgerDatabase,
): Promise<readonly DecommissionFinding[]> {
  const { database, store } = place
  const streams = (await hasStreams(database))
    ? await database.all(
        `SELECT stream_id, status, source_identity FROM migration_streams WHERE status <> 'ended' ORDER BY stream_id`,
      )
    : []
  // A stream in this ledger writes into --from of this command and usually reads from --to: the hint names both URLs.
  const source = (identity: unknown): string => (identity === to.identity ? shellQuote(to.label) : 'SOURCE')
  return [
    ...streams.map(([id, status, identity]): DecommissionFinding => ({
      verdict: 'refused',
      about: 'stream',
      object: String(id),
      detail: `it is ${String(status)}, writes into this database, and its ledger is here`,
      hint: `sluice follow ${String(id)} --end --from ${source(identity)} --to ${shellQuote(store.label)} ends it: cutover --revert is then not possible${ofSchema(place)}`,
    })),
    ...(await cutoverFindings(place, null)),
    ...(await cutoversInto(place, to, target)),
  ]
}

/**
 * Cutovers that are in progress or not cleaned up, and cutovers whose reverse stream has not ended.
 * @param identity only cutovers that move writers out of the database with this identity; null for all of the ledger
 */
async function cutoverFindings(place: LocatedLedger, identity: string | null): Promise<readonly DecommissionFinding[]> {
  const { database } = place
  const last = new Map((await readCutovers(database)).map((row) => [row.publicTable, row]))
  if (last.size === 0 || !(await hasStreams(database))) return []
  const found: DecommissionFinding[] = []
  for (const { publicTable, status, reverse, stream, isBetween } of last.values()) {
    const sql = 'SELECT stream_id, status, source_identity FROM migration_streams WHERE stream_id = ? OR stream_id = ?'
    const streams = await database.all(sql, [stream, reverse])
    if (identity !== null && !streams.some(([, , source]) => source === identity)) continue
    const back = streams.find(([id]) => id === reverse)
    // Until a cutover between two databases is done, its reverse stream is possibly not recorded in this ledger.
    if (isUnderWay(status) || (isBetween && status !== 'done')) {
      const detail = `a cutover of this table is ${status}, not done`
      found.push(
        refused(
          'switch',
          publicTable,
          detail,
          `run sluice cutover ${stream} to finish it or give it up${ofSchema(place)}`,
        ),
      )
    } else if (back !== undefined && back[1] !== 'ended') {
      const detail = `it is ${String(back[1])}, and keeps cutover --revert of ${publicTable} possible`
      found.push(
        refused(
          'reverse stream',
          reverse,
          detail,
          `run sluice follow ${reverse} --end to end the reverse stream${ofSchema(place)}`,
        ),
      )
    }
  }
  return found
}

/** Cutovers that moved writers into this database, and were not reversed by a later one. */
async function cutoversInto(
  { database: inside, store }: LocatedLedger,
  to: CopyStore,
  target: LedgerDatabase,
): Promise<readonly DecommissionFinding[]> {
  const away = new Set(
    (await readCutovers(target)).filter(({ status }) => hasSwitched(status)).map(({ stream }) => stream),
  )
  const follows = (await hasStreams(target))
    ? new Set(
        (await target.all(`SELECT stream_id FROM migration_streams WHERE status <> 'ended'`)).map(([id]) => String(id)),
      )
    : new Set<string>()
  // After a move that was given up, the cutovers of the next move have no stream in common with those before.
  const later = await switchesOut(target, store.identity)
  const wentAway = ({ publicTable, reverse }: CutoverRow): boolean =>
    away.has(reverse) ||
    later.some((out) => isOfTable(out.closes, publicTable) && BigInt(out.reverse) > BigInt(reverse))
  return (await readCutovers(inside))
    .filter((row) => row.isBetween && hasSwitched(row.status) && !wentAway(row))
    .map(({ turn, publicTable, reverse }) => {
      const detail = `cutover ${turn} moved its users into this database, and no later one moved them away`
      return refused(
        'switch',
        publicTable,
        detail,
        follows.has(reverse)
          ? `sluice cutover ${reverse} moves its users to the other database first`
          : `no stream reads from this database any more: retire the other one, with --from and --to exchanged, or move the table again: sluice copy --follow --from ${shellQuote(store.label)} --to ${shellQuote(to.label)} --tables ${shellQuote(publicTable)}, then a cutover`,
      )
    })
}

function isOfTable(key: TableKey, name: string): boolean {
  return tableText(tableOfKey(key)) === name
}

/** End of a hint: the URL parameter that names a ledger outside of the login's own schema; empty for its own schema. */
function ofSchema(place: LocatedLedger): string {
  const text = schemaText(place)
  return text === '' ? '' : `; with ${text} at the end of the URL of the database whose ledger has it`
}

function refused(about: string, object: string, detail: string, hint: string): DecommissionFinding {
  return { verdict: 'refused', about, object, detail, hint }
}

/** Archives whose ledger is in the database: without this ledger, their content and holds are unknown. */
export async function archivesInside(
  ledgers: Ledgers,
  { to, signal }: { readonly to: CopyStore; readonly signal: AbortSignal },
): Promise<readonly DecommissionFinding[]> {
  const unread = (await ledgers.unread(signal)).map((schema) =>
    refused(
      'archive',
      schema,
      'this schema has a ledger of archives that this login cannot read',
      'connect as its owner or as a superuser; or add --leave migration_archives',
    ),
  )
  const archives = (await ledgers.tables(signal)).map(({ table, archive }) => {
    const place = ` --to ${shellQuote(redactUrl(archive))}`
    return refused(
      'archive',
      tableText(table),
      `the ledger of its archive ${archive} is in this database`,
      `sluice archive adopt${place} --table ${shellQuote(tableText(table))} --from ${shellQuote(to.label)} gives the archive to the ledger of the other database; or add --leave migration_archives`,
    )
  })
  return [...unread, ...archives]
}
