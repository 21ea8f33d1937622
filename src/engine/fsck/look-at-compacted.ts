/** Log compaction files beside the commits that they stand for. sluice reads commits only; other readers may take either. */
import type { ActionKind } from '../../delta/actions.ts'
import { readLog } from '../../delta/commit-lines.ts'
import { departures, Words } from '../../delta/fsck/compacted.ts'
import type { Finding } from '../../delta/fsck/finding.ts'
import { logPathOf } from '../../delta/log-path.ts'
import { breathe, throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Subject } from './subject.ts'

const KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>([
  'add',
  'remove',
  'protocol',
  'metaData',
  'txn',
  'domainMetadata',
])
/** Differences of one file that are named; the rest is counted. */
const NAMED = 20

export type CompactedCounts = {
  readonly all: number
  /** Compared with their commits. */
  readonly read: number
  /** Names of those whose commits are gone. */
  readonly notRead: readonly string[]
}

/** @throws SluiceError of a store, and of commits that cannot be read; what a compaction file holds is a finding */
export async function lookAtCompacted(
  subject: Subject,
  found: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<CompactedCounts> {
  const { commits, compacted } = await subject.table.listing(signal)
  const names = new Map(commits.map(({ version, name }) => [version, name]))
  const notRead: string[] = []
  let read = 0
  for (const { name, from, to } of compacted) {
    await breathe()
    throwIfAborted(signal)
    const range = Array.from({ length: to - from + 1 }, (_, i) => names.get(from + i))
    if (range.includes(undefined)) notRead.push(name)
    else {
      await compare(subject, name, range as readonly string[], found, signal)
      read++
    }
  }
  return { all: compacted.length, read, notRead }
}

async function compare(
  { store, schema }: Subject,
  name: string,
  commits: readonly string[],
  found: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<void> {
  const wrong = { level: 'finding', kind: 'compacted-log', path: logPathOf(name) } as const
  const wordsOf = async (files: readonly string[]): Promise<Words> => {
    const words = new Words(store.root)
    for (const file of files) {
      for await (const block of readLog(store, file, { signal, kinds: KINDS })) {
        for (const line of block) words.take(line)
      }
    }
    return words
  }
  const ours = await wordsOf(commits)
  let theirs: Words
  try {
    theirs = await wordsOf([name])
  } catch (error) {
    throwIfAborted(signal)
    if (!(error instanceof SluiceError) || error.code !== 'BAD_ACTION') throw error
    found({ ...wrong, detail: `this compacted log file cannot be read: ${error.message}` })
    return
  }
  if (theirs.doubled.size > 0) {
    const detail = `this compacted log file names ${theirs.doubled.size} files more than once: readers believe the first line or the last`
    found({ ...wrong, level: 'note', detail })
  }
  const all = departures(ours, theirs, schema)
  for (const { path, detail } of all.slice(0, NAMED)) {
    found({ ...wrong, detail: `compacted log file: ${path === undefined ? '' : `${path}: `}${detail}` })
  }
  if (all.length > NAMED) found({ ...wrong, detail: `compacted log file: and ${all.length - NAMED} differences more` })
}
