/** Lines to copy, as pages show them: broken where they are too long, so that a shell takes them all the same. */
import { examplesOf } from '../app/operations/examples.ts'

/** Rows of one line of a shell, each at most as wide as asked where its words allow; those that go on end with a backslash. */
export function shellRows(line: string, width: number): readonly string[] {
  const rows: string[] = []
  // A flag stays with its value.
  for (const part of line.split(/ (?=--)/)) {
    const last = rows.at(-1)
    const joined = `${last ?? ''} ${part}`
    if (last !== undefined && joined.length + 2 <= width) rows[rows.length - 1] = joined
    else rows.push(last === undefined ? part : `    ${part}`)
  }
  return rows.map((row, at) => (at < rows.length - 1 ? `${row} \\` : row))
}

/** What stands below the options of a command. @param most examples to show */
export function examplesText(command: string, most: number): string {
  const lines = examplesOf(command)
    .slice(0, most)
    .flatMap((line) => shellRows(line, 78).map((row) => `  ${row}`))
  return lines.length === 0 ? '' : `Examples:\n${lines.join('\n')}\n`
}
