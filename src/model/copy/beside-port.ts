/** What belongs to tables beside rows, keys, indexes and constraints: what a copy can bring along of it, and what stays behind. */
import type { TableName, TableSpec } from './column-type.ts'
import type { LeftBehind } from './left-behind.ts'
import type { ColumnSequence } from './sequence.ts'

/** What a copy looks at: some tables, or all that a pattern found. */
export type LeftScope = {
  readonly tables: readonly TableName[]
  /** A pattern with `*` was asked for: views, events and other schemas are named too. */
  readonly all: boolean
  /** Tables that inherit from those are named, too, with their rows: of a source, since these are counted. */
  readonly children?: true
}

/** Lookups never fail for want of rights: they answer with an entry of the kind `unread`. */
export interface BesideStore {
  /** What the given tables have and a copy does not bring along. None for a table that does not exist. */
  left(scope: LeftScope, signal: AbortSignal): Promise<readonly LeftBehind[]>
  /** Sequences that number columns of a table, with their positions as of now. None for a table that does not exist. */
  sequences(table: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]>
  /** The table with the expressions of its generated columns and with the options it was created with. */
  detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec>
  /** Which of some collations of another database of its kind a new table can have here; absent where those are part of the system. */
  collations?(names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>
}
