/** Example command lines for help pages, broken into rows that a shell accepts. */
import { examplesOf } from '../../app/operations/examples.ts'

/**
 * Rows of one shell line, at most `width` characters wide, unless a flag and its value need more. Rows that continue
 * end with a backslash.
 */
export function shellRows(line: string, width: number): readonly string[] {
  const rows: string[] = []
  // Keep a flag and its value on one row.
  for (const part of line.split(/ (?=--)/)) {
    const last = rows.at(-1)
    const joined = `${last ?? ''} ${part}`
    if (last !== undefined && joined.length + 2 <= width) rows[rows.length - 1] = joined
    else rows.push(last === undefined ? part : `    ${part}`)
  }
  return rows.map((row, at) => (at < rows.length - 1 ? `${row} \\` : row))
}

/** Examples, shown below the options of a command. @param most examples to show */
export function examplesText(command: string, most: number): string {
  const lines = examplesOf(command)
    .slice(0, most)
    .flatMap((line) => shellRows(line, 78).map((row) => `  ${row}`))
  return lines.length === 0 ? '' : `Examples:\n${lines.join('\n')}\n`
}
