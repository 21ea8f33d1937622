/** What the lines of one version add up to. */

/** What one version adds up to while its lines are read. */
export type Tally = {
  adds: number
  removes: number
  addedBytes: number
  removedBytes: number
  lines: number
  info: { readonly line: number; readonly raw: string; readonly value: Readonly<Record<string, unknown>> } | null
  firstFile: number | null
  /** Number of the first file when an earlier part of this version is written already. */
  firstFileNo: number | null
}

export const emptyTally = (): Tally => ({
  adds: 0,
  removes: 0,
  addedBytes: 0,
  removedBytes: 0,
  lines: 0,
  info: null,
  firstFile: null,
  firstFileNo: null,
})
