/** Foreign keys that lead to a table or away from it, and constraints that existing rows may violate. */
import type { TableName } from '../copy/column-type.ts'

/** A foreign key that references a table. */
export type Referrer = {
  /** Name of the constraint; null if it has none. */
  readonly name: string | null
  /** The referencing table and its columns. */
  readonly table: TableName
  readonly columns: readonly string[]
  /** The referenced columns, in the same order. */
  readonly to: readonly string[]
  /** Operators that compare each column of `to` with the referencing one; `=` if absent. */
  readonly equal?: readonly string[]
  /** As the system writes it: `NO ACTION`, `CASCADE`. */
  readonly onDelete: string
  /** True if the key prevents any removal of rows, whether or not a row is referenced. */
  readonly stopsRemoval: boolean
  /** True if the table references itself. */
  readonly own: boolean
  /** True for MATCH FULL: a row with some NULLs, but not all, violates the key. */
  readonly full?: boolean
  /** True if the key ends with a PERIOD, which several rows of the referenced table may cover together. */
  readonly period?: boolean
}

/** A foreign key of a table, or one that references it. */
export type TableKey = {
  readonly key: Referrer
  /** The referenced table. */
  readonly parent: TableName
  /** True if it is a key of the table or of its partitions. */
  readonly leaves: boolean
  /** True if it references the table or its partitions. */
  readonly arrives: boolean
}

/** A referencing row: its referencing columns, as text; or `unknown`: why it could not be determined. Null if none. */
export type ReferringRow = { readonly values: readonly string[] } | { readonly unknown: string } | null

/** A foreign key whose rows are counted. */
export type CountedKey = Pick<TableKey, 'key' | 'parent'>

/** Rows that reference a missing row; `unknown`: why they are not counted, as text. */
export type Orphans = { readonly rows: bigint } | { readonly unknown: string }

/** Rows of a table whose foreign key references missing rows. */
export type DanglingRows = { readonly columns: readonly string[]; readonly to: TableName; readonly rows: bigint }

/** Foreign keys that reference tables. */
export interface ReferrerStore {
  /** Keys of other tables and of the table itself, sorted by table and name. */
  list(table: TableName, signal: AbortSignal): Promise<readonly Referrer[]>
  /** Foreign keys of the table and those that reference it, with those of its partitions. */
  keys(table: TableName, signal: AbortSignal): Promise<readonly TableKey[]>
  /**
   * Finds one row that references a row of the table.
   * @param condition selects rows of the table, in the SQL of the store; referencing rows that also match it are
   * ignored. Null means all
   * @param timeLimitMs time limit; systems that cannot stop a statement skip large tables
   * @returns null if there is none
   */
  referringRow(
    table: TableName,
    referrer: Referrer,
    condition: string | null,
    timeLimitMs: number,
    signal: AbortSignal,
  ): Promise<ReferringRow>
  /**
   * Counts rows that reference a missing row. Errors of the system become `unknown`; only a lost connection is thrown.
   * @param timeLimitMs as in `referringRow`
   */
  orphans(key: CountedKey, timeLimitMs: number, signal: AbortSignal): Promise<Orphans>
  /**
   * Rows of the table that reference missing rows, by foreign key; keys without such rows are left out. Absent if
   * sessions of the store enforce foreign keys.
   * @param condition selects rows of the table, in the SQL of the store; null means all
   */
  dangling?(table: TableName, condition: string | null, signal: AbortSignal): Promise<readonly DanglingRows[]>
}

/** A constraint of a table that existing rows may violate, because the system did not check all of them. */
export type UncheckedConstraint = {
  /** Kind and name for a message: `CHECK positive`. */
  readonly constraint: string
  /** Set for a constraint of a column's type: a partition that is created again as a table refuses such rows, too. */
  readonly ofType?: true
  /**
   * SQL condition of the store that is true for a violating row, with unqualified column names. Null if it would run
   * code of a role that is not trusted.
   */
  readonly violated: string | null
}

export interface UncheckedStore {
  /** Constraints of a table that apply to new rows, although existing rows may violate them. */
  list(table: TableName, signal: AbortSignal): Promise<readonly UncheckedConstraint[]>
}
