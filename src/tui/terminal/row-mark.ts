/**
 * Ink gets only the rows that changed: it measures every character of what it is given several times over, and a whole
 * screen of them for a cursor that moved by a row is most of what a key costs. Each row therefore begins with a mark
 * that says where it belongs.
 */

/** The first character of the private use area: one cell wide, and never a style or a space at which Ink cuts. */
const FIRST = 0xe000

/** What a row begins with; `row` counts from 0. */
export function rowMark(row: number): string {
  return String.fromCharCode(FIRST + row)
}

/** Cells of a mark. */
export const MARK_CELLS = 1

/** Where a row belongs, and what it says; null for text that is no row of the screen. */
export function markedRow(text: string): { readonly row: number; readonly text: string } | null {
  const row = text.charCodeAt(0) - FIRST
  // `rows` of a terminal are a 16-bit number, those of any real one a few hundred.
  return row >= 0 && row < 0x1900 ? { row, text: text.slice(1) } : null
}
