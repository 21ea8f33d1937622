/** A row key as one text: equal texts mean equal keys, whichever system the rows come from. */
import { bytesOfHex } from './bytes-text.ts'
import { canonicalCellText } from './canonical.ts'
import type { ColumnType } from './column-type.ts'
import { refusedValue } from './refused.ts'
import type { Cell, Row } from './rows.ts'

/** Text of a row key. @param cells values of the key's columns in canonical form, in the order of the key */
export function keyText(cells: readonly Cell[]): string {
  return JSON.stringify(cells.map((cell) => (cell === null ? null : canonicalCellText(cell))))
}

/** `keyText` of a whole row. @param places indexes of the key columns in the row */
export function keyTextOf(row: Row, places: readonly number[]): string {
  return keyText(places.map((at) => row[at] ?? null))
}

/** The parts of a `keyText`, each as written by `canonicalCellText`; null for NULL. */
export function keyParts(text: string): readonly (string | null)[] {
  return JSON.parse(text) as readonly (string | null)[]
}

/** Reverses `canonicalCellText`. @throws SluiceError VALUE_REFUSED for bytes or a float not written by that function */
export function cellOfText(text: string, as: ColumnType): Exclude<Cell, null> {
  if (as.kind !== 'bytes' && as.kind !== 'float') return text
  const bytes = bytesOfHex(text)
  if (bytes === null || (as.kind === 'float' && bytes.length !== 8)) throw refusedValue(`${as.kind} in digits`, text)
  return as.kind === 'float' ? bytes.readDoubleBE() : bytes
}
