/** Where a log lives: three calls that a local folder and an object store can both answer. */

/** One object below a folder. `size` in bytes and `modified` in ms since the epoch, absent when not asked for. */
export type LogEntry = { readonly name: string; readonly size?: number; readonly modified?: number }

export type LogObject = { readonly size: number; readonly modified: number }

export interface LogStore {
  /** Canonical URI of the table root, without a trailing slash: `file:///lake/orders`. */
  readonly root: string
  /** The root as a person gave it, for messages. */
  readonly label: string
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
   * Bytes of one object from `start` (0) up to `end` (exclusive), in chunks of at most a few MB. Small objects come whole.
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, SOURCE_IO
   */
  read(
    path: string,
    options: { readonly start?: number; readonly end?: number; readonly signal: AbortSignal },
  ): AsyncIterable<Buffer>
  /** Size and time of one object, or null when there is none. */
  head(path: string, signal: AbortSignal): Promise<LogObject | null>
  /** A local file with the object's bytes, for readers that need one; disposing removes what was made for it. */
  localFile(path: string, signal: AbortSignal): Promise<AsyncDisposable & { readonly file: string }>
}
