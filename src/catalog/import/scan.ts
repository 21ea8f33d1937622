/** First pass over a range of commits: finds where keys are added or removed, and the last protocol and metadata. */
import { hashInto, type HashPair } from '../../shared/hash.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { ActionLine, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { readLog } from '../../delta/commit-lines.ts'
import type { CommitFile } from '../../delta/listing.ts'
import { logPathOf } from '../../delta/log-path.ts'
import { canonicalPath, dvId } from '../../delta/paths.ts'
import { breathe, type Interrupt } from '../../shared/abort.ts'
import { CloseIndex } from './close-index.ts'
import { refuseLong } from './readable.ts'

/** Maximum number of adds and removes in memory (about 50 bytes each); a longer log is imported in several ranges. */
export const MAX_EVENTS = 4_000_000

const LINES_A_BREATH = 20_000

export type ScannedCommits = {
  readonly commits: readonly CommitFile[]
  readonly index: CloseIndex
  /** Number of lines of all kinds. */
  readonly lines: number
  /** The last protocol and metadata of the range; null if it has none. */
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  /** False if `maxEvents` ended the range early. */
  readonly whole: boolean
}

/**
 * Reads commits until their end or until the index is full.
 * @throws SluiceError of reading a commit; BAD_ACTION as `refuseLong`; the stop or abort reason of the interrupt
 */
export async function scanRange(
  log: LogStore,
  commits: readonly CommitFile[],
  interrupt: Interrupt,
  maxEvents: number = MAX_EVENTS,
): Promise<ScannedCommits> {
  const index = new CloseIndex()
  const notes = new KeyNotes(index, log.root)
  let protocol: ProtocolAction | null = null
  let metadata: MetadataAction | null = null
  let done = 0
  let breathed = 0
  log.prefetch?.(
    commits.map(({ name }) => logPathOf(name)),
    { signal: interrupt.abort, keep: true },
  )
  for (const commit of commits) {
    if (notes.lines - breathed >= LINES_A_BREATH) {
      breathed = notes.lines
      await breathe()
    }
    if (interrupt.stop.aborted) throw interrupt.stop.reason
    notes.begin(commit.version)
    const skip = (raw: string, line: number): boolean => {
      refuseLong(raw, null, `${logPathOf(commit.name)}:${line}`, log.label)
      return notes.takeText(raw, line)
    }
    for await (const block of readLog(log, commit.name, { signal: interrupt.abort, skip })) {
      notes.takeBlock(block)
      for (const { action, raw } of block) {
        if (action.kind === 'protocol') protocol = action.protocol
        else if (action.kind === 'metaData') {
          refuseLong(raw, action.kind, `version ${commit.version}`, log.label)
          metadata = action.metaData
        }
      }
    }
    notes.end()
    done++
    if (index.events >= maxEvents) break
  }
  return {
    commits: commits.slice(0, done),
    index,
    lines: notes.lines,
    protocol,
    metadata,
    whole: done === commits.length,
  }
}

/**
 * Records keys in line order. Most keys are cut from the raw text at once. Lines that must be parsed arrive later, in
 * blocks. So after such a line, keys from raw text wait until its block arrives.
 */
class KeyNotes {
  readonly #index: CloseIndex
  readonly #root: string
  readonly #key: HashPair = { a: 0, b: 0 }
  #version = 0
  #waits = false
  readonly #waiting: { readonly line: number; readonly path: string }[] = []
  lines = 0

  constructor(index: CloseIndex, root: string) {
    this.#index = index
    this.#root = root
  }

  begin(version: number): void {
    this.#version = version
    this.#waits = false
  }

  /** Receives the text of each line first; true if the line needs no parsing. */
  readonly takeText = (raw: string, line: number): boolean => {
    const path = plainPath(raw)
    if (path === null) {
      this.#waits = true
      return false
    }
    this.lines++
    if (this.#waits) this.#waiting.push({ line, path })
    else this.#note(path, null)
    return true
  }

  takeBlock(block: readonly ActionLine[]): void {
    let at = 0
    for (const { line, action } of block) {
      for (; at < this.#waiting.length && (this.#waiting[at]?.line ?? 0) < line; at++)
        this.#note(this.#waiting[at]?.path ?? '', null)
      this.lines++
      if (action.kind === 'add') this.#note(action.add.path, dvId(action.add.deletionVector))
      else if (action.kind === 'remove') this.#note(action.remove.path, dvId(action.remove.deletionVector))
    }
    this.#waiting.splice(0, at)
    // All lines so far are in this block or in `#waiting`, so no earlier line can follow.
    this.end()
  }

  end(): void {
    for (const { path } of this.#waiting.splice(0)) this.#note(path, null)
    this.#waits = false
  }

  #note(path: string, dv: string | null): void {
    hashInto(this.#key, canonicalPath(path, this.#root), dv)
    this.#index.note(this.#key, this.#version)
  }
}

const ADD = '{"add":{"path":"'
const REMOVE = '{"remove":{"path":"'

/**
 * The path of a file action, cut from a line in the usual form that cannot contain a deletion vector; otherwise null.
 * The second pass parses the whole line, finds its other faults, and must find the same keys.
 */
function plainPath(raw: string): string | null {
  const isAdd = raw.startsWith(ADD)
  if (!isAdd && !raw.startsWith(REMOVE)) return null
  // The action continues on the next line.
  if (!raw.endsWith('}}')) return null
  const start = isAdd ? ADD.length : REMOVE.length
  const end = raw.indexOf('"', start)
  // The name may be spelled with escapes.
  if (end === -1 || raw.includes('deletionVector', end) || raw.includes('\\u00', end)) return null
  const path = raw.slice(start, end)
  return path.includes('\\') ? null : path
}
