/** A table at one version. Reads on demand; falls back to an older checkpoint if the current one cannot be read. */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { ParquetRows } from '../model/lake/parquet-rows.ts'
import type { ActionKind, AddAction, RemoveAction } from './actions.ts'
import { proveCheckpoint, type FileFields } from './checkpoint.ts'
import type { CheckpointFiles, LogListing } from './listing.ts'
import { replayFiles, type FileReference, type ReplaySource } from './replay.ts'
import { segmentAt, type LogSegment } from './segment.ts'
import { readLogHead, readTableState, type TableHead, type DeltaTableState } from './state.ts'
import { numRecordsOf } from './stats.ts'

export type { TableHead, DeltaTableState } from './state.ts'

export type ActiveFile = {
  readonly add: AddAction
  /** The line of the log, or the checkpoint row rendered as JSON. */
  readonly raw: string
  /** Canonical. */
  readonly path: string
  readonly dvId: string | null
  /** Null if only a checkpoint has the file: added at or before the checkpoint's version. */
  readonly addedVersion: number | null
}

export type Tombstone = {
  readonly remove: RemoveAction
  readonly raw: string
  readonly path: string
  readonly dvId: string | null
  readonly removedVersion: number | null
}

/** `rows` is null if a file has no row count. Rows hidden by deletion vectors are not counted. */
export type TableCounts = { readonly files: number; readonly bytes: bigint; readonly rows: bigint | null }

/** Shared by the snapshots of a table, so that an unreadable checkpoint is found and noted only once. */
export type SnapshotContext = {
  readonly store: LogStore
  readonly parquet: () => Promise<ParquetRows>
  /** Listing of the whole log, or of all files from some version on. */
  readonly listing: LogListing
  /** Returns the listing of the whole log, if `listing` is not whole. Checkpoints of both are the same objects. */
  readonly whole?: (signal: AbortSignal) => Promise<LogListing>
  readonly unreadable: Set<CheckpointFiles>
  readonly note: (text: string) => void
}

/** A Parquet checkpoint up to this size (bytes) is read into memory, where it may need twenty times as much. */
const SMALL_CHECKPOINT = 1 << 20
const SMALL_COMMITS = 8 << 20

/** Errors after which an older checkpoint is tried: a checkpoint without protocol or metadata has lost rows, too. */
const FALLBACK_CODES: ReadonlySet<string> = new Set(['BAD_CHECKPOINT', 'MISSING_PROTOCOL', 'MISSING_METADATA'])

/** True for an error after which an older checkpoint is tried. */
export function allowsFallback(error: unknown): boolean {
  return error instanceof SluiceError && FALLBACK_CODES.has(error.code)
}

function useInstead(segment: LogSegment): string {
  const commits = `${segment.commits.length} commit${segment.commits.length === 1 ? '' : 's'}`
  return segment.checkpoint === null ? `${commits} from version 0` : `${segment.checkpoint.version} and ${commits}`
}

export class Snapshot {
  readonly version: number
  readonly #context: SnapshotContext
  #listing: LogListing
  #isWhole: boolean
  #segment: LogSegment
  #head: TableHead | null = null
  #state: DeltaTableState | null = null
  /** Kinds and fields for which the whole current checkpoint was checked. */
  readonly #checked = new Set<string>()

  /** @throws SluiceError VERSION_NOT_FOUND, LOG_GAP */
  constructor(context: SnapshotContext, version?: number) {
    this.#context = context
    this.#listing = context.listing
    this.#isWhole = context.whole === undefined
    this.#segment = segmentAt(context.listing, version, context.unreadable)
    this.version = this.#segment.version
  }

  /** The files of this snapshot; they change after a fallback to an older checkpoint. */
  get segment(): LogSegment {
    return this.#segment
  }

  /** Cheaper than `state`. @throws SluiceError MISSING_PROTOCOL, MISSING_METADATA, BAD_CHECKPOINT, BAD_ACTION */
  async head(signal: AbortSignal): Promise<TableHead> {
    this.#head ??= await this.#withFallback(() => readLogHead(this.#source(), signal), signal)
    return this.#head
  }

  /** Protocol, metadata, transactions and domains. @throws as `head` */
  async state(signal: AbortSignal): Promise<DeltaTableState> {
    this.#state ??= await this.#withFallback(() => readTableState(this.#source(), signal), signal)
    return this.#state
  }

  /**
   * The active files in blocks, files of the newest commits first. If another checkpoint could replace the current one,
   * the whole current one is checked before its first row is returned: damage must not appear as a shorter list.
   * @throws SluiceError BAD_CHECKPOINT if the version cannot be built without this checkpoint; other codes of a read,
   * such as BAD_ACTION or SOURCE_GONE
   */
  async *files(options: {
    readonly signal: AbortSignal
    readonly fields?: FileFields
  }): AsyncIterable<readonly ActiveFile[]> {
    for await (const block of this.#references('add', options.signal, options.fields ?? 'all')) {
      yield block.map(({ file, raw, path, dvId, version }) => ({
        add: file as AddAction,
        raw,
        path,
        dvId,
        addedVersion: version,
      }))
    }
  }

  /** Removed files that the log still has, expired or not: the caller applies the retention. @throws as `files` */
  async *tombstones(signal: AbortSignal): AsyncIterable<readonly Tombstone[]> {
    for await (const block of this.#references('remove', signal, 'all')) {
      yield block.map(({ file, raw, path, dvId, version }) => ({
        remove: file as RemoveAction,
        raw,
        path,
        dvId,
        removedVersion: version,
      }))
    }
  }

  /** Files, bytes and rows by a replay of the log; `.crc` files are not used. @throws as `files` */
  async counts(signal: AbortSignal): Promise<TableCounts> {
    let files = 0
    let bytes = 0n
    let rows: bigint | null = 0n
    for await (const block of this.#references('add', signal, 'counts')) {
      files += block.length
      for (const { file } of block) {
        const add = file as AddAction
        bytes += BigInt(add.size)
        if (rows === null) continue
        const records: number | null = numRecordsOf(add.stats)
        rows = records === null ? null : rows + BigInt(records - (add.deletionVector?.cardinality ?? 0))
      }
    }
    return { files, bytes, rows }
  }

  #source(): ReplaySource {
    const { store, parquet } = this.#context
    return { store, parquet, segment: this.#segment }
  }

  async *#references(
    wanted: 'add' | 'remove',
    signal: AbortSignal,
    fields: FileFields,
  ): AsyncGenerator<readonly FileReference[]> {
    if (this.#isSmall()) {
      yield* await this.#withFallback(() => this.#replayed(wanted, signal, fields), signal)
      return
    }
    await this.#withFallback(() => this.#check(wanted, signal, fields), signal)
    yield* replayFiles(this.#source(), wanted, { signal, fields })
  }

  /**
   * True if the segment has a checkpoint up to `SMALL_CHECKPOINT`, not of form V2, and commits up to `SMALL_COMMITS`:
   * reading all of it into memory is then cheaper than checking the checkpoint first.
   */
  #isSmall(): boolean {
    const { checkpoint, commits } = this.#segment
    // The listing does not show the size of the sidecars of a V2 checkpoint.
    if (checkpoint === null || checkpoint.form === 'v2') return false
    const parquet = checkpoint.files.reduce((sum, { size }) => sum + size, 0)
    return parquet <= SMALL_CHECKPOINT && commits.reduce((sum, { size }) => sum + size, 0) <= SMALL_COMMITS
  }

  /** Replays the segment in memory. @returns all file actions of the wanted kind, in blocks */
  async #replayed(
    wanted: 'add' | 'remove',
    signal: AbortSignal,
    fields: FileFields,
  ): Promise<readonly (readonly FileReference[])[]> {
    const blocks: (readonly FileReference[])[] = []
    for await (const block of replayFiles(this.#source(), wanted, { signal, fields })) blocks.push(block)
    return blocks
  }

  /** Checks the checkpoint, unless no other checkpoint can replace it: then the read itself reports the error. */
  async #check(kind: ActionKind, signal: AbortSignal, fields: FileFields): Promise<void> {
    const { store, parquet } = this.#context
    const { checkpoint } = this.#segment
    const key = `${kind}/${fields}`
    if (checkpoint === null || this.#checked.has(key)) return
    // An older checkpoint may exist that is not listed; a listing costs more than the check.
    if (this.#isWhole && this.#listedFallback(checkpoint) === null) return
    await proveCheckpoint(store, parquet, checkpoint, { signal, kinds: new Set([kind]), fields })
    this.#checked.add(key)
  }

  /** The segment without this checkpoint, or null if the version cannot be built without it. */
  async #fallbackSegment(checkpoint: CheckpointFiles, signal: AbortSignal): Promise<LogSegment | null> {
    const listed = this.#listedFallback(checkpoint)
    const { whole } = this.#context
    if (listed !== null || whole === undefined || this.#isWhole) return listed
    this.#listing = await whole(signal)
    this.#isWhole = true
    return this.#listedFallback(checkpoint)
  }

  /** As `#fallbackSegment`, with the checkpoints of the present listing only. */
  #listedFallback(checkpoint: CheckpointFiles): LogSegment | null {
    try {
      return segmentAt(this.#listing, this.version, new Set([...this.#context.unreadable, checkpoint]))
    } catch (error) {
      if (error instanceof SluiceError) return null
      throw error
    }
  }

  async #withFallback<T>(body: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      const { checkpoint } = this.#segment
      try {
        return await body()
      } catch (error) {
        if (!allowsFallback(error) || checkpoint === null) throw error
        const instead = await this.#fallbackSegment(checkpoint, signal)
        if (instead === null) throw error
        const { unreadable, note } = this.#context
        if (!unreadable.has(checkpoint)) {
          unreadable.add(checkpoint)
          note(`checkpoint ${checkpoint.version} unreadable, using ${useInstead(instead)}`)
        }
        this.#segment = instead
        this.#checked.clear()
      }
    }
  }
}
