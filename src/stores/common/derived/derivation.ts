import type { CodecOptions } from '../../../model/copy/codec.ts'

/** What a copy derives from the rows of its source. */
export type Derivation = {
  /** Constant columns: by column name, the value that every row gets, as text. */
  readonly constants?: Readonly<Record<string, string>>
  /**
   * A map column: each of its entries becomes a row, with the entry's key and value in the columns `key` and `value`.
   */
  readonly explodeMap?: { readonly column: string; readonly key: string; readonly value: string }
  /** Conversions between a number or a timestamp and a text, by the types of both columns. */
  readonly codecs?: CodecOptions
}

/** True if the options change neither columns nor values. */
export function changesNothing({ codecs, ...columns }: Derivation): boolean {
  return codecs === undefined && addsNothing(columns)
}

/** True if the table has exactly the columns of its source. */
export function addsNothing({ constants, explodeMap }: Derivation): boolean {
  return explodeMap === undefined && Object.keys(constants ?? {}).length === 0
}
