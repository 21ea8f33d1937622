/** Checks, besides the comparison of rows, whether tables are usable. Makes no lasting changes. */
import type { TableName, TableSpec } from '../copy/column-type.ts'
import type { ColumnSequence } from '../copy/sequence.ts'
import type { SignOffCheck } from './sign-off.ts'

/** @property sequences sequences of the source, by columns of the table */
export type OperationalTable = { readonly spec: TableSpec; readonly sequences: readonly ColumnSequence[] }

export interface OperationalPreflight {
  /**
   * Tests for each table that a write works (it is rolled back), that a query by the partition key reads one partition,
   * that indexes and constraints are in force, and that sequences are behind neither the values of their columns nor
   * the source.
   * @returns every check for every table, also those that could not be made
   */
  check(tables: readonly OperationalTable[], signal: AbortSignal): Promise<readonly SignOffCheck[]>
  /** The partition with this name, with or without schema; null if no such partition stores rows itself. */
  partition(table: TableName, name: string, signal: AbortSignal): Promise<TableName | null>
}
