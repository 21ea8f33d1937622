/**
 * Compares log compaction files with the commits that they replace. sluice reads only commits; other readers may use
 * either.
 */
import type { ActionKind } from '../../../delta/actions.ts'
import { readLog } from '../../../delta/commit-lines.ts'
import { compactionDifferences, LatestActions } from '../../../delta/fsck/compacted.ts'
import type { Finding } from '../../../delta/fsck/finding.ts'
import type { LogListing } from '../../../delta/listing.ts'
import { logPathOf } from '../../../delta/log-path.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { Subject } from './subject.ts'

const KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'add',
  'remove',
  'protocol',
  'metaData',
  'txn',
  'domainMetadata',
])
type CompactedFile = LogListing['compacted'][number]

/** Maximum number of differences per file that are named; further ones are only counted. */
const NAMED = 20

export type CompactedCounts = {
  readonly all: number
  /** Files compared with their commits. */
  readonly read: number
  /** Names of compaction files whose commits are gone. */
  readonly notRead: readonly string[]
}

/** @throws SluiceError of a store, and of unreadable commits; bad contents of a compaction file are findings */
export async function inspectCompacted(
  subject: Subject,
  found: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<CompactedCounts> {
  const { commits, compacted } = await subject.table.listing(signal)
  const names = new Map(commits.map(({ version, name }) => [version, name]))
  const whole = (from: number, to: number): boolean => {
    for (let version = from; version <= to; version++) if (!names.has(version)) return false
    return true
  }
  const judged = compacted.filter(({ from, to }) => whole(from, to))
  const notRead = compacted.filter((one) => !judged.includes(one)).map(({ name }) => name)
  // Each commit is read once, even if several compaction files cover it.
  const open = new Map<CompactedFile, LatestActions>()
  for (const version of versionsOf(judged)) {
    await breathe()
    throwIfAborted(signal)
    for (const one of judged) if (one.from === version) open.set(one, new LatestActions(subject.store.root))
    await readInto([...open.values()], subject, names.get(version) ?? '', signal)
    for (const [one, commitWords] of open) {
      if (one.to !== version) continue
      open.delete(one)
      await compare(subject, one.name, commitWords, found, signal)
    }
  }
  return { all: compacted.length, read: judged.length, notRead }
}

/** Versions that any of the files covers, ascending. */
function versionsOf(files: readonly CompactedFile[]): readonly number[] {
  const versions = new Set<number>()
  for (const { from, to } of files) for (let version = from; version <= to; version++) versions.add(version)
  return [...versions].toSorted((a, b) => a - b)
}

async function readInto(
  all: readonly LatestActions[],
  { store }: Subject,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  for await (const block of readLog(store, file, { signal, kinds: KINDS })) {
    for (const line of block) for (const words of all) words.take(line)
  }
}

async function compare(
  subject: Subject,
  name: string,
  ours: LatestActions,
  found: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<void> {
  const { store, schema } = subject
  const wrong = { level: 'finding', kind: 'compacted-log', path: logPathOf(name) } as const
  const theirs = new LatestActions(store.root)
  try {
    await readInto([theirs], subject, name, signal)
  } catch (error) {
    throwIfAborted(signal)
    if (!(error instanceof SluiceError) || error.code !== 'BAD_ACTION') throw error
    found({ ...wrong, detail: `this compacted log file cannot be read: ${error.message}` })
    return
  }
  if (theirs.doubled.size > 0) {
    const detail = `this compacted log file names ${theirs.doubled.size} files more than once: readers use either the first line or the last`
    found({ ...wrong, level: 'note', detail })
  }
  const all = compactionDifferences(ours, theirs, schema)
  for (const { path, detail } of all.slice(0, NAMED)) {
    found({ ...wrong, detail: `compacted log file: ${path === undefined ? '' : `${path}: `}${detail}` })
  }
  if (all.length > NAMED) found({ ...wrong, detail: `compacted log file: and ${all.length - NAMED} more differences` })
}
