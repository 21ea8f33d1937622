/** Writes to the folder of a Delta table, on disk or in a bucket. Paths are relative to the table root, with '/'. */

export interface LogWriter {
  /** Canonical URI of the table root, without a trailing slash. */
  readonly root: string
  /** As the user gave it, for messages. */
  readonly label: string
  /** The local folder, where files can be written in place. Null for a bucket. */
  readonly folder: string | null
  /**
   * Writes a small object unless an object has this name. On return it is complete and durable. Of two concurrent
   * writers exactly one succeeds.
   * @returns `exists` if another object has the name. After a lost reply, an object with equal bytes means `written`
   * @throws SluiceError TARGET_DENIED, NO_SPACE, TARGET_IO; UNSUPPORTED_URL for a bucket that overwrites nevertheless
   */
  putIfAbsent(path: string, bytes: Buffer, signal: AbortSignal): Promise<'written' | 'exists'>
  /**
   * Tests, before any work, that of two concurrent writers only one gets a name. Absent on a disk, which guarantees
   * that; a bucket is tested once.
   * @throws SluiceError UNSUPPORTED_URL for a bucket that overwrites nevertheless; TARGET_DENIED, TARGET_IO
   */
  ready?(signal: AbortSignal): Promise<void>
  /** Writes or overwrites a small object, such as `_last_checkpoint`. */
  put(path: string, bytes: Buffer, signal: AbortSignal): Promise<void>
  /**
   * Stores a local file under a unique name, and verifies that it is complete. On a disk the file may be linked.
   * @throws as `putIfAbsent`; TARGET_IO if another object has the name
   */
  upload(path: string, file: string, signal: AbortSignal): Promise<void>
  /** All files below a folder of the table, at any depth. `modified` in ms since the epoch. */
  listAll(
    folder: string,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly path: string; readonly size: bigint; readonly modified: number }>
  /** Removes an object; no error if it does not exist. */
  remove(path: string, signal: AbortSignal): Promise<void>
}
