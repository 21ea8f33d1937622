/** Column values, time ranges and column facts that archives need from a store. */
import type { Column, TableSpec } from '../copy/column-type.ts'
import type { RowTest } from './row-test.ts'
import type { ColumnNumbers } from './stored-column.ts'

/** `odd`: set if the value does not fit the column's type, which the system does not enforce; shown as a literal. */
export type ColumnValue = { readonly value: string | null; readonly rows: bigint; readonly odd?: true }

export type ColumnValues = {
  /** Texts as the system prints them, for `normalizer`; null is NULL. */
  readonly values: readonly ColumnValue[]
  readonly more: boolean
}

export type TimeExtent = {
  /** Smallest and largest value; null if no row has a value. */
  readonly low: string | null
  readonly high: string | null
  /** Number of rows in which the column is NULL: they belong to no period. */
  readonly nulls: bigint
  /** Number of rows with an invalid date, which sorts before all others; absent if there are none. */
  readonly unreal?: bigint
}

export interface Times {
  /**
   * A condition for rows whose time in a column is within `from` (inclusive) and `to` (exclusive); null if the column
   * has no time type. Integers are treated as times, with digits as bounds.
   * @param from canonical text, in UTC for a column with a time zone; null is open. A day means its start
   * @throws SluiceError VALUE_REFUSED for a bound that is not a time
   */
  condition(column: Column, from: string | null, to: string | null): string | null
  /**
   * As `condition`, but true for every row that may have a time within the bounds, and false only for rows that
   * certainly have none. The condition may compare only the day in the text of a time. Absent if the system enforces
   * column types, because `condition` is then exact.
   */
  around?(column: Column, from: string | null, to: string | null): string | null
}

export interface TimeExtents {
  /**
   * Smallest and largest value of a column that `Times.condition` supports, as canonical text, and the number of NULLs.
   * @throws SluiceError VALUE_REFUSED for values that are not times, in systems that do not enforce column types
   */
  of(table: TableSpec, column: Column, signal: AbortSignal): Promise<TimeExtent>
}

export interface RowValues {
  /**
   * SQL condition for exactly the rows that match a test.
   * @returns null if this system does not compare one of the columns by canonical text
   */
  condition(columns: readonly Column[], test: RowTest): string | null
  /**
   * Distinct values of a column with row counts, grouped by equal bytes or equal numbers; reads the whole column.
   * @param most limit of values; `more` is set if there are others
   * @returns null if `condition` supports no value of the column
   */
  values(table: TableSpec, column: Column, most: number, signal: AbortSignal): Promise<ColumnValues | null>
}

/** Facts about columns that an archive keeps besides their types. */
export interface ColumnFacts {
  /**
   * Numbers of the columns, which a rename does not change. Null if the system has none, or if the table does not
   * exist.
   */
  numbers(table: TableSpec, signal: AbortSignal): Promise<ColumnNumbers | null>
  /** User comments, by column name. */
  comments(table: TableSpec, signal: AbortSignal): Promise<Readonly<Record<string, string>>>
}
