/** Read access to a Delta log, for local folders and object stores. */
import type { SluiceError } from '../../shared/errors.ts'

/** One object in a folder. `size` in bytes and `modified` in ms since the epoch, absent unless requested. */
export type LogListingEntry = {
  readonly name: string
  readonly size?: number
  readonly modified?: number
  /** Changes with every write, even if size and time stay: inode and change time on disk, ETag in a bucket. */
  readonly stamp?: string
}

/** A file below a folder. */
export type FileEntry = Required<Omit<LogListingEntry, 'stamp'>>

/** `etag`: identifies the bytes in a bucket; absent on a disk, null if the store returns none. */
export type LogObject = { readonly size: number; readonly modified: number; readonly etag?: string | null }

/** Requests sent by a store, each try counted, and bytes of response bodies. */
export type RequestCounts = {
  readonly lists: number
  readonly gets: number
  readonly heads: number
  readonly bytes: number
  /** Longest chain of requests, each begun after the end of the previous one: the reader waits this many latencies. */
  readonly inSequence: number
}

/** Call at the start of a request. @returns position of the request in its chain */
export function requestBegins(counts: { inSequence: number }): number {
  return counts.inSequence + 1
}

/** Call at the end of a request. @param place result of `requestBegins` for this request */
export function requestEnds(counts: { inSequence: number }, place: number): void {
  counts.inSequence = Math.max(counts.inSequence, place)
}

export interface LogStore {
  /** Canonical URI of the table root, without a trailing slash: `file:///lake/orders`. */
  readonly root: string
  /** The root as the user gave it, for messages. */
  readonly label: string
  /** Live counts of a store whose calls are requests; absent for a local folder. */
  readonly requests?: RequestCounts
  /**
   * True if a listing has pages that cost a request each. Readers of the newest version then read `_last_checkpoint`
   * and list from there; otherwise they list everything, which is one cheap call.
   */
  readonly pagedListing?: boolean
  /**
   * Objects directly in `folder` (relative to the root, '/' between parts; '' is the root), in byte order of their
   * names, without subfolders. A missing folder is empty.
   * @throws SluiceError SOURCE_DENIED, SOURCE_IO
   */
  list(
    folder: string,
    options: { readonly after?: string; readonly attributes: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogListingEntry>
  /**
   * All objects below `folder` at any depth, as relative paths in byte order. Only if cheaper than a call per folder.
   * @throws SluiceError SOURCE_DENIED, SOURCE_IO
   */
  listDeep?(folder: string, signal: AbortSignal): AsyncIterable<string>
  /**
   * All objects below the table root at any depth, with size and time, as relative paths. Symbolic links to folders are
   * not entered. A store may skip folders of the root that `enter` refuses, or may return their objects nevertheless.
   * @param denied called for each folder below the root to which access is denied; the listing continues
   * @throws SluiceError SOURCE_DENIED, without `denied` or for the root itself; SOURCE_IO
   */
  listFiles?(
    enter: (folder: string) => boolean,
    signal: AbortSignal,
    denied?: (folder: string, error: SluiceError) => void,
  ): AsyncIterable<FileEntry>
  /**
   * Bytes of one object from `start` (default 0) to `end` (exclusive), in chunks of at most a few MB. A small object is
   * one chunk.
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, SOURCE_IO; LOG_CHANGED if the object was replaced during the read
   */
  read(
    path: string,
    options: {
      readonly start?: number
      readonly end?: number
      readonly signal: AbortSignal
      /** Expected ETag of the object. Ignored on a disk. */
      readonly etag?: string
    },
  ): AsyncIterable<Buffer>
  /**
   * Announces that these objects will soon be read completely in this order, so that a remote store can prefetch them.
   * Replaces the previous announcement. The caller need not read them, and the call never fails.
   * @param options.keep true if they will be read a second time
   */
  prefetch?(paths: readonly string[], options: { readonly signal: AbortSignal; readonly keep?: boolean }): void
  /** Size and time of one object; null if it does not exist. */
  head(path: string, signal: AbortSignal): Promise<LogObject | null>
  /**
   * A local file with the object's bytes; disposing removes a temporary one.
   * @param options.columns of a Parquet file: the only top-level columns that will be read. Data of other columns may
   * be missing
   * @param options.known the object as returned by `head`. If the store has ETags, a replaced object is LOG_CHANGED
   */
  localFile(
    path: string,
    signal: AbortSignal,
    options?: { readonly columns?: readonly string[]; readonly known?: LogObject },
  ): Promise<AsyncDisposable & { readonly file: string }>
}
