/** Writing a checkpoint of a Delta log, as whoever exports a log needs it. */

/** The columns of a classic checkpoint, in the order of the protocol. */
export const CHECKPOINT_KINDS = ['txn', 'add', 'remove', 'metaData', 'protocol', 'domainMetadata'] as const

export type CheckpointKind = (typeof CHECKPOINT_KINDS)[number]

/** One row of a checkpoint. */
export type CheckpointRow = {
  readonly kind: CheckpointKind
  /** The action as one JSON object without a line break: `{"add":{…}}`. Numbers keep all their digits. */
  readonly json: string
}

export type WrittenCheckpoint = {
  readonly rows: number
  /** Size of the file. */
  readonly bytes: number
}

export interface CheckpointWriter {
  /**
   * Writes a classic checkpoint in one Parquet file: columns and types of PROTOCOL.md, "Checkpoint Schema"; rows in their order. The file
   * appears under its name when it is whole, counted again kind by kind, and on the disk.
   * @param file must not exist; text of the rows lies beside it for as long as it is written
   * @throws SluiceError VALUE_REFUSED for what Parquet cannot hold (half of a surrogate pair, a number above 64 bits), NO_SPACE, TARGET_IO
   */
  write(file: string, rows: AsyncIterable<readonly CheckpointRow[]>, signal: AbortSignal): Promise<WrittenCheckpoint>
}
