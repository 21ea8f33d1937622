/** Copy by period: where rows are split, and the order of the periods. Plain data, stored with a stream's options. */

/** Start of a period, or of a slice of one. */
export type PeriodMark = {
  /** Largest column value before the period, as the source prints it: values of the period sort after it. */
  readonly after: string
  /** Partition for its rows; null if no partition covers them, so that they go to the default partition. */
  readonly partition: string | null
  /** Name of the period in the calendar; null if the period has none. */
  readonly label: string | null
  /** The week or month of a slice. */
  readonly slice?: string
}

/** A range of the time column, as the source prints values. @property through null if the range has no end */
export type TimeRange = {
  /** Largest value before the range. */
  readonly after: string
  /** Largest value in the range. */
  readonly through: string | null
}

export type PeriodOptions = {
  /** Ascending. Rows before the first mark belong to no period. */
  readonly marks: readonly PeriodMark[]
  /** Partition that is copied first. After it the older partitions are copied, newest first, then the later ones. */
  readonly first: string
}
