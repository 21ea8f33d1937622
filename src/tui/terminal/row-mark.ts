/**
 * Ink receives only changed rows: it measures every character several times, and a full screen per key would be slow.
 * Each row therefore begins with a mark that encodes its number.
 */

/** First character of the private use area. It is one cell wide, and Ink never treats it as a style or a space. */
const FIRST = 0xe000

/** Mark of a row; `row` counts from 0. */
export function rowMark(row: number): string {
  return String.fromCharCode(FIRST + row)
}

/** Cells of a mark. */
export const MARK_CELLS = 1

/** Row number and text; null for text without a mark. */
export function markedRow(text: string): { readonly row: number; readonly text: string } | null {
  const row = text.charCodeAt(0) - FIRST
  // 6400 rows are possible, because the private use area ends there. Real terminals have a few hundred.
  return row >= 0 && row < 0x1900 ? { row, text: text.slice(1) } : null
}
