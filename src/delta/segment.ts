/** Selects the files of a version: a checkpoint and all commits above it (PROTOCOL.md, "Action Reconciliation"). */
import { SluiceError } from '../shared/errors.ts'
import type { CheckpointFiles, CommitFile, LogListing } from './listing.ts'

export type LogSegment = {
  readonly version: number
  /** Null when the segment starts at version 0. */
  readonly checkpoint: CheckpointFiles | null
  /** Ascending and contiguous: checkpoint + 1 (or 0) to `version`. */
  readonly commits: readonly CommitFile[]
  /** Other complete checkpoints at or below `version`, newest first; used if `checkpoint` is unreadable. */
  readonly fallbacks: readonly CheckpointFiles[]
}

/** The versions that the log can still build: all from `from` on. */
export type History = {
  readonly from: number
  /** Checkpoint of version `from`; null if `from` is 0 and all commits exist. */
  readonly checkpoint: CheckpointFiles | null
  /** Ascending and contiguous, all of them above the checkpoint. */
  readonly commits: readonly CommitFile[]
  /** Commit of version `from`, if it exists in addition to the checkpoint: it has the version's time and operation. */
  readonly baseCommit: CommitFile | null
  /** Commits below `from`, from which no version can be built any more. */
  readonly orphans: readonly CommitFile[]
}

/** Commits for time travel: of all versions that can be built, ascending. */
export function commitsOf({ baseCommit, commits }: History): readonly CommitFile[] {
  return baseCommit === null ? commits : [baseCommit, ...commits]
}

type Without = ReadonlySet<CheckpointFiles>
const NONE: Without = new Set()

/** Index of the first item whose version is at least `version`. */
function firstAtLeast(items: readonly { readonly version: number }[], version: number): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((items[middle]?.version ?? Infinity) < version) low = middle + 1
    else high = middle
  }
  return low
}

function missingCommitsText(from: number, to: number): string {
  return from === to ? `commit ${from} is missing` : `commits ${from} to ${to} are missing`
}

function hintForGap(listing: LogListing, from: number, to: number, above: number | null): string {
  const covered = listing.compacted.some((file) => file.from === from && file.to === to)
  if (covered) return 'a log compaction file covers them, but sluice reads only commits: restore the commits'
  const files = from === to ? 'the missing file' : `the ${to - from + 1} missing files`
  const later = above === null ? 'a complete checkpoint exists' : `a checkpoint above ${above} exists`
  return `restore ${files}, or import again when ${later}`
}

type CommitGap = { readonly from: number; readonly to: number; readonly next: number | null }

/** The first gap between `start` and `target`, or null. */
function firstGap(commits: readonly CommitFile[], start: number, target: number): CommitGap | null {
  let expected = start
  for (let i = firstAtLeast(commits, start); i < commits.length; i++) {
    const { version } = commits[i] as CommitFile
    if (version > target) break
    if (version !== expected) return { from: expected, to: version - 1, next: version }
    expected++
  }
  return expected > target ? null : { from: expected, to: target, next: null }
}

/** Names the first commits that are missing between a version and the latest one; null if none are. */
export function missingAbove(listing: LogListing, version: number): string | null {
  const hole = listing.latest === null ? null : firstGap(listing.commits, version + 1, listing.latest)
  return hole === null ? null : gapText(listing, null, hole)
}

function gapError(listing: LogListing, base: number | null, hole: CommitGap): SluiceError {
  return new SluiceError('LOG_GAP', gapText(listing, base, hole), {
    hint: hintForGap(listing, hole.from, hole.to, hole.next),
  })
}

function gapText(listing: LogListing, base: number | null, hole: CommitGap): string {
  // Without a next commit at or below the target, the gap ends at the next commit or checkpoint above the target.
  const above = listing.commits[firstAtLeast(listing.commits, hole.to + 1)]?.version
  const cp = listing.checkpoints[firstAtLeast(listing.checkpoints, hole.to + 1)]?.version
  const end =
    hole.next !== null
      ? `commit ${hole.next}`
      : above !== undefined && (cp === undefined || above <= cp)
        ? `commit ${above}`
        : cp === undefined
          ? null
          : `checkpoint ${cp}`
  const before =
    base !== null && hole.from === base + 1 ? `checkpoint ${base}` : hole.from === 0 ? null : `commit ${hole.from - 1}`
  const place =
    before !== null && end !== null
      ? ` between ${before} and ${end}`
      : before !== null
        ? ` after ${before}`
        : end !== null
          ? ` before ${end}, and no checkpoint covers them`
          : ''
  return missingCommitsText(hole.from, hole.to) + place
}

/**
 * The files that build `version` (default: the latest): the newest complete checkpoint at or below it, and the commits
 * above this checkpoint.
 * @param without set of unreadable checkpoints: the next older checkpoint, or version 0, is then the start
 * @throws SluiceError VERSION_NOT_FOUND if the log never had the version or no longer has it; LOG_GAP naming the
 * missing commits
 */
export function segmentAt(listing: LogListing, version?: number, without: Without = NONE): LogSegment {
  const latest = listing.latest
  if (latest === null) throw new SluiceError('NO_LOG', 'No checkpoint or JSON files found')
  const target = version ?? latest
  if (target < 0 || target > latest || !Number.isSafeInteger(target)) {
    throw new SluiceError('VERSION_NOT_FOUND', `version ${target} does not exist; the newest is ${latest}`)
  }
  const usable = listing.checkpoints.filter((one) => one.version <= target && !without.has(one))
  const newest = usable.at(-1)?.version
  const checkpoint = usable.find((one) => one.version === newest) ?? null
  const start = checkpoint === null ? 0 : checkpoint.version + 1
  const hole = firstGap(listing.commits, start, target)
  if (hole !== null) {
    const oldest = version === undefined || checkpoint !== null ? null : oldestVersion(listing, without)
    if (oldest !== null && target < oldest) {
      throw new SluiceError(
        'VERSION_NOT_FOUND',
        `version ${target} no longer exists; the log begins at version ${oldest}`,
        {
          reason: `${missingCommitsText(hole.from, hole.to)}: log cleanup removes old commits`,
        },
      )
    }
    throw gapError(listing, checkpoint?.version ?? null, hole)
  }
  const from = firstAtLeast(listing.commits, start)
  return {
    version: target,
    checkpoint,
    commits: listing.commits.slice(from, from + target - start + 1),
    fallbacks: newestFirst(usable.filter((one) => one !== checkpoint)),
  }
}

/** As `segmentAt`; null if the version cannot be built, because its commits are gone. */
export function segmentOrNull(listing: LogListing, version: number, without: Without): LogSegment | null {
  try {
    return segmentAt(listing, version, without)
  } catch (error) {
    if (error instanceof SluiceError && ['LOG_GAP', 'VERSION_NOT_FOUND'].includes(error.code)) return null
    throw error
  }
}

/** Newest version first, and within a version the preferred form first. */
function newestFirst(checkpoints: readonly CheckpointFiles[]): readonly CheckpointFiles[] {
  return checkpoints
    .map((one, index) => ({ one, index }))
    .toSorted((a, b) => b.one.version - a.one.version || a.index - b.index)
    .map(({ one }) => one)
}

/** Lowest version that can be built, or null. */
function oldestVersion(listing: LogListing, without: Without): number | null {
  if (listing.commits[0]?.version === 0) return 0
  return listing.checkpoints.find((one) => !without.has(one))?.version ?? null
}

/**
 * The longest gapless part of the log that ends at the latest version: from version 0 if all commits exist, otherwise
 * from the oldest checkpoint with all later commits.
 * @param without set of unreadable checkpoints, which are not used
 * @throws SluiceError LOG_GAP if the latest version itself cannot be built
 */
export function logHistory(listing: LogListing, without: Without = NONE): History {
  const { commits, latest } = listing
  if (latest === null) throw new SluiceError('NO_LOG', 'No checkpoint or JSON files found')
  let low = latest + 1
  for (let i = commits.length - 1; i >= 0; i--) {
    const { version } = commits[i] as CommitFile
    if (version !== low - 1) break
    low = version
  }
  if (low === 0) return { from: 0, checkpoint: null, commits, baseCommit: null, orphans: [] }
  const checkpoint = listing.checkpoints.find((one) => one.version >= low - 1 && !without.has(one))
  if (checkpoint === undefined) {
    const base = listing.checkpoints.findLast((one) => !without.has(one)) ?? null
    const hole = firstGap(commits, base === null ? 0 : base.version + 1, latest)
    if (hole === null)
      throw new SluiceError('INTERNAL', `no checkpoint or first commit was found for versions ${low} to ${latest}`)
    throw gapError(listing, base?.version ?? null, hole)
  }
  const from = checkpoint.version
  const split = firstAtLeast(commits, from)
  const baseCommit = commits[split]?.version === from ? (commits[split] ?? null) : null
  return {
    from,
    checkpoint,
    commits: commits.slice(baseCommit === null ? split : split + 1),
    baseCommit,
    orphans: commits.slice(0, split),
  }
}
