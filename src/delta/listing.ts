/** Lists and classifies the files of a log folder: commits, complete checkpoints and other files. Opens no file. */
import { SluiceError } from '../shared/errors.ts'
import { throwIfAborted } from '../shared/abort.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import { LOG_FOLDER, parseLogName, versionDigits, type LogPath } from './log-path.ts'

/**
 * `size` in bytes, `modified` in ms since the epoch; both -1 if the listing was made without attributes. `stamp`
 * changes with every write; absent if the store has none.
 */
export type LogFileFacts = {
  readonly name: string
  readonly size: number
  readonly modified: number
  readonly stamp?: string
}

export type CommitFile = LogFileFacts & { readonly version: number }

/** A complete checkpoint: one file, or all parts in order. Sidecars are named inside it. */
export type CheckpointFiles = {
  readonly version: number
  readonly form: 'classic' | 'multipart' | 'v2'
  readonly format: 'parquet' | 'json'
  readonly files: readonly LogFileFacts[]
}

/** Time (ms since the epoch) of the first file of a checkpoint: the time of its version if the commit is gone. */
export function checkpointModified({ files }: CheckpointFiles): number {
  return Math.min(...files.map(({ modified }) => modified))
}

export type LogListing = {
  /** Ascending by version. */
  readonly commits: readonly CommitFile[]
  /**
   * Complete checkpoints, ascending by version; within a version the preferred form comes first (V2, multi-part,
   * classic).
   */
  readonly checkpoints: readonly CheckpointFiles[]
  /** Multi-part checkpoints that lack a part; readers must ignore them. */
  readonly incomplete: readonly { readonly version: number; readonly parts: number; readonly present: number }[]
  readonly compacted: readonly (LogFileFacts & { readonly from: number; readonly to: number })[]
  readonly crcs: readonly (LogFileFacts & { readonly version: number })[]
  /** Newest version with a commit or a complete checkpoint. */
  readonly latest: number | null
}

/** Notes on checkpoints that are not used, because some of their parts are missing. */
export function incompleteNotes({ incomplete }: LogListing): string[] {
  return incomplete.map(
    ({ version, parts, present }) => `checkpoint ${version} ignored: ${present} of its ${parts} parts exist`,
  )
}

type MultiPartFiles = { readonly version: number; readonly parts: number; readonly present: Map<number, LogFileFacts> }

const PREFERENCE = { v2: 0, multipart: 1, classic: 2 } as const

/** Classifies names one by one, in any order. */
class LogClassifier {
  readonly #commits: CommitFile[] = []
  readonly #checkpoints: CheckpointFiles[] = []
  readonly #parted = new Map<string, MultiPartFiles>()
  readonly #compacted: (LogFileFacts & { from: number; to: number })[] = []
  readonly #crcs: (LogFileFacts & { version: number })[] = []

  add(path: LogPath, facts: LogFileFacts): void {
    if (path.kind === 'commit') this.#commits.push({ ...facts, version: path.version })
    else if (path.kind === 'crc') this.#crcs.push({ ...facts, version: path.version })
    else if (path.kind === 'compacted') this.#compacted.push({ ...facts, from: path.from, to: path.to })
    else if (path.kind === 'checkpoint') this.#addCheckpoint(path, facts)
  }

  #addCheckpoint(path: LogPath & { kind: 'checkpoint' }, facts: LogFileFacts): void {
    const { version, form } = path
    if (form !== 'multipart') {
      this.#checkpoints.push({ version, form, format: form === 'v2' ? path.format : 'parquet', files: [facts] })
      return
    }
    // Two writers may have split one version into different numbers of parts; those are two checkpoints.
    const key = `${version}/${path.parts}`
    const parted = this.#parted.get(key) ?? { version, parts: path.parts, present: new Map() }
    parted.present.set(path.part, facts)
    this.#parted.set(key, parted)
  }

  done(): LogListing {
    const incomplete: { version: number; parts: number; present: number }[] = []
    for (const { version, parts, present } of this.#parted.values()) {
      if (present.size < parts) incomplete.push({ version, parts, present: present.size })
      else {
        const files = [...present].toSorted(([a], [b]) => a - b).map(([, facts]) => facts)
        this.#checkpoints.push({ version, form: 'multipart', format: 'parquet', files })
      }
    }
    this.#commits.sort((a, b) => a.version - b.version)
    this.#checkpoints.sort((a, b) => a.version - b.version || PREFERENCE[a.form] - PREFERENCE[b.form])
    const newest = Math.max(this.#commits.at(-1)?.version ?? -1, this.#checkpoints.at(-1)?.version ?? -1)
    return {
      commits: this.#commits,
      checkpoints: this.#checkpoints,
      incomplete,
      compacted: this.#compacted,
      crcs: this.#crcs,
      latest: newest === -1 ? null : newest,
    }
  }
}

/**
 * Lists `_delta_log`.
 * @param options.from leave out files of versions below this
 * @param options.before leave out files of this version and above
 * @param options.attributes sizes and times of the files (default true; free on object stores)
 * @param options.mayBeEmpty an empty result is no error, for callers that list a part of a log
 * @throws SluiceError NO_LOG if there is neither a commit nor a complete checkpoint; SOURCE_DENIED, SOURCE_IO
 */
export async function listLog(
  store: LogStore,
  options: {
    readonly signal: AbortSignal
    readonly from?: number
    readonly before?: number
    readonly attributes?: boolean
    readonly mayBeEmpty?: boolean
  },
): Promise<LogListing> {
  const { signal, from = 0, before } = options
  const sorter = new LogClassifier()
  const first = versionDigits(from)
  // Names come in byte order, and every versioned name starts with a digit: no later name is needed.
  const end = before === undefined ? ':' : versionDigits(before)
  const after = from <= 0 ? {} : { after: first }
  for await (const entry of store.list(LOG_FOLDER, { ...after, attributes: options.attributes ?? true, signal })) {
    throwIfAborted(signal)
    if (entry.name > end) break
    // Some stores cannot start a listing in the middle.
    if (from > 0 && entry.name < first) continue
    const path = parseLogName(entry.name)
    if (path === null) continue
    const { name, size = -1, modified = -1, stamp } = entry
    sorter.add(path, { name, size, modified, ...(stamp === undefined ? {} : { stamp }) })
  }
  const listing = sorter.done()
  if (listing.latest === null && options.mayBeEmpty !== true) {
    const torn = listing.incomplete[0]
    throw new SluiceError('NO_LOG', 'No checkpoint or JSON files found', {
      where: `${store.label}/${LOG_FOLDER}`,
      reason:
        torn === undefined
          ? 'Empty or missing _delta_log'
          : `Only ${torn.present} of ${torn.parts} parts of checkpoint ${torn.version} exist, and no commits`,
      hint: 'Verify table path and _delta_log contents',
    })
  }
  return listing
}
