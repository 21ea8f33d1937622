/** A column as it is written. */
import type { Column, ColumnType } from './column-type.ts'

export type WriteColumn = {
  readonly name: string
  readonly as: ColumnType
  readonly column: Column
  /** As `ReadColumn.exact`, where what was written is read back. */
  readonly exact?: true
}
