/**
 * The files of a version by reverse replay (PROTOCOL.md, "Action Reconciliation"): reads commits from newest to oldest
 * into a set of seen keys, then returns the checkpoint rows whose keys are not in the set. The key of a file is its
 * canonical path and its deletion vector.
 */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { ParquetRows } from '../model/lake/parquet-rows.ts'
import type { ActionKind, ActionLine, AddAction, RemoveAction } from './actions.ts'
import { readCheckpoint, type FileFields } from './checkpoint.ts'
import { readLog } from './commit-lines.ts'
import type { CommitFile } from './listing.ts'
import { logPathOf } from './log-path.ts'
import { canonicalPath, dvId } from './paths.ts'
import type { LogSegment } from './segment.ts'

/** Latest action of the log for one file. */
export type FileReference = {
  readonly kind: 'add' | 'remove'
  readonly file: AddAction | RemoveAction
  readonly raw: string
  /** Canonical. */
  readonly path: string
  readonly dvId: string | null
  /** Version of the commit of this action; null if only a checkpoint has it, so the commit is not known. */
  readonly version: number | null
}

export type ReplaySource = {
  readonly store: LogStore
  readonly parquet: () => Promise<ParquetRows>
  readonly segment: LogSegment
}

const FILE_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'remove'])
/**
 * A commit up to this size (bytes) is kept in memory to find its last action for each file; larger commits are read
 * twice.
 */
const MAX_BUFFERED_COMMIT = 8 << 20

/** Key of a file. NUL cannot occur in a path, so two files cannot have the same key. */
export function fileKey(path: string, dv: string | null): string {
  return dv === null ? path : `${path}\0${dv}`
}

function referenceOf(line: ActionLine, root: string, version: number | null): FileReference | null {
  const { action, raw } = line
  if (action.kind !== 'add' && action.kind !== 'remove') return null
  const file = action.kind === 'add' ? action.add : action.remove
  return {
    kind: action.kind,
    file,
    raw,
    path: canonicalPath(file.path, root),
    dvId: dvId(file.deletionVector),
    version,
  }
}

/** Extracts just the path of a plain file action, which is much cheaper than parsing the line. */
const PLAIN_PATH = /^\{"(?:add|remove)":\{"path":("[^"\\]*")/

function keyOfRaw(raw: string, root: string): string | null {
  const plain = PLAIN_PATH.exec(raw)
  const literal = plain?.[1]
  if (plain === null || literal === undefined || !raw.endsWith('}}')) return null
  // The whole line must be parsed if it has a deletion vector, or a second path: JSON.parse uses the last path.
  if (raw.includes('"path":', plain[0].length) || raw.includes('"deletionVector"')) return null
  // JSON.parse makes a new string; a slice would keep the whole line in memory as long as the key.
  return canonicalPath(JSON.parse(literal) as string, root)
}

class Replay {
  readonly #source: ReplaySource
  readonly #wanted: ReadonlySet<ActionKind>
  readonly #signal: AbortSignal
  readonly #seen = new Set<string>()

  constructor(source: ReplaySource, wanted: ReadonlySet<ActionKind>, signal: AbortSignal) {
    this.#source = source
    this.#wanted = wanted
    this.#signal = signal
  }

  async *run(fields: FileFields): AsyncGenerator<readonly FileReference[]> {
    const { segment, store } = this.#source
    store.prefetch?.(segment.commits.map(({ name }) => logPathOf(name)).toReversed(), { signal: this.#signal })
    for (let i = segment.commits.length - 1; i >= 0; i--) {
      const commit = segment.commits[i] as CommitFile
      // Oldest commit: its keys need not be remembered, because nothing older is read.
      const oldest = i === 0 && segment.checkpoint === null
      yield* commit.size >= 0 && commit.size <= MAX_BUFFERED_COMMIT
        ? this.#buffered(commit)
        : this.#inTwoPasses(commit, oldest)
    }
    if (segment.checkpoint !== null) yield* this.#checkpoint(fields)
  }

  #lines(
    commit: CommitFile,
    kinds: ReadonlySet<ActionKind>,
    skip?: (raw: string, line: number) => boolean,
  ): AsyncGenerator<readonly ActionLine[]> {
    const options = { signal: this.#signal, kinds, ...(skip === undefined ? {} : { skip }) }
    return readLog(this.#source.store, commit.name, options)
  }

  /** Reads the lines of a commit from last to first; the first line found for a file is the commit's last action. */
  async *#buffered(commit: CommitFile): AsyncGenerator<readonly FileReference[]> {
    const { root } = this.#source.store
    const lines: ActionLine[] = []
    for await (const block of this.#lines(commit, FILE_KINDS)) for (const line of block) lines.push(line)
    const found: FileReference[] = []
    for (let i = lines.length - 1; i >= 0; i--) {
      const reference = referenceOf(lines[i] as ActionLine, root, commit.version)
      if (reference === null) continue
      const key = fileKey(reference.path, reference.dvId)
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      if (this.#wanted.has(reference.kind)) found.push(reference)
    }
    if (found.length > 0) yield found.toReversed()
  }

  /**
   * Returns the last line for each file. The first pass finds its number, the second returns the line. Only keys are
   * kept in memory.
   */
  async *#inTwoPasses(commit: CommitFile, oldest: boolean): AsyncGenerator<readonly FileReference[]> {
    const { root } = this.#source.store
    const last = new Map<string, number>()
    const plain = (raw: string, line: number): boolean => {
      const key = keyOfRaw(raw, root)
      if (key !== null) last.set(key, line)
      return key !== null
    }
    for await (const block of this.#lines(commit, FILE_KINDS, plain)) {
      for (const line of block) {
        const reference = referenceOf(line, root, null)
        if (reference === null) continue
        // Parsed lines come in blocks, after the plain lines between them, so compare line numbers.
        const key = fileKey(reference.path, reference.dvId)
        last.set(key, Math.max(line.line, last.get(key) ?? 0))
      }
    }
    for await (const block of this.#lines(commit, this.#wanted)) {
      const found: FileReference[] = []
      for (const line of block) {
        const reference = referenceOf(line, root, commit.version)
        if (reference === null) continue
        const key = fileKey(reference.path, reference.dvId)
        const lastLine = last.get(key)
        if (lastLine === undefined) throw changedWhileRead(commit)
        if (lastLine === line.line && !this.#seen.has(key)) found.push(reference)
      }
      if (found.length > 0) yield found
    }
    if (!oldest) for (const key of last.keys()) this.#seen.add(key)
  }

  async *#checkpoint(fields: FileFields): AsyncGenerator<readonly FileReference[]> {
    const { store, parquet, segment } = this.#source
    if (segment.checkpoint === null) return
    const options = { signal: this.#signal, kinds: this.#wanted, fields }
    for await (const block of readCheckpoint(store, parquet, segment.checkpoint, options)) {
      const found: FileReference[] = []
      for (const line of block) {
        const reference = referenceOf(line, store.root, null)
        if (reference !== null && !this.#seen.has(fileKey(reference.path, reference.dvId))) found.push(reference)
      }
      if (found.length > 0) yield found
    }
  }
}

function changedWhileRead(commit: CommitFile): SluiceError {
  return new SluiceError('LOG_CHANGED', `commit ${commit.version} changed while it was read`, {
    where: logPathOf(commit.name),
    hint: 'run the same command again',
    retryable: true,
  })
}

/**
 * Files of a segment whose latest action is of the wanted kind: `add` for active files, `remove` for tombstones. Within
 * a commit the later line wins. Newest commits come first, the checkpoint last.
 * @throws SluiceError BAD_ACTION, BAD_CHECKPOINT (the caller must then discard earlier blocks), LOG_CHANGED,
 * SOURCE_GONE …
 */
export function replayFiles(
  source: ReplaySource,
  wanted: 'add' | 'remove',
  options: { readonly signal: AbortSignal; readonly fields: FileFields },
): AsyncGenerator<readonly FileReference[]> {
  return new Replay(source, new Set<ActionKind>([wanted]), options.signal).run(options.fields)
}
