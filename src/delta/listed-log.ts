/**
 * The listing of a log folder: all files, or only files from the last checkpoint on, and the older files when needed. A
 * store may list in pages that cost a request each: one page is then enough for the newest version of a long log.
 */
import { throwIfAborted } from '../shared/abort.ts'
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import { readHint } from './last-checkpoint.ts'
import { listLog, type CheckpointFiles, type LogListing } from './listing.ts'
import { segmentAt } from './segment.ts'

/** What the caller needs: `newest` = the newest version only, `all` = also older versions and the history. */
export type LogReach = 'newest' | 'all'

export class ListedLog {
  readonly #store: LogStore
  #known: LogListing
  /** Files of versions below this are not listed yet; 0 if all files are listed. */
  #from: number
  #whole: Promise<LogListing> | null = null

  private constructor(store: LogStore, known: LogListing, from: number) {
    this.#store = store
    this.#known = known
    this.#from = from
  }

  /**
   * Lists the whole log. For `newest` it lists only from the last checkpoint on, if the store lists in pages and this
   * is enough to build the newest version.
   * @throws SluiceError NO_LOG, SOURCE_DENIED, SOURCE_IO
   */
  static async list(store: LogStore, reach: LogReach, signal: AbortSignal): Promise<ListedLog> {
    const newest = reach === 'newest' && store.pagedListing === true ? await listNewest(store, signal) : null
    if (newest !== null) return new ListedLog(store, newest.listing, newest.from)
    return new ListedLog(store, await listLog(store, { signal }), 0)
  }

  /** The files listed so far: all files from some version on, including those of the newest version. */
  get known(): LogListing {
    return this.#known
  }

  get isWhole(): boolean {
    return this.#from === 0
  }

  /** The whole log; known files and checkpoints stay the same objects. @throws SluiceError SOURCE_DENIED, SOURCE_IO */
  whole(signal: AbortSignal): Promise<LogListing> {
    if (this.isWhole) return Promise.resolve(this.#known)
    this.#whole ??= this.#complete(signal).finally(() => (this.#whole = null))
    return this.#whole
  }

  /**
   * A listing that is enough to find the files of a version: the known part if it has the necessary checkpoint,
   * otherwise the whole log.
   * @param version undefined: the newest
   * @throws SluiceError SOURCE_DENIED, SOURCE_IO
   */
  async for(
    version: number | undefined,
    without: ReadonlySet<CheckpointFiles>,
    signal: AbortSignal,
  ): Promise<LogListing> {
    return !this.isWhole && canBuild(this.#known, version, without) ? this.#known : this.whole(signal)
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

/**
 * Lists from the checkpoint of the hint on. Null if this fails or is not enough: the caller then lists the whole log.
 */
async function listNewest(
  store: LogStore,
  signal: AbortSignal,
): Promise<{ readonly listing: LogListing; readonly from: number } | null> {
  try {
    const from = (await readHint(store, signal))?.version ?? 0
    if (from === 0) return null
    const listing = await listLog(store, { signal, from })
    return canBuild(listing, undefined, new Set()) ? { listing, from } : null
  } catch (error) {
    throwIfAborted(signal)
    // A store may deny access instead of reporting a missing object. The listing of the whole log reports the real
    // error.
    if (error instanceof SluiceError && error.kind !== 'stopped' && error.kind !== 'internal') return null
    throw error
  }
}

/**
 * True if a listing that begins above version 0 is enough to build a version: it has a usable checkpoint at or below
 * this version. Checkpoints that are not listed are older.
 */
function canBuild(listing: LogListing, version: number | undefined, without: ReadonlySet<CheckpointFiles>): boolean {
  try {
    return segmentAt(listing, version, without).checkpoint !== null
  } catch (error) {
    if (error instanceof SluiceError) return false
    throw error
  }
}
