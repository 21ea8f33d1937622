/** Writes a checkpoint of a Delta log, for exports. */

/** The columns of a classic checkpoint, in the order of the protocol. */
export const CHECKPOINT_KINDS = ['txn', 'add', 'remove', 'metaData', 'protocol', 'domainMetadata'] as const

export type CheckpointKind = (typeof CHECKPOINT_KINDS)[number]

/** One row of a checkpoint. */
export type CheckpointRow = {
  readonly kind: CheckpointKind
  /** The action as one JSON object without line breaks: `{"add":{…}}`. Numbers keep all their digits. */
  readonly json: string
}

export type WrittenCheckpoint = {
  readonly rows: number
  /** Size of the file. */
  readonly bytes: number
}

export interface CheckpointWriter {
  /**
   * Writes a classic checkpoint in one Parquet file: columns and types of PROTOCOL.md, "Checkpoint Schema"; rows in the
   * given order. Before the file gets its name, its rows are counted again by kind, and it is synced to disk.
   * @param file must not exist; a temporary text file of the rows is next to it during the write
   * @throws SluiceError VALUE_REFUSED for values that Parquet cannot hold (a lone surrogate, a number above 64 bits),
   * NO_SPACE, TARGET_IO
   */
  write(file: string, rows: AsyncIterable<readonly CheckpointRow[]>, signal: AbortSignal): Promise<WrittenCheckpoint>
}
