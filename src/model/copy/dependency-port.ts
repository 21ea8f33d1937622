/** Dependencies of tables besides rows, keys, indexes and constraints. A copy transfers some of them. */
import type { TableName, TableSpec } from './column-type.ts'
import type { FoundDependency } from './dependencies.ts'
import type { ColumnSequence } from './sequence.ts'

/** Scope of a copy: listed tables, or all that a pattern found. */
export type DependencyScope = {
  readonly tables: readonly TableName[]
  /** True if a pattern with `*` was given: views, events and other schemas are reported too. */
  readonly all: boolean
  /** Set to report tables that inherit from these, too, and to count their rows; only for the source. */
  readonly children?: true
}

/** Missing rights never fail a lookup: the result then has an entry of the kind `unread`. */
export interface DependencyStore {
  /** Dependencies of the given tables that a copy does not transfer. Empty for a table that does not exist. */
  notCopied(scope: DependencyScope, signal: AbortSignal): Promise<readonly FoundDependency[]>
  /** Sequences that number columns of a table, with their current positions. Empty for a table that does not exist. */
  sequences(table: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]>
  /** The table with the expressions of its generated columns and its creation options. */
  detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec>
  /** Which of another database's collations also exist in this one; absent if the system's collations are fixed. */
  collations?(names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>
}
