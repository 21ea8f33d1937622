/** Reads and writes of an old table since its counters were recorded. */
import { isoTime } from '../../shared/clock.ts'
import type { DecommissionFinding, TableUse } from '../../model/partition/decommission-port.ts'
import type { DecommissionRow } from './decommission-ledger.ts'

/** Finding about reads and writes of the old table since its counters were recorded. */
export type UseSince = {
  readonly finding: DecommissionFinding
  /** True if the counters must be recorded now, because no earlier record is comparable. */
  readonly mustRecordUse: boolean
}

/**
 * Finds reads and writes by other programs. The reverse stream and the last copy use the table themselves, so only
 * counters that were recorded after both are compared.
 * @param ended end of the reverse stream, ms; null if unknown
 */
export function useSince(
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
