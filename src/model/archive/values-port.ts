/** Values of a column by which rows of a table are chosen. */

/** `odd`: not of the column's type, which the system does not enforce; shown as a literal. */
export type ColumnValue = { readonly value: string | null; readonly rows: bigint; readonly odd?: true }

export type ColumnValues = {
  /** Texts as the system prints them, for `normalizer`; null is NULL. */
  readonly values: readonly ColumnValue[]
  readonly more: boolean
}

export type TimeExtent = {
  /** Null if no row has a value. */
  readonly low: string | null
  readonly high: string | null
  /** Rows where it is NULL: they belong to no period. */
  readonly nulls: bigint
  /** Rows with an invalid date, which sort before all others; absent if there are none. */
  readonly unreal?: bigint
}
