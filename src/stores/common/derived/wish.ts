import type { CodecWish } from '../../../model/copy/codec.ts'

/** What a copy makes of the rows of its source on their way. */
export type Derivation = {
  /** Columns that have the same value in every row, by name, as texts. */
  readonly constants?: Readonly<Record<string, string>>
  /** A map of which every entry becomes a row of its own, and the columns that its key and its value go to. */
  readonly explodeMap?: { readonly column: string; readonly key: string; readonly value: string }
  /** Conversions between a number or a moment and a text, by the types of both columns. */
  readonly codecs?: CodecWish
}

/** Whether rows stay as they are. */
export function changesNothing({ codecs, ...columns }: Derivation): boolean {
  return codecs === undefined && addsNothing(columns)
}

/** Whether the table has the columns that it has at its source. */
export function addsNothing({ constants, explodeMap }: Derivation): boolean {
  return explodeMap === undefined && Object.keys(constants ?? {}).length === 0
}
