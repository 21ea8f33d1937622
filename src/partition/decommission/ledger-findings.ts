/** Ledger data of an old table: its cutover, reverse stream, comparison of its rows, and holds of its archives. */
import { releaseHint } from '../../archive/steps/refusals.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { isoTime } from '../../shared/clock.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { DecommissionFinding } from '../../model/partition/decommission-port.ts'
import { findArchive } from '../../archive/work/find-archive.ts'
import { Ledgers } from '../../archive/work/find-ledger.ts'
import type { CutoverRow } from '../../engine/follow/cutover/cutover-row.ts'
import { hasStreams } from '../../engine/copy/ledger/stream-lookup.ts'

/** The reverse stream of a cutover, according to the ledger. */
export type ReverseStream = {
  /** True if a stream may still write to the old table. */
  readonly isWanted: boolean
  /** When the reverse stream ended, ms; null if it has not ended, or if unknown. */
  readonly endedMs: number | null
  readonly findings: readonly DecommissionFinding[]
}

export function switchFinding({ turn, switchedMs, publicTable, oldTable }: CutoverRow): DecommissionFinding {
  return {
    verdict: 'fine',
    about: 'switch',
    detail: `cutover ${turn} at ${isoTime(switchedMs ?? 0)} gave the name ${publicTable} to another table, and renamed the old one to ${oldTable}`,
  }
}

/** Finding about the grace period. @param end of the grace period, ms @param what what is dropped after its end */
export function graceFinding(end: number, nowMs: number, what: 'table' | 'database'): DecommissionFinding {
  const isOver = end <= nowMs
  return {
    verdict: isOver ? 'fine' : 'waits',
    about: 'grace',
    detail: isOver ? `ended at ${isoTime(end)}` : `ends at ${isoTime(end)}: the ${what} is not dropped before`,
  }
}

/** State of the reverse stream, with findings about it and about the last comparison of both tables. */
export async function reverseStreamOf(database: LedgerDatabase, row: CutoverRow): Promise<ReverseStream> {
  const [found] = (await hasStreams(database))
    ? await database.all('SELECT status, ended_ms FROM migration_streams WHERE stream_id = ?', [row.reverse])
    : []
  if (found === undefined) {
    return {
      isWanted: false,
      endedMs: null,
      findings: [
        {
          verdict: 'not known',
          about: 'reverse stream',
          object: row.reverse,
          detail: 'the ledger has no such stream: it is unknown whether the old table was kept equal',
        },
      ],
    }
  }
  const [status, ended] = found
  if (status !== 'ended') {
    return {
      isWanted: true,
      endedMs: null,
      findings: [
        {
          verdict: 'refused',
          about: 'reverse stream',
          object: row.reverse,
          detail: `it is ${String(status)}, and keeps the table equal for cutover --revert`,
          hint: `run sluice follow ${row.reverse} --end to end the reverse stream`,
        },
      ],
    }
  }
  return {
    isWanted: false,
    endedMs: ended == null ? null : Number(ended),
    findings: [
      {
        verdict: 'fine',
        about: 'reverse stream',
        object: row.reverse,
        detail: 'has ended: a cutover --revert is not possible',
      },
      await comparisonFinding(database, row.reverse),
    ],
  }
}

/** Finding about the last comparison of the old and the public table, and about changes applied after it. */
async function comparisonFinding(database: LedgerDatabase, stream: string): Promise<DecommissionFinding> {
  const about = 'rows'
  const [waiting] = await database.all('SELECT count(*) FROM migration_stream_rereads WHERE stream_id = ?', [stream])
  if (Number(waiting?.[0]) > 0) {
    return {
      verdict: 'look',
      about,
      detail: `${String(waiting?.[0])} rows were not read again from the public table before the stream ended`,
    }
  }
  const [proof] = await database.all(
    `SELECT log_position, target_rows, differing, unread, proved_ms FROM migration_stream_proofs WHERE stream_id = ? ORDER BY proved_ms DESC, proof_id LIMIT 1`,
    [stream],
  )
  const [worker] = await database.all(
    'SELECT log_position FROM migration_stream_lanes WHERE stream_id = ? ORDER BY lane LIMIT 1',
    [stream],
  )
  const end = worker === undefined ? 'an unknown position' : String(worker[0])
  if (proof === undefined) {
    return {
      verdict: 'not known',
      about,
      detail: `the stream applied changes up to ${end}; its rows were never compared with those of the public table`,
    }
  }
  const [position, rows, differing, unread, at] = proof
  if (Number(differing) + Number(unread) > 0) {
    return {
      verdict: 'look',
      about,
      detail: `${String(differing)} rows differed and ${String(unread)} could not be read at ${isoTime(Number(at))} (${String(position)})`,
    }
  }
  const equal = `${String(rows)} rows were equal to those of the public table at ${isoTime(Number(at))} (${String(position)})`
  if (String(position) === end) return { verdict: 'fine', about, detail: `${equal}, where the stream ended` }
  return {
    verdict: 'not known',
    about,
    detail: `${equal}; changes up to ${end} were applied after that, and not compared`,
  }
}

/** Findings about holds on archives of this table: under its old name, or under the public name that it had before. */
export async function archiveHolds(
  { copies, oldTable, heir }: { readonly copies: CopyStore; readonly oldTable: TableName; readonly heir: TableName },
  identity: string,
  signal: AbortSignal,
): Promise<readonly DecommissionFinding[]> {
  const found: DecommissionFinding[] = []
  await using ledgers = await Ledgers.open(copies, false)
  for (const table of [oldTable, heir]) {
    const { record } = await findArchive({ store: copies, ledgers }, table, signal)
    for (const { label, held, native } of record?.partitions ?? []) {
      if (held === null) continue
      const isHere = table === oldTable || native === null || native.identity === identity
      found.push({
        verdict: isHere ? 'refused' : 'fine',
        about: 'hold',
        object: `${tableText(table)} ${label}`,
        detail: isHere ? `it is held: ${held}` : `a partition of the public table is held: ${held}`,
        ...(isHere ? { hint: releaseHint(tableText(table), label) } : {}),
      })
    }
  }
  return found
}
