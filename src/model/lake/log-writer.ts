/** Writing into the folder of a Delta table, on a disk or in a bucket. Paths are relative to the root of the table, with '/' between parts. */

export interface LogWriter {
  /** Canonical URI of the table's root, without a trailing slash. */
  readonly root: string
  /** As a person gave it, for messages. */
  readonly label: string
  /** The folder itself, where it lies on a local disk: files can be written in their place. Null for a bucket. */
  readonly folder: string | null
  /**
   * Writes a small object unless there is one of that name; it is whole and on the disk, or in the bucket, when this returns. Of two that try at the
   * same time one has it.
   * @returns `exists` where there is another one. An answer that got lost is settled by reading: bytes that are the same were ours
   * @throws SluiceError TARGET_DENIED, NO_SPACE, TARGET_IO; UNSUPPORTED_URL for a bucket that overwrites all the same
   */
  putIfAbsent(path: string, bytes: Buffer, signal: AbortSignal): Promise<'written' | 'exists'>
  /**
   * Makes sure that of two writers one has a name here, before work is done for this place. Absent on a disk, where that is so; a bucket is asked once.
   * @throws SluiceError UNSUPPORTED_URL for a bucket that overwrites all the same; TARGET_DENIED, TARGET_IO
   */
  ready?(signal: AbortSignal): Promise<void>
  /** Writes or overwrites a small object, such as `_last_checkpoint`. */
  put(path: string, bytes: Buffer, signal: AbortSignal): Promise<void>
  /**
   * Brings a local file to its place under a name that nobody else uses, and makes sure that all of it is there. On a disk the file may be linked.
   * @throws as `putIfAbsent`; TARGET_IO where something else stands there
   */
  upload(path: string, file: string, signal: AbortSignal): Promise<void>
  /** Everything below a folder of the table, at any depth. `modified` in ms since the epoch. */
  listAll(
    folder: string,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly path: string; readonly size: bigint; readonly modified: number }>
  /** Removes an object; one that is not there is no error. */
  remove(path: string, signal: AbortSignal): Promise<void>
}
