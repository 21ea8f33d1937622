/** A column as it is read. */
import type { Codec } from '../model/copy/codec.ts'
import type { Column, ColumnType } from '../model/copy/column-type.ts'

export type ReadColumn = {
  readonly name: string
  readonly as: ColumnType
  readonly column: Column
  /** Converts its values to `as`; only derived stores heed it. */
  readonly codec?: Codec
}
