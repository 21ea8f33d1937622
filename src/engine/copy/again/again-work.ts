/** Work of `copy --again` on one table: chunks left to compare, and results so far. */
import { dec, type CopyAgain } from '../../../model/run/event.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { rowCountText } from '../chunk/rows-text.ts'
import { expiredCaution } from '../diff/expiry.ts'
import { NumberSet } from './numbers.ts'

/** Counts of one table. */
export type AgainTally = {
  /** Chunks compared. */
  compared: bigint
  /** Compared chunks with rows that were written, removed or quarantined, or are open. */
  differed: bigint
  /** Rows written. */
  mended: bigint
  removed: bigint
  /** Rows that only the target has, and that stay. */
  extra: bigint
  /** Rows of the source that are missing or different in the target. */
  open: bigint
  /** Open rows with values that the target wrote later than the source. */
  newer: bigint
}

export type AgainWork = {
  /** Numbers of chunks still to be compared. */
  readonly left: NumberSet
  /** Ids of chunks that were compared and proved; their current state is in the ledger. */
  readonly proved: NumberSet
  /** Ids of compared chunks that have open rows or are not proved for another reason. */
  readonly open: NumberSet
  /** Rows written per chunk id; only chunks of which rows were written. */
  readonly mended: Map<number, bigint>
  /** Ids of the read views of the source in which open rows were read. */
  readonly views: Set<string>
  readonly tally: AgainTally
}

/** Returns empty work. The caller adds the chunks that earlier runs completed. */
export function againWork(): AgainWork {
  return {
    left: new NumberSet(),
    proved: new NumberSet(),
    open: new NumberSet(),
    mended: new Map(),
    views: new Set(),
    tally: { compared: 0n, differed: 0n, mended: 0n, removed: 0n, extra: 0n, open: 0n, newer: 0n },
  }
}

/**
 * A chunk as this run reports it: pending until it is compared. Of a compared chunk, `written` is the number of rows
 * that this run wrote, and `skipped` the number of equal rows.
 */
export function asCompared(chunk: StoredChunk, { left, proved, open, mended: repaired }: AgainWork): StoredChunk {
  const { id, no, read, quarantined } = chunk
  const written = repaired.get(id) ?? 0n
  if (proved.has(id)) return { ...chunk, written, skipped: read - written - quarantined, bytes: 0n }
  if (open.has(id)) return { ...chunk, status: 'failed', written, view: null }
  return left.has(no) ? { ...chunk, status: 'pending' } : chunk
}

export function againReported({ tally }: AgainWork): CopyAgain {
  const { compared, differed, mended: repaired, removed, extra, newer } = tally
  return {
    compared: dec(compared),
    differed: dec(differed),
    mended: dec(repaired),
    removed: dec(removed),
    extra: dec(extra),
    ...(newer === 0n ? {} : { newer: dec(newer) }),
  }
}

export function repairHint(plan: TablePlan): string {
  return `to repair the rows and remove those that the source does not have${expiredCaution(plan)}, run the same command with --again --delete-extra`
}

/**
 * Notes: rows that a comparison wrote, removed or left, and the command that undoes the changes.
 * @param deletes true with `--delete-extra`: an error says why rows stay
 */
export function againNotes({ tally }: AgainWork, plan: TablePlan, runId: bigint, deletes: boolean): readonly string[] {
  const { mended: repaired, removed, extra } = tally
  const notes: string[] = []
  if (repaired + removed > 0n) {
    const parts = [
      ...(repaired > 0n ? [`${rowCountText(repaired)} repaired`] : []),
      ...(removed > 0n ? [`${rowCountText(removed)} removed`] : []),
    ]
    notes.push(`${parts.join(' and ')} in the target; sluice diff --undo ${runId} reverts this`)
  }
  if (extra > 0n) {
    const removal = deletes ? '' : `; --delete-extra removes ${extra === 1n ? 'it' : 'them'}`
    notes.push(
      `${rowCountText(extra)} of the target ${extra === 1n ? 'is' : 'are'} not in the source${expiredCaution(plan)}, and stay${extra === 1n ? 's' : ''}${removal}`,
    )
  }
  return notes
}
