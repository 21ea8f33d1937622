/** A row's key as one text: rows with equal texts have equal keys, whatever system they were read from. */
import { cellText } from './canonical.ts'
import type { Cell } from './rows.ts'

/** @param cells values of the key's columns in canonical form, in the order of the key */
export function keyText(cells: readonly Cell[]): string {
  return JSON.stringify(cells.map((cell) => (cell === null ? null : cellText(cell))))
}
