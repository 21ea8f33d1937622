/** What `--again` has to compare of a table, and what it came to. */
import { dec, type CopyAgain } from '../../../model/run/event.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { rowsText } from '../chunk/rows-text.ts'
import { Numbers } from './numbers.ts'

/** Sums of one table. */
export type AgainTally = {
  /** Chunks that were compared. */
  compared: bigint
  /** Of these: chunks of which rows were written or removed, or are open. */
  differed: bigint
  /** Rows that were written. */
  mended: bigint
  removed: bigint
  /** Rows of the target that the source has not, and that stay. */
  extra: bigint
  /** Rows of the source that the target does not hold as the source has them. */
  open: bigint
  /** Of the open ones: values that the target wrote later. */
  newer: bigint
}

export type AgainWork = {
  /** Numbers of chunks that are still to be compared. */
  readonly left: Numbers
  /** Ids of chunks that were compared and proved: the ledger has them as they are. */
  readonly proved: Numbers
  /** Ids of chunks that were compared, and of which rows are open. */
  readonly open: Numbers
  /** Rows that were written of chunks, by their ids; of those of which any were. */
  readonly mended: Map<number, bigint>
  /** Views that open ones were read in. */
  readonly views: Set<string>
  readonly tally: AgainTally
}

/** Whoever begins with it adds the chunks that were proved before this run. */
export function againWork(): AgainWork {
  return {
    left: new Numbers(),
    proved: new Numbers(),
    open: new Numbers(),
    mended: new Map(),
    views: new Set(),
    tally: { compared: 0n, differed: 0n, mended: 0n, removed: 0n, extra: 0n, open: 0n, newer: 0n },
  }
}

/**
 * A chunk as this run knows it: what it has not compared is not proved by it. Of a compared one `written` are rows that this run wrote, `skipped` those
 * that were equal.
 */
export function asCompared(chunk: StoredChunk, { left, proved, open, mended }: AgainWork): StoredChunk {
  const { id, no, read, quarantined } = chunk
  const written = mended.get(id) ?? 0n
  if (proved.has(id)) return { ...chunk, written, skipped: read - written - quarantined, bytes: 0n }
  if (open.has(id)) return { ...chunk, status: 'failed', written, view: null }
  return left.has(no) ? { ...chunk, status: 'pending' } : chunk
}

export function againTold({ tally }: AgainWork): CopyAgain {
  const { compared, differed, mended, removed, extra, newer } = tally
  return {
    compared: dec(compared),
    differed: dec(differed),
    mended: dec(mended),
    removed: dec(removed),
    extra: dec(extra),
    ...(newer === 0n ? {} : { newer: dec(newer) }),
  }
}

/** What a comparison left behind, and how it is taken back. */
export function againNotes({ tally }: AgainWork, runId: bigint): readonly string[] {
  const { mended, removed, extra } = tally
  const notes: string[] = []
  if (mended + removed > 0n) {
    const parts = [
      ...(mended > 0n ? [`${rowsText(mended)} mended`] : []),
      ...(removed > 0n ? [`${rowsText(removed)} removed`] : []),
    ]
    notes.push(`${parts.join(' and ')} in the target; sluice diff --undo ${runId} takes that back`)
  }
  if (extra > 0n) {
    notes.push(
      `${rowsText(extra)} of the target ${extra === 1n ? 'is' : 'are'} not in the source, and stay${extra === 1n ? 's' : ''}; --delete-extra removes ${extra === 1n ? 'it' : 'them'}`,
    )
  }
  return notes
}
