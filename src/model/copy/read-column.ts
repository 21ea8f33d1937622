/** A column that is read. */
import type { Codec } from './codec.ts'
import type { Column, ColumnType } from './column-type.ts'

export type ReadColumn = {
  readonly name: string
  readonly as: ColumnType
  readonly column: Column
  /** Converts its values to `as`; only derived stores apply it. */
  readonly codec?: Codec
  /**
   * Refuse a value that writing its canonical form would not recreate in storage class and spelling; timestamps may be
   * spelled differently. Not needed in stores that enforce column types.
   */
  readonly exact?: true
}
