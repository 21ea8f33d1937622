/** A column that is read. */
import type { Codec } from './codec.ts'
import type { Column, ColumnType } from './column-type.ts'

export type ReadColumn = {
  readonly name: string
  readonly as: ColumnType
  readonly column: Column
  /** Converts values of the column to `as`; only stores with derived columns (`stores/common/derived`) apply it. */
  readonly codec?: Codec
  /**
   * Set to refuse a value whose storage class or spelling would change if its canonical form were written back. The
   * spelling of times may change. Not needed in stores that enforce column types.
   */
  readonly exact?: true
  /** With `exact`: refuses another spelling of times, too, if a key or constraint of the table needs the text. */
  readonly spelled?: true
  /** Set for numbers that become texts. */
  readonly intoText?: true
}
