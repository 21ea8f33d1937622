/** A Delta table read through its log. The log is listed once, and again if the listing for `newest` is too short. */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { ParquetRows } from '../model/lake/parquet-rows.ts'
import { logChanges, type LoggedChange } from './changes.ts'
import { proveCheckpoint } from './checkpoint.ts'
import { readerRefusal } from './features.ts'
import { historyCutOff, logGaps, type Gaps } from './gaps.ts'
import { commitHistory, type CommitSummary } from './history.ts'
import { ListedLog, type LogReach } from './listed-log.ts'
import { checkpointModified, incompleteNotes, type CheckpointFiles, type LogListing } from './listing.ts'
import { commitsOf, logHistory, segmentAt, type History, type LogSegment } from './segment.ts'
import { allowsFallback, Snapshot } from './snapshot.ts'
import { inCommitRule, versionAt } from './timestamps.ts'

/** A version, or a time in ms since the epoch; the latest version if neither is given. */
export type AtVersion = { readonly version?: number; readonly timestamp?: number }

export class DeltaTable {
  readonly store: LogStore
  readonly #log: ListedLog
  readonly #parquet: () => Promise<ParquetRows>
  readonly #signal: AbortSignal
  readonly #notes: string[] = []
  readonly #unreadable = new Set<CheckpointFiles>()

  private constructor(store: LogStore, parquet: () => Promise<ParquetRows>, log: ListedLog, signal: AbortSignal) {
    this.store = store
    this.#log = log
    this.#parquet = parquet
    this.#signal = signal
  }

  /**
   * Lists the log; opens no file except, for `newest`, `_last_checkpoint`.
   * @param parquet called only when a Parquet checkpoint must be read
   * @param signal for listing, and for calls without their own signal
   * @param reach `newest` for readers of the newest version: in a bucket the log is listed from the last checkpoint on.
   * All other calls work as well, after a second listing
   * @throws SluiceError NO_LOG, SOURCE_DENIED, SOURCE_IO
   */
  static async open(
    store: LogStore,
    parquet: () => Promise<ParquetRows>,
    signal: AbortSignal,
    reach: LogReach = 'all',
  ): Promise<DeltaTable> {
    return new DeltaTable(store, parquet, await ListedLog.list(store, reach, signal), signal)
  }

  /** The newest version. */
  get latest(): number {
    return this.#log.known.latest as number
  }

  /**
   * Notes on skipped checkpoints: incomplete ones among the listed files, then unreadable ones in order of discovery.
   */
  get notes(): readonly string[] {
    return [...incompleteNotes(this.#log.known), ...this.#notes]
  }

  /** All files of the log. @throws SluiceError SOURCE_DENIED, SOURCE_IO */
  listing(signal: AbortSignal = this.#signal): Promise<LogListing> {
    return this.#log.whole(signal)
  }

  /**
   * The table at a version or time. Reads and checks protocol and metadata.
   * @param options.allowRefused reads the table even if sluice does not support its protocol or features
   * @throws SluiceError VERSION_NOT_FOUND, LOG_GAP, MISSING_PROTOCOL, MISSING_METADATA, PROTOCOL_VERSION,
   * TABLE_FEATURE, BAD_CHECKPOINT
   */
  async snapshot(
    at: AtVersion = {},
    options: { readonly allowRefused?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<Snapshot> {
    const signal = options.signal ?? this.#signal
    const version = at.version ?? (at.timestamp === undefined ? undefined : await this.versionAt(at.timestamp, signal))
    const snapshot = await this.#snapshot(version, signal)
    const head = await snapshot.head(signal)
    const refusal = options.allowRefused === true ? null : readerRefusal(head.protocol)
    if (refusal !== null)
      throw new SluiceError(refusal.code, refusal.message, { ...refusal.info(), where: this.store.label })
    return snapshot
  }

  /** The version that was the latest at a time. @throws SluiceError VERSION_NOT_FOUND if the log begins later */
  async versionAt(timestamp: number, signal: AbortSignal = this.#signal): Promise<number> {
    const rule = inCommitRule(await (await this.#snapshot(undefined, signal)).head(signal))
    const { from, checkpoint, ...history } = await this.buildableHistory(signal)
    const commits = commitsOf({ from, checkpoint, ...history })
    // A checkpoint without its commit has no reliable time.
    if (commits.length === 0) return from
    const hasAlone = checkpoint !== null && history.baseCommit === null && checkpointModified(checkpoint) <= timestamp
    return versionAt(this.store, commits, rule, timestamp, signal, hasAlone ? from : null)
  }

  /**
   * The files of a version, without checkpoints found unreadable. Opens no file.
   * @throws SluiceError VERSION_NOT_FOUND, LOG_GAP, SOURCE_DENIED, SOURCE_IO
   */
  async segment(version: number, signal: AbortSignal = this.#signal): Promise<LogSegment> {
    return segmentAt(await this.listing(signal), version, this.#unreadable)
  }

  /** Summaries of the commits of the history, newest first. @throws SluiceError LOG_GAP, BAD_ACTION … */
  async *history(options: { readonly limit?: number; readonly signal: AbortSignal }): AsyncIterable<CommitSummary> {
    const { signal } = options
    const rule = inCommitRule(await (await this.#snapshot(undefined, signal)).head(signal))
    const checkpointed = new Set((await this.listing(signal)).checkpoints.map(({ version }) => version))
    yield* commitHistory(
      { store: this.store, commits: commitsOf(await this.buildableHistory(signal)), rule, checkpointed },
      options,
    )
  }

  /** The changes of the commits `from + 1` to `to`. @throws SluiceError VERSION_NOT_FOUND, LOG_GAP, BAD_ACTION … */
  async *changes(from: number, to: number, signal: AbortSignal): AsyncIterable<LoggedChange> {
    yield* logChanges(this.store, await this.listing(signal), from, to, signal)
  }

  /**
   * The part of the log without a gap that ends at the latest version.
   * @throws SluiceError LOG_GAP, SOURCE_DENIED, SOURCE_IO
   */
  async buildableHistory(signal: AbortSignal = this.#signal): Promise<History> {
    return logHistory(await this.listing(signal), this.#unreadable)
  }

  /**
   * As `buildableHistory`, but its checkpoint is read to the end; if it cannot be read, the next older one is used.
   * @throws SluiceError as `buildableHistory`; BAD_CHECKPOINT if no other checkpoint can replace it
   */
  async readableHistory(signal: AbortSignal = this.#signal): Promise<History> {
    let failure: unknown = null
    for (;;) {
      const history = await this.buildableHistory(signal).catch((error: unknown) =>
        Promise.reject((failure ?? error) as Error),
      )
      const { checkpoint } = history
      if (checkpoint === null) return history
      try {
        await proveCheckpoint(this.store, this.#parquet, checkpoint, { signal })
        return history
      } catch (error) {
        if (!allowsFallback(error)) throw error
        failure ??= error
        this.#unreadable.add(checkpoint)
        this.#notes.push((error as Error).message)
      }
    }
  }

  /** Commits that are gone from the middle of the log. @throws SluiceError SOURCE_DENIED, SOURCE_IO */
  async gaps(signal: AbortSignal): Promise<Gaps> {
    return logGaps(await this.listing(signal), this.#unreadable)
  }

  /**
   * Why `buildableHistory` leaves out older files of the log; null if the log has no older files.
   * @throws SluiceError LOG_GAP, SOURCE_DENIED, SOURCE_IO
   */
  async cutOff(signal: AbortSignal): Promise<string | null> {
    return historyCutOff(await this.listing(signal), await this.buildableHistory(signal), this.#unreadable)
  }

  async #snapshot(version: number | undefined, signal: AbortSignal): Promise<Snapshot> {
    const note = (text: string): void => {
      this.#notes.push(text)
    }
    const { store } = this
    const log = this.#log
    const listing = await log.for(version, this.#unreadable, signal)
    const context = { store, parquet: this.#parquet, listing, unreadable: this.#unreadable, note }
    const whole = (given: AbortSignal): Promise<LogListing> => log.whole(given)
    return new Snapshot(log.isWhole ? context : { ...context, whole }, version)
  }
}
