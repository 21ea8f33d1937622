/** A Delta table by its log: one listing, and everything that can be asked of it. */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/log-store.ts'
import type { ParquetRows } from '../model/parquet-rows.ts'
import { changesBetween } from './changes.ts'
import type { Change } from './changes.ts'
import { readerRefusal } from './features.ts'
import { commitHistory } from './history.ts'
import type { CommitSummary } from './history.ts'
import { listLog } from './listing.ts'
import type { CheckpointFiles, CommitFile, LogListing } from './listing.ts'
import { historyOf } from './segment.ts'
import type { History } from './segment.ts'
import { Snapshot } from './snapshot.ts'
import { inCommitRule, versionAt } from './timestamps.ts'

/** A version, or a time in ms since the epoch; the latest version when neither is given. */
export type At = { readonly version?: number; readonly timestamp?: number }

export class DeltaTable {
  readonly listing: LogListing
  readonly store: LogStore
  readonly #parquet: () => Promise<ParquetRows>
  readonly #signal: AbortSignal
  readonly #notes: string[] = []
  readonly #unreadable = new Set<CheckpointFiles>()

  private constructor(store: LogStore, parquet: () => Promise<ParquetRows>, listing: LogListing, signal: AbortSignal) {
    this.store = store
    this.listing = listing
    this.#parquet = parquet
    this.#signal = signal
    for (const { version, parts, present } of listing.incomplete) {
      this.#notes.push(`checkpoint ${version} ignored: ${present} of its ${parts} parts are there`)
    }
  }

  /**
   * Lists the log; opens no file.
   * @param parquet called when a Parquet checkpoint must be read, and not before
   * @param signal for listing, and for `snapshot` where that is given none
   * @throws SluiceError NO_LOG, SOURCE_DENIED, SOURCE_IO
   */
  static async open(store: LogStore, parquet: () => Promise<ParquetRows>, signal: AbortSignal): Promise<DeltaTable> {
    return new DeltaTable(store, parquet, await listLog(store, { signal }), signal)
  }

  /** What was passed over, in the order it was found: incomplete and unreadable checkpoints. */
  get notes(): readonly string[] {
    return this.#notes
  }

  /**
   * The table at a version or time. Protocol and metadata are read and checked here.
   * @param options.allowRefused reads on where features would refuse
   * @throws SluiceError VERSION_NOT_FOUND, LOG_GAP, MISSING_PROTOCOL, MISSING_METADATA, PROTOCOL_VERSION, TABLE_FEATURE, BAD_CHECKPOINT
   */
  async snapshot(
    at: At = {},
    options: { readonly allowRefused?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<Snapshot> {
    const signal = options.signal ?? this.#signal
    const version = at.version ?? (at.timestamp === undefined ? undefined : await this.versionAt(at.timestamp, signal))
    const snapshot = this.#snapshot(version)
    const head = await snapshot.head(signal)
    const refusal = options.allowRefused === true ? null : readerRefusal(head.protocol, head.metadata)
    if (refusal !== null)
      throw new SluiceError(refusal.code, refusal.message, { ...refusal.info(), where: this.store.label })
    return snapshot
  }

  /** The version that was the latest at a time. @throws SluiceError VERSION_NOT_FOUND when the log begins later */
  async versionAt(timestamp: number, signal: AbortSignal = this.#signal): Promise<number> {
    const rule = inCommitRule(await this.#snapshot().head(signal))
    const commits = this.#commits()
    // A checkpoint that stands alone has no time of its own that could be trusted.
    if (commits.length === 0) return this.run().from
    return versionAt(this.store, commits, rule, timestamp, signal)
  }

  /** What each commit of the history did, newest first. @throws SluiceError LOG_GAP, BAD_ACTION … */
  async *history(options: { readonly limit?: number; readonly signal: AbortSignal }): AsyncIterable<CommitSummary> {
    const rule = inCommitRule(await this.#snapshot().head(options.signal))
    const checkpointed = new Set(this.listing.checkpoints.map(({ version }) => version))
    yield* commitHistory({ store: this.store, commits: this.#commits(), rule, checkpointed }, options)
  }

  /** The changes of the commits `from + 1` to `to`. @throws SluiceError VERSION_NOT_FOUND, LOG_GAP, BAD_ACTION … */
  changes(from: number, to: number, signal: AbortSignal): AsyncIterable<Change> {
    return changesBetween(this.store, this.listing, from, to, signal)
  }

  /** The stretch of the log that ends at the latest version without a gap. @throws SluiceError LOG_GAP */
  run(): History {
    return historyOf(this.listing, this.#unreadable)
  }

  #commits(): readonly CommitFile[] {
    const { baseCommit, commits } = this.run()
    return baseCommit === null ? commits : [baseCommit, ...commits]
  }

  #snapshot(version?: number): Snapshot {
    const note = (text: string): void => {
      this.#notes.push(text)
    }
    const { store, listing } = this
    return new Snapshot({ store, parquet: this.#parquet, listing, unreadable: this.#unreadable, note }, version)
  }
}
