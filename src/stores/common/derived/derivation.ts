import type { CodecOptions } from '../../../model/copy/codec.ts'

/** What a copy derives from the rows of its source. */
export type Derivation = {
  /** Columns with the same value in every row, by name, as texts. */
  readonly constants?: Readonly<Record<string, string>>
  /** A map column whose every entry becomes a row, and the columns for the entry's key and value. */
  readonly explodeMap?: { readonly column: string; readonly key: string; readonly value: string }
  /** Conversions between a number or a timestamp and a text, by the types of both columns. */
  readonly codecs?: CodecOptions
}

/** Whether rows stay unchanged. */
export function changesNothing({ codecs, ...columns }: Derivation): boolean {
  return codecs === undefined && addsNothing(columns)
}

/** Whether the table has exactly its source's columns. */
export function addsNothing({ constants, explodeMap }: Derivation): boolean {
  return explodeMap === undefined && Object.keys(constants ?? {}).length === 0
}
