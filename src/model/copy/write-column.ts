/** A column that is written. */
import type { Column, ColumnType } from './column-type.ts'

export type WriteColumn = {
  readonly name: string
  readonly as: ColumnType
  readonly column: Column
  /** As `ReadColumn.exact`, when written rows are read back. */
  readonly exact?: true
}
