/**
 * What is known of a log folder: all of it, or what lies from the last checkpoint on, and the rest as soon as something needs it. Where a
 * listing comes in pages that cost a request each, the newest version of a long log is found by one of them.
 */
import { throwIfAborted } from '../shared/abort.ts'
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import { readHint } from './last-checkpoint.ts'
import { listLog } from './listing.ts'
import type { CheckpointFiles, LogListing } from './listing.ts'
import { segmentAt } from './segment.ts'

/** What will be asked: `newest` stands for the newest version and nothing else, `all` for older ones and the history too. */
export type Reach = 'newest' | 'all'

export class ListedLog {
  readonly #store: LogStore
  #known: LogListing
  /** Files of versions below it are not listed yet; 0 when all are. */
  #from: number
  #whole: Promise<LogListing> | null = null

  private constructor(store: LogStore, known: LogListing, from: number) {
    this.#store = store
    this.#known = known
    this.#from = from
  }

  /**
   * Lists all of the log, or for `newest` only from the last checkpoint on: where the store lists in pages, and where that is enough to
   * build the newest version.
   * @throws SluiceError NO_LOG, SOURCE_DENIED, SOURCE_IO
   */
  static async list(store: LogStore, reach: Reach, signal: AbortSignal): Promise<ListedLog> {
    const newest = reach === 'newest' && store.pagedListing === true ? await listNewest(store, signal) : null
    if (newest !== null) return new ListedLog(store, newest.listing, newest.from)
    return new ListedLog(store, await listLog(store, { signal }), 0)
  }

  /** What has been listed so far: always everything from some version on, so that its newest version is that of the log. */
  get known(): LogListing {
    return this.#known
  }

  get isWhole(): boolean {
    return this.#from === 0
  }

  /**
   * All of the log. What was listed before stays as it was, and its checkpoints stay the same objects.
   * @throws SluiceError SOURCE_DENIED, SOURCE_IO
   */
  whole(signal: AbortSignal): Promise<LogListing> {
    if (this.isWhole) return Promise.resolve(this.#known)
    this.#whole ??= this.#complete(signal).finally(() => (this.#whole = null))
    return this.#whole
  }

  /**
   * A listing that decides which files make up a version: what is known where a checkpoint in it does, else all of the log.
   * @param version the newest when undefined
   * @throws SluiceError SOURCE_DENIED, SOURCE_IO
   */
  async for(
    version: number | undefined,
    without: ReadonlySet<CheckpointFiles>,
    signal: AbortSignal,
  ): Promise<LogListing> {
    return !this.isWhole && reaches(this.#known, version, without) ? this.#known : this.whole(signal)
  }

  async #complete(signal: AbortSignal): Promise<LogListing> {
    const older = await listLog(this.#store, { signal, before: this.#from, mayBeEmpty: true })
    const newer = this.#known
    this.#known = {
      commits: [...older.commits, ...newer.commits],
      checkpoints: [...older.checkpoints, ...newer.checkpoints],
      incomplete: [...older.incomplete, ...newer.incomplete],
      compacted: [...older.compacted, ...newer.compacted],
      crcs: [...older.crcs, ...newer.crcs],
      latest: newer.latest,
    }
    this.#from = 0
    return this.#known
  }
}

/** Null where the hint leads nowhere, for whatever reason: nothing depends on it. */
async function listNewest(
  store: LogStore,
  signal: AbortSignal,
): Promise<{ readonly listing: LogListing; readonly from: number } | null> {
  try {
    const from = (await readHint(store, signal))?.version ?? 0
    if (from === 0) return null
    const listing = await listLog(store, { signal, from })
    return reaches(listing, undefined, new Set()) ? { listing, from } : null
  } catch (error) {
    throwIfAborted(signal)
    // A store may refuse to tell that an object is missing. What is really wrong, the listing of everything will say.
    if (error instanceof SluiceError && error.kind !== 'stopped' && error.kind !== 'internal') return null
    throw error
  }
}

/**
 * Whether a listing that begins above version 0 is enough to build a version. Then it must hold a checkpoint at or below it, and there is
 * no newer one outside of it.
 */
function reaches(listing: LogListing, version: number | undefined, without: ReadonlySet<CheckpointFiles>): boolean {
  try {
    return segmentAt(listing, version, without).checkpoint !== null
  } catch (error) {
    if (error instanceof SluiceError) return false
    throw error
  }
}
