/** A column as it is read. */
import type { Codec } from './codec.ts'
import type { Column, ColumnType } from './column-type.ts'

export type ReadColumn = {
  readonly name: string
  readonly as: ColumnType
  readonly column: Column
  /** Converts its values to `as`; only derived stores heed it. */
  readonly codec?: Codec
  /**
   * A value that a write of its canonical form would not make again, class and spelling, is refused; moments may be spelled in another way. Stores that hold their
   * columns to their types need no such test.
   */
  readonly exact?: true
}
