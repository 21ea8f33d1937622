/**
 * How much of a run is kept event by event. A screen lists so much, and the journal keeps as much, so that a program that
 * joins the run late shows the same lists.
 */
export const KEPT = {
  /** Chunks that are done, the newest. */
  chunksDone: 60,
  /** Chunks that failed, have rows set aside or are held back, the newest. */
  chunksNoted: 500,
  /** Rows set aside, of a chunk. */
  rowsOfChunk: 20,
  /** Events of any other list, the newest. */
  listed: 500,
  /** Samples of the curves of a stream, one a second. */
  curve: 60,
} as const
