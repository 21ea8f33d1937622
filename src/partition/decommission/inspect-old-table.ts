/** Collects all findings about an old table before its removal. */
import { changesBy } from '../../model/copy/offers.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type {
  CutoverTables,
  DecommissionFinding,
  DecommissionStore,
  TableUse,
} from '../../model/partition/decommission-port.ts'
import { allLedgers, DAMAGED_HINT, schemaText, type UnreadLedger } from '../../engine/copy/ledger/other-ledgers.ts'
import { tableKeyOf } from '../../engine/copy/ledger/owner.ts'
import type { CutoverRow } from '../../engine/follow/cutover/cutover-row.ts'
import { streamsIntoTables } from '../../engine/copy/ledger/stream-lookup.ts'
import type { DecommissionRow } from './decommission-ledger.ts'
import { graceFinding, archiveHolds, switchFinding, reverseStreamOf } from './ledger-findings.ts'
import { otherOldTable } from './refusals.ts'
import { isoTime } from '../../shared/clock.ts'

export type InspectOptions = {
  readonly row: CutoverRow
  readonly oldTable: TableName
  /** Both tables of the cutover, according to its document. */
  readonly tables: CutoverTables
  readonly store: DecommissionStore
  readonly copies: CopyStore
  readonly database: LedgerDatabase
  readonly steps: readonly DecommissionRow[]
  readonly graceMs: number
}

export type InspectedOldTable = {
  readonly identity: string
  readonly findings: readonly DecommissionFinding[]
  readonly use: TableUse
  /** True if the use counters must be recorded now, because no earlier record can be compared with them. */
  readonly mustRecordUse: boolean
  /** True if the reverse stream may still write to the old table. */
  readonly isWanted: boolean
  /** End of the grace period, ms; null if it is over. */
  readonly graceEndMs: number | null
}

/** Inspects an old table; read-only. @throws SluiceError SOURCE_GONE, PLAN_CHANGED, CONNECTION_LOST */
export async function inspect(options: InspectOptions, signal: AbortSignal): Promise<InspectedOldTable> {
  const { row, oldTable, tables, store, copies, database, steps, graceMs } = options
  const found = await store.inspect(tables, signal)
  if (found === 'gone') {
    throw new SluiceError('SOURCE_GONE', `${tableText(oldTable)} does not exist`, {
      where: copies.label,
      reason: 'according to the ledger it is an old table that sluice has not dropped',
      hint: 'another user renamed or dropped it: restore its name, then run the same command again',
    })
  }
  if (found === 'other') throw otherOldTable(tableText(oldTable))
  const back = await reverseStreamOf(database, row)
  const since = useSince(found.use, found.identity, steps, back)
  const graceEndMs = (row.switchedMs ?? 0) + graceMs
  return {
    identity: found.identity,
    findings: [
      switchFinding(row),
      graceFinding(graceEndMs, found.nowMs, 'table'),
      ...back.findings,
      ...(await otherStreams(options, signal)),
      ...(await archiveHolds({ copies, oldTable, heir: tables.heir.name }, found.identity, signal)),
      since.finding,
      ...found.findings,
    ],
    use: found.use,
    mustRecordUse: since.mustRecordUse,
    isWanted: back.isWanted,
    graceEndMs: graceEndMs <= found.nowMs ? null : graceEndMs,
  }
}

/** Findings about streams that still write to the table, or read from it. */
async function otherStreams(
  { row, oldTable, copies, database }: InspectOptions,
  signal: AbortSignal,
): Promise<readonly DecommissionFinding[]> {
  const found: DecommissionFinding[] = []
  await using ledgers = await allLedgers(copies, database, signal)
  for (const place of ledgers.places) {
    const into = await streamsIntoTables(place.database, [tableKeyOf(oldTable)])
    for (const { id } of into.filter((one) => place.schema !== '' || one.id !== row.reverse)) {
      const url = schemaText(place)
      const hint = `sluice follow ${id} --end${url === '' ? '' : `; with ${url} at the end of the URL of the database`}`
      found.push({ verdict: 'refused', about: 'stream', object: id, detail: 'it writes into the table', hint })
    }
  }
  for (const one of ledgers.unread) found.push(unreadLedger(one))
  for (const cdc of ['slot', 'trigger'] as const) {
    const source = changesBy(cdc, copies)
    for (const out of (await source?.streamsOf?.(oldTable, signal)) ?? []) {
      found.push({
        verdict: 'refused',
        about: 'stream',
        object: out,
        detail: 'it reads from the table',
        hint:
          source?.endByHand?.(out) ??
          `sluice follow ${out.slice(out.lastIndexOf('_') + 1)} --end, or sluice slots --drop ${out}`,
      })
    }
  }
  return found
}

/** Finding for a ledger of copies and streams that cannot be read, or is damaged. */
export function unreadLedger({ schema, damage }: UnreadLedger): DecommissionFinding {
  return {
    verdict: 'refused',
    about: 'ledger',
    object: schema,
    detail: `this schema has a ledger of copies and streams that ${damage === null ? 'this login cannot read' : `cannot be used (${damage.message})`}: it is unknown whether one of them is still needed`,
    hint:
      damage !== null
        ? DAMAGED_HINT
        : 'connect as its owner or as a superuser, or GRANT USAGE ON SCHEMA and SELECT ON ALL TABLES IN SCHEMA of it to this login',
  }
}

// Reads and writes of an old table since its counters were recorded.

/** Finding about reads and writes of the old table since its counters were recorded. */
type UseSince = {
  readonly finding: DecommissionFinding
  /** True if the counters must be recorded now, because no earlier record is comparable. */
  readonly mustRecordUse: boolean
}

/**
 * Finds reads and writes by other programs. The reverse stream and the last copy use the table themselves, so only
 * counters that were recorded after both are compared.
 * @param ended end of the reverse stream, ms; null if unknown
 */
function useSince(
  use: TableUse,
  identity: string,
  steps: readonly DecommissionRow[],
  { isWanted, endedMs }: { readonly isWanted: boolean; readonly endedMs: number | null },
): UseSince {
  const about = 'reads and writes'
  if (isWanted) {
    return {
      finding: { verdict: 'not known', about, detail: 'the reverse stream uses the table itself' },
      mustRecordUse: !steps.some(({ step }) => step === 'looked'),
    }
  }
  const copied = steps.findLast(({ step }) => step === 'archived')
  const since = copied === undefined ? 0 : steps.indexOf(copied)
  const notes = steps.slice(since).filter(({ step, detail }) => step === 'looked' && detail.streamEnded === true)
  const note = notes.find((one) => isComparable(one, use, identity))
  const last = lastRead(use, endedMs === null ? null : Math.max(endedMs, copied?.doneMs ?? 0))
  if (note?.detail.use === undefined) {
    const why =
      notes.length === 0
        ? `the counters of the table were not recorded since ${copied === undefined ? 'the reverse stream ended' : 'its last copy'}`
        : 'the server has reset its counters since they were recorded'
    return {
      finding: { verdict: last === null ? 'not known' : 'look', about, detail: last ?? why },
      mustRecordUse: true,
    }
  }
  const reads = BigInt(use.reads) - BigInt(note.detail.use.reads)
  const writes = BigInt(use.writes) - BigInt(note.detail.use.writes)
  const isUsed = reads + writes > 0n
  return {
    finding: {
      verdict: isUsed || last !== null ? 'look' : 'fine',
      about,
      detail: `${String(reads)} reads and ${String(writes)} written rows since ${isoTime(note.doneMs)}${last === null ? '' : `; ${last}`}`,
      ...(isUsed || last !== null ? { hint: 'find the program that still uses the table before it is dropped' } : {}),
    },
    mustRecordUse: false,
  }
}

function isComparable({ identity: noted, detail: { use } }: DecommissionRow, now: TableUse, identity: string): boolean {
  return (
    use !== undefined &&
    noted === identity &&
    use.resetAt === now.resetAt &&
    BigInt(use.reads) <= BigInt(now.reads) &&
    BigInt(use.writes) <= BigInt(now.writes)
  )
}

/** Text about a read later than sluice's last read, if the server records times; otherwise null. */
function lastRead({ lastReadMs }: TableUse, endedMs: number | null): string | null {
  if (lastReadMs == null || endedMs === null || lastReadMs <= endedMs) return null
  return `the last read was at ${isoTime(lastReadMs)}, and not by sluice`
}
