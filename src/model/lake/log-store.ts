/** Where a log lives: three calls that a local folder and an object store can both answer. */
import type { SluiceError } from '../../shared/errors.ts'

/** One object below a folder. `size` in bytes and `modified` in ms since the epoch, absent when not asked for. */
export type LogEntry = {
  readonly name: string
  readonly size?: number
  readonly modified?: number
  /** Changes whenever the file is written, though its size and time stay: inode and change time of a disk, ETag of a bucket. */
  readonly stamp?: string
}

/** A file below a folder. */
export type FileEntry = Required<Omit<LogEntry, 'stamp'>>

/** `etag`: of a bucket, what the store calls these very bytes; absent on a disk, null where the store says none. */
export type LogObject = { readonly size: number; readonly modified: number; readonly etag?: string | null }

/** Requests that a store has sent so far, each try counted, and the bytes of bodies that came back. */
export type RequestCounts = {
  readonly lists: number
  readonly gets: number
  readonly heads: number
  readonly bytes: number
  /** The longest chain of them in which each began behind the end of the one before: a reader pays latency once for each of these. */
  readonly inSequence: number
}

/** @returns which of a chain the request is that begins now */
export function requestBegins(counts: { inSequence: number }): number {
  return counts.inSequence + 1
}

/** @param place what `requestBegins` said of the request that has its answer now */
export function requestEnds(counts: { inSequence: number }, place: number): void {
  counts.inSequence = Math.max(counts.inSequence, place)
}

export interface LogStore {
  /** Canonical URI of the table root, without a trailing slash: `file:///lake/orders`. */
  readonly root: string
  /** The root as a person gave it, for messages. */
  readonly label: string
  /** Live counts of a store where every call is a request; absent for a local folder. */
  readonly requests?: RequestCounts
  /**
   * Whether a listing comes in pages that cost a request each. Then readers of the newest version list from the last checkpoint on, after a
   * look at `_last_checkpoint`; where it is absent they list everything, which is one cheap call.
   */
  readonly pagedListing?: boolean
  /**
   * Objects directly below `folder` (relative to the root, '/' between parts; '' is the root), in byte order of
   * their names, sub-folders left out. A folder that does not exist is empty.
   * @throws SluiceError SOURCE_DENIED, SOURCE_IO
   */
  list(
    folder: string,
    options: { readonly after?: string; readonly attributes: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogEntry>
  /**
   * All objects below `folder` at any depth, as paths relative to it, in byte order. Only where that costs fewer calls than one a folder.
   * @throws SluiceError SOURCE_DENIED, SOURCE_IO
   */
  listDeep?(folder: string, signal: AbortSignal): AsyncIterable<string>
  /**
   * All objects below the table root at any depth, with size and time, as paths relative to it. A local folder that is a link is not entered.
   * Folders of the root that `enter` refuses are left out where that saves requests, so a caller may get some of their objects.
   * @param denied hears of each folder below the root that may not be listed, and the listing goes on without it
   * @throws SluiceError SOURCE_DENIED, without `denied` or of the root itself; SOURCE_IO
   */
  listFiles?(
    enter: (folder: string) => boolean,
    signal: AbortSignal,
    denied?: (folder: string, error: SluiceError) => void,
  ): AsyncIterable<FileEntry>
  /**
   * Bytes of one object from `start` (0) up to `end` (exclusive), in chunks of at most a few MB. Small objects come whole.
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, SOURCE_IO; LOG_CHANGED when the object was replaced while it was read
   */
  read(
    path: string,
    options: {
      readonly start?: number
      readonly end?: number
      readonly signal: AbortSignal
      /** The object has to be this one still. Not looked at on a disk. */
      readonly etag?: string
    },
  ): AsyncIterable<Buffer>
  /**
   * Says that these objects will be read whole, in this order and soon, so that a store far away can fetch several at a time. Replaces
   * what was said before. Nothing has to be read, and nothing fails here.
   * @param options.keep they will be read a second time
   */
  ahead?(paths: readonly string[], options: { readonly signal: AbortSignal; readonly keep?: boolean }): void
  /** Size and time of one object, or null when there is none. */
  head(path: string, signal: AbortSignal): Promise<LogObject | null>
  /**
   * A local file with the object's bytes, for readers that need one; disposing removes what was made for it.
   * @param options.columns of a Parquet file: the only top-level columns whose data will be read. Data of the others may be missing
   * @param options.known the object as `head` has just said it is: another one is LOG_CHANGED where the store has ETags
   */
  localFile(
    path: string,
    signal: AbortSignal,
    options?: { readonly columns?: readonly string[]; readonly known?: LogObject },
  ): Promise<AsyncDisposable & { readonly file: string }>
}
