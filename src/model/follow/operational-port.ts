/** What a store says of tables beside their rows: whether they can be worked with. Nothing of it changes anything that stays. */
import type { TableName, TableSpec } from '../copy/column-type.ts'
import type { SignOffCheck } from './sign-off.ts'

export interface OperationalExam {
  /**
   * Looks at tables as somebody would use them: a write lands (and is rolled back), a query by the partition key reads one partition, indexes and constraints
   * are in force, sequences are behind no value of their columns.
   * @returns every check for every table, also those that could not be made
   */
  check(tables: readonly TableSpec[], signal: AbortSignal): Promise<readonly SignOffCheck[]>
  /** The partition of a table that has this name, with its schema or without; null where the table has none of that name that holds rows itself. */
  partition(table: TableName, name: string, signal: AbortSignal): Promise<TableName | null>
}
