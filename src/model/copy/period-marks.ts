/** Copy by period: where rows are split, and the order of the periods. Plain data, stored with a stream's options. */

/** Start of a period, or of a slice of one. */
export type PeriodMark = {
  /** The largest value of the column before it, as the source prints values; its own values sort after this. */
  readonly after: string
  /** Partition for its rows; null between and after partitions, where rows go to the default partition. */
  readonly partition: string | null
  /** Its name in the calendar. */
  readonly label: string | null
  /** The week or month of a slice. */
  readonly slice?: string
}

/** A range of the time column, as the source prints values. @property through null if the range has no end */
export type TimeSpan = {
  /** The largest value before it. */
  readonly after: string
  /** The largest value in it. */
  readonly through: string | null
}

export type PeriodOptions = {
  /** Ascending. Rows before the first mark belong to no period. */
  readonly marks: readonly PeriodMark[]
  /** Partition copied first; then older ones, newest first, then later ones. */
  readonly first: string
}
