/** Number of kept events of a run; the same for screens and run journal, so that a late viewer sees the same lists. */
export const KEPT = {
  /** Completed chunks, newest. */
  chunksDone: 60,
  /** Chunks that failed, have quarantined rows, or are paused or skipped; newest. */
  chunksNoted: 500,
  /** Quarantined rows per chunk. */
  rowsOfChunk: 20,
  /** Events of any other list, newest. */
  listed: 500,
  /** Samples of the curves of a stream, one per second. */
  curve: 60,
} as const
