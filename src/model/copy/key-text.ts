/** A row's key as one text: rows with equal texts have equal keys, whatever system they were read from. */
import { bytesOfHex } from './bytes-text.ts'
import { cellText } from './canonical.ts'
import type { ColumnType } from './column-type.ts'
import { refusedValue } from './refused.ts'
import type { Cell, Row } from './rows.ts'

/** @param cells values of the key's columns in canonical form, in the order of the key */
export function keyText(cells: readonly Cell[]): string {
  return JSON.stringify(cells.map((cell) => (cell === null ? null : cellText(cell))))
}

/** The same of a whole row. @param places where in it the columns of the key stand */
export function keyTextOf(row: Row, places: readonly number[]): string {
  return keyText(places.map((at) => row[at] ?? null))
}

/** The parts of a key as `keyText` spelled them, each a text as `cellText` wrote it. */
export function keyParts(text: string): readonly (string | null)[] {
  return JSON.parse(text) as readonly (string | null)[]
}

/** A value from the text that `cellText` made of it. @throws SluiceError VALUE_REFUSED for what it cannot have made */
export function cellOfText(text: string, as: ColumnType): Exclude<Cell, null> {
  if (as.kind !== 'bytes' && as.kind !== 'float') return text
  const bytes = bytesOfHex(text)
  if (bytes === null || (as.kind === 'float' && bytes.length !== 8)) throw refusedValue(`${as.kind} in digits`, text)
  return as.kind === 'float' ? bytes.readDoubleBE() : bytes
}
