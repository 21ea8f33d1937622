/** A table that is copied period by period: where its rows are parted, and in which order the parts come. Pure data, stored with what a stream was asked for. */

/** Where a period, or a slice of one, begins. */
export type PeriodMark = {
  /** The largest value of the column that lies before it, as the source prints values: what is in it sorts behind this. */
  readonly after: string
  /** Partition that its rows go to; null between and behind partitions, where they go to the default one. */
  readonly partition: string | null
  /** What the calendar calls it. */
  readonly label: string | null
  /** Of a slice: its week or month. */
  readonly slice?: string
}

/** A stretch of time by the values of the column, as the source prints them. @property through null where it has no end */
export type TimeSpan = {
  /** The largest value that lies before it. */
  readonly after: string
  /** The largest value that lies in it. */
  readonly through: string | null
}

export type PeriodWish = {
  /** Ascending. What lies before the first mark belongs to no period. */
  readonly marks: readonly PeriodMark[]
  /** Partition whose rows are copied before all others; then older ones, the newest first, then later ones. */
  readonly first: string
}
