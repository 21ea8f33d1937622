/** What a copy makes of the rows of its source on their way. */
export type Derivation = {
  /** Columns that have the same value in every row, by name, as texts. */
  readonly constants?: Readonly<Record<string, string>>
  /** A map of which every entry becomes a row of its own, and the columns that its key and its value go to. */
  readonly explodeMap?: { readonly column: string; readonly key: string; readonly value: string }
}

/** Whether rows stay as they are. */
export function changesNothing({ constants, explodeMap }: Derivation): boolean {
  return explodeMap === undefined && Object.keys(constants ?? {}).length === 0
}
