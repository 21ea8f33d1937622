/**
 * Times of commits (PROTOCOL.md, "In-Commit Timestamps"): the time in the commit if the table records it, otherwise the
 * time of the file. File times out of order are moved forward, so that a later version never has an earlier time.
 */
import { SluiceError } from '../shared/errors.ts'
import { isoTime } from '../shared/clock.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { CommitInfoAction } from './actions.ts'
import { actionLines, readLog } from './commit-lines.ts'
import type { CommitFile } from './listing.ts'
import { logPathOf } from './log-path.ts'
import type { TableHead } from './state.ts'

export type CommitTime = {
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly time: number
  /** True if the time comes from the commit itself. */
  readonly inCommit: boolean
}

/** First version with an in-commit timestamp, and this time; null if the table does not record them. */
export type InCommitRule = { readonly fromVersion: number; readonly fromTime: number } | null

/** Bytes read to find commitInfo, which must be the first line of a commit with in-commit timestamps. */
const FIRST_BYTES = 64 << 10

export function inCommitRule({ protocol, metadata }: TableHead): InCommitRule {
  const configuration = metadata.configuration ?? {}
  const features = protocol.writerFeatures ?? []
  const supported = features.includes('inCommitTimestamp') || features.includes('inCommitTimestamp-preview')
  const enabled = configuration['delta.enableInCommitTimestamps']?.toLowerCase() === 'true'
  if (!supported || !enabled) return null
  const number = (name: string): number => {
    const value = Number(configuration[name] ?? 0)
    return Number.isSafeInteger(value) ? value : 0
  }
  return {
    fromVersion: number('delta.inCommitTimestampEnablementVersion'),
    fromTime: number('delta.inCommitTimestampEnablementTimestamp'),
  }
}

/** File times of ascending commits, each at least 1 ms after the one before. */
export function fileTimes(commits: readonly CommitFile[]): readonly CommitTime[] {
  let last = -Infinity
  return commits.map(({ version, modified }) => {
    last = Math.max(modified, last + 1)
    return { version, time: last, inCommit: false }
  })
}

/** The in-commit timestamp of a commitInfo, or null. */
export function inCommitTimeOf(commitInfo: CommitInfoAction | null): number | null {
  const value = commitInfo?.['inCommitTimestamp']
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null
}

/**
 * The commitInfo of a commit, or null if it has none. Reads the start of the file; the whole file only if commitInfo
 * is not its first line.
 * @throws SluiceError BAD_ACTION, SOURCE_GONE …
 */
export async function readCommitInfo(
  store: LogStore,
  commit: CommitFile,
  signal: AbortSignal,
): Promise<CommitInfoAction | null> {
  const path = logPathOf(commit.name)
  for await (const chunk of store.read(path, { end: FIRST_BYTES, signal })) {
    const end = chunk.indexOf(10)
    if (end === -1 || !chunk.subarray(0, 16).includes('"commitInfo"')) break
    for await (const block of actionLines(oneChunk(chunk.subarray(0, end)), path, { signal })) {
      for (const { action } of block) if (action.kind === 'commitInfo') return action.commitInfo
    }
    break
  }
  for await (const block of readLog(store, commit.name, { signal, kinds: new Set(['commitInfo' as const]) })) {
    for (const { action } of block) if (action.kind === 'commitInfo') return action.commitInfo
  }
  return null
}

async function* oneChunk(chunk: Buffer): AsyncGenerator<Buffer> {
  yield chunk
}

/** The commit's own time if the rule applies to it, otherwise `byFile`. */
async function timeOf(
  store: LogStore,
  commit: CommitFile,
  byFile: CommitTime,
  rule: InCommitRule,
  signal: AbortSignal,
): Promise<CommitTime> {
  if (rule === null || commit.version < rule.fromVersion) return byFile
  const own = inCommitTimeOf(await readCommitInfo(store, commit, signal))
  return own === null ? byFile : { version: commit.version, time: own, inCommit: true }
}

/**
 * The newest version whose time is at or before `timestamp`. Reads as few commits as possible.
 * @param commits ascending, at least one
 * @param timestamp milliseconds since the epoch
 * @param before version of a checkpoint below all commits, written at or before `timestamp`; null if none
 * @throws SluiceError VERSION_NOT_FOUND if the first commit is later and `before` is null
 */
export async function versionAt(
  store: LogStore,
  commits: readonly CommitFile[],
  rule: InCommitRule,
  timestamp: number,
  signal: AbortSignal,
  before: number | null,
): Promise<number> {
  const times = fileTimes(commits)
  // File times apply below the version where in-commit timestamps begin, in-commit times above: search only one side.
  const border = rule === null ? commits.length : commits.findIndex(({ version }) => version >= rule.fromVersion)
  const split = border === -1 ? commits.length : border
  const inCommit = rule !== null && split < commits.length && (split === 0 || timestamp >= rule.fromTime)
  let low = inCommit ? split : 0
  let high = inCommit ? commits.length : split
  const floor = low
  while (low < high) {
    const middle = (low + high) >>> 1
    const { time } = await timeOf(
      store,
      commits[middle] as CommitFile,
      times[middle] as CommitTime,
      inCommit ? rule : null,
      signal,
    )
    if (time <= timestamp) low = middle + 1
    else high = middle
  }
  const found = commits[low - 1]
  if (found !== undefined && (low > floor || floor > 0)) return found.version
  if (before !== null) return before
  const first = commits[0]
  const begins =
    first === undefined
      ? ''
      : `; the log begins at ${isoTime((await timeOf(store, first, times[0] as CommitTime, rule, signal)).time)}`
  throw new SluiceError('VERSION_NOT_FOUND', `no version is as old as ${isoTime(timestamp)}${begins}`, {
    hint: 'give a later time',
  })
}
