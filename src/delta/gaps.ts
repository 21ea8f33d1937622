/** Finds commits missing between existing commits. Log cleanup is not the cause: it removes only the oldest commits. */
import type { CheckpointFiles, LogListing } from './listing.ts'
import type { History } from './segment.ts'

export type VersionInterval = { readonly from: number; readonly to: number }

export type Gaps = {
  /** Missing commits above the oldest version that can be built, ascending. */
  readonly missing: readonly VersionInterval[]
  /** Versions that cannot be built: missing ones without a checkpoint, and later ones up to the next checkpoint. */
  readonly lost: readonly VersionInterval[]
}

/** @param without set of unreadable checkpoints, which are not used */
export function logGaps(
  { commits, checkpoints, latest }: LogListing,
  without: ReadonlySet<CheckpointFiles> = new Set(),
): Gaps {
  const starts = checkpoints.filter((one) => !without.has(one)).map(({ version }) => version)
  const oldest = commits[0]?.version === 0 ? 0 : starts[0]
  if (oldest === undefined || latest === null) return { missing: [], lost: [] }
  const above = commits.map(({ version }) => version).filter((version) => version > oldest)
  const missing = gapsBetween([oldest, ...above, latest + 1])
  const lost = missing.flatMap(({ from, to }) => {
    const inside = starts.filter((version) => version >= from && version <= to)
    const next = starts.find((version) => version > to) ?? latest + 1
    return gapsBetween([from - 1, ...inside, ...(inside.at(-1) === to ? [] : [next])])
  })
  return { missing, lost: mergedIntervals(lost) }
}

/**
 * Why older commits and checkpoints of the log cannot be used; null if the log has no older ones.
 * @param without set of unreadable checkpoints, which are not used
 */
export function historyCutOff(
  listing: LogListing,
  history: History,
  without?: ReadonlySet<CheckpointFiles>,
): string | null {
  const isOlder = ({ from }: VersionInterval): boolean => from <= history.from
  const missing = logGaps(listing, without).missing.filter(isOlder)
  const checkpoints = listing.checkpoints.filter(({ version }) => version < history.from && missing.length > 0)
  const older = [
    ...intervalsText('commit', mergedIntervals(history.orphans.map(at))),
    ...intervalsText('checkpoint', mergedIntervals(checkpoints.map(at))),
  ].join(' and ')
  if (older === '') return null
  const [missed = ''] = intervalsText('commit', missing)
  const verb = isOne(missing) ? 'is' : 'are'
  return missing.length === 0
    ? `there is no readable checkpoint for the older ${older}`
    : `${missed} ${verb} missing, so the older ${older} cannot be used`
}

/** Names missing commits, and the versions that cannot be read because of them; null if no commit is missing. */
export function gapText({ missing, lost }: Gaps): string | null {
  const [missed] = intervalsText('commit', missing)
  if (missed === undefined) return null
  const [gone] = intervalsText('version', lost)
  const verb = isOne(missing) ? 'is' : 'are'
  const means = gone === undefined ? 'a checkpoint covers each version' : `${gone} can no longer be read`
  return `${missed} ${verb} missing in the log: ${means}`
}

/** Names commits by their versions: `commits 0 to 3, 5`. @param commits ascending, at least one */
export function commitsText(commits: readonly { readonly version: number }[]): string {
  return intervalsText('commit', mergedIntervals(commits.map(at))).join()
}

const at = ({ version }: { readonly version: number }): VersionInterval => ({ from: version, to: version })

function isOne(spans: readonly VersionInterval[]): boolean {
  return spans.length === 1 && spans[0]?.from === spans[0]?.to
}

/** Maximum number of intervals in a text; further ones are only counted. */
const MAX_INTERVALS = 5

/** A list with one text, such as `commit 4` or `commits 0 to 3, 5`. Empty if there are no intervals. */
function intervalsText(noun: string, spans: readonly VersionInterval[]): readonly string[] {
  if (spans.length === 0) return []
  const shown = spans.slice(0, MAX_INTERVALS).map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`))
  const more = spans.length > MAX_INTERVALS ? ` and ${spans.length - MAX_INTERVALS} more ranges` : ''
  return [`${noun}${isOne(spans) ? '' : 's'} ${shown.join(', ')}${more}`]
}

/** Merges intervals that touch or overlap. @param spans ascending by `from` */
function mergedIntervals(spans: readonly VersionInterval[]): readonly VersionInterval[] {
  const all: VersionInterval[] = []
  for (const span of spans) {
    const last = all.at(-1)
    if (last === undefined || span.from > last.to + 1) all.push(span)
    else all[all.length - 1] = { from: last.from, to: Math.max(last.to, span.to) }
  }
  return all
}

/** Gaps between ascending numbers. */
function gapsBetween(numbers: readonly number[]): readonly VersionInterval[] {
  return numbers.flatMap((number, i) => {
    const from = (numbers[i - 1] ?? number) + 1
    return from < number ? [{ from, to: number - 1 }] : []
  })
}
