/** Summaries of commits, newest first. */
import type { LogStore } from '../model/lake/log-store.ts'
import type { ActionKind, CommitInfoAction } from './actions.ts'
import { readLog } from './commit-lines.ts'
import type { CommitFile } from './listing.ts'
import { logPathOf } from './log-path.ts'
import { fileTimes, inCommitTimeOf, type CommitTime, type InCommitRule } from './timestamps.ts'

export type CommitSummary = {
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly inCommitTime: boolean
  readonly operation: string | null
  readonly engine: string | null
  readonly commitInfo: CommitInfoAction | null
  readonly adds: number
  readonly removes: number
  readonly addedBytes: bigint
  /** Total size of the removed files, bytes; a remove action without a size counts as 0. */
  readonly removedBytes: bigint
  /** Size of the log file, bytes. */
  readonly logBytes: number
  /** True if a complete checkpoint of this version exists. */
  readonly checkpoint: boolean
}

export type HistorySource = {
  readonly store: LogStore
  /** Ascending. */
  readonly commits: readonly CommitFile[]
  readonly rule: InCommitRule
  readonly checkpointed: ReadonlySet<number>
}

const KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'remove', 'commitInfo'])

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

async function summaryOf(
  source: HistorySource,
  commit: CommitFile,
  byFile: CommitTime,
  signal: AbortSignal,
): Promise<CommitSummary> {
  let adds = 0
  let removes = 0
  let addedBytes = 0n
  let removedBytes = 0n
  let info: CommitInfoAction | null = null
  for await (const block of readLog(source.store, commit.name, { signal, kinds: KINDS })) {
    for (const { action } of block) {
      if (action.kind === 'add') {
        adds++
        addedBytes += BigInt(action.add.size)
      } else if (action.kind === 'remove') {
        removes++
        removedBytes += BigInt(action.remove.size ?? 0)
      } else if (action.kind === 'commitInfo') info ??= action.commitInfo
    }
  }
  const { rule } = source
  const own = rule !== null && commit.version >= rule.fromVersion ? inCommitTimeOf(info) : null
  return {
    version: commit.version,
    time: own ?? byFile.time,
    inCommitTime: own !== null,
    operation: textOrNull(info?.['operation']),
    engine: textOrNull(info?.['engineInfo']) ?? textOrNull(info?.['clientVersion']),
    commitInfo: info,
    adds,
    removes,
    addedBytes,
    removedBytes,
    logBytes: commit.size,
    checkpoint: source.checkpointed.has(commit.version),
  }
}

/**
 * Summaries of commits, newest first, at most `limit`. A commit is read when the caller requests the next summary.
 * @throws SluiceError BAD_ACTION, SOURCE_GONE …
 */
export async function* commitHistory(
  source: HistorySource,
  options: { readonly limit?: number; readonly signal: AbortSignal },
): AsyncIterable<CommitSummary> {
  const { commits } = source
  const times = fileTimes(commits)
  const least = Math.max(0, commits.length - (options.limit ?? Infinity))
  const newestFirst = commits.slice(least).toReversed()
  source.store.prefetch?.(
    newestFirst.map(({ name }) => logPathOf(name)),
    { signal: options.signal },
  )
  for (let i = commits.length - 1; i >= least; i--) {
    yield await summaryOf(source, commits[i] as CommitFile, times[i] as CommitTime, options.signal)
  }
}
