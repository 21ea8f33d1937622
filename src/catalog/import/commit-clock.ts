/**
 * Commit times (PROTOCOL.md, "In-Commit Timestamps"): the time inside the commit where the table keeps them, else the file's own time,
 * made to grow from version to version as Spark does it, so that time travel has one answer.
 */
import type { MetadataAction } from '../../delta/actions.ts'

export type CommitTime = { readonly time: number; readonly inCommit: boolean }

export function commitTime(
  version: number,
  inCommitTimestamp: unknown,
  metadata: MetadataAction | null,
  modified: number,
  previous: number | null,
): CommitTime {
  const configuration = metadata?.configuration ?? {}
  if (configuration['delta.enableInCommitTimestamps'] === 'true' && Number.isSafeInteger(inCommitTimestamp)) {
    const from = configuration['delta.inCommitTimestampEnablementVersion']
    if (from === undefined || version >= Number(from)) return { time: inCommitTimestamp as number, inCommit: true }
  }
  const file = Math.floor(modified)
  return { time: previous !== null && file <= previous ? previous + 1 : file, inCommit: false }
}
