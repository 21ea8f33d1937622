/**
 * Commit times (PROTOCOL.md, "In-Commit Timestamps"): the time inside the commit where the table keeps them, else the file's own time,
 * made to grow from version to version as Spark does it, so that time travel has one answer.
 */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { inCommitRule } from '../../delta/timestamps.ts'

export type CommitTime = { readonly time: number; readonly inCommit: boolean }

export function commitTime(
  version: number,
  inCommitTimestamp: unknown,
  declared: { readonly protocol: ProtocolAction | null; readonly metadata: MetadataAction | null },
  modified: number,
  previous: number | null,
): CommitTime {
  const { protocol, metadata } = declared
  const rule = protocol === null || metadata === null ? null : inCommitRule({ protocol, metadata })
  if (rule !== null && version >= rule.fromVersion && Number.isSafeInteger(inCommitTimestamp)) {
    return { time: inCommitTimestamp as number, inCommit: true }
  }
  const file = Math.floor(modified)
  return { time: previous !== null && file <= previous ? previous + 1 : file, inCommit: false }
}
