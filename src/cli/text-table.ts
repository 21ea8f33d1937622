/** Aligned tables on stdout for listing commands. Widths come from the first rows, so that a list of any length streams. */
import { oneLine } from './format.ts'

export type Column = {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly least?: number
  /** A longer cell is cut to so many characters, where nobody copies it: JSON has all of it. */
  readonly most?: number
}

/** No column is made wider for the others' sake; a longer cell keeps all its text and pushes the rest of its own row. */
const MOST = 64

/** Rows looked at before the first is written. */
const SAMPLE = 200

export type TableWriter = {
  row(cells: readonly string[]): void
  /** Writes what is held back; a table without rows writes nothing. */
  end(): void
}

/** Terminal cells of a text: East Asian wide characters and emoji take two, combining marks none. */
export function cells(text: string): number {
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length
  let width = 0
  for (const char of text) {
    if (/\p{Mark}|\p{Cf}/u.test(char)) continue
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        char,
      )
        ? 2
        : 1
  }
  return width
}

/** Pads to a width in terminal cells. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - cells(text)))
  return align === 'left' ? text + space : space + text
}

/** Both ends tell commands and paths apart. */
function cut(text: string, most: number | undefined): string {
  const characters = Array.from(text)
  if (most === undefined || characters.length <= most) return text
  const tail = Math.floor((most - 3) / 3)
  return `${characters.slice(0, most - 3 - tail).join('')}...${characters.slice(-tail).join('')}`
}

/** A table that writes its header before the first row and keeps two blanks between columns. */
export function tableWriter(columns: readonly Column[], write: (text: string) => void): TableWriter {
  let held: string[][] | null = []
  let widths: number[] = []
  const line = (row: readonly string[]): string =>
    `${columns
      .map(({ align }, index) => pad(row[index] ?? '', widths[index] ?? 0, align))
      .join('  ')
      .trimEnd()}\n`
  const release = (): void => {
    if (held === null) return
    const rows = held
    held = null
    if (rows.length === 0) return
    widths = columns.map(({ title, least = 0 }, index) =>
      Math.min(MOST, Math.max(cells(title), least, ...rows.map((row) => cells(row[index] ?? '')))),
    )
    write(line(columns.map(({ title }) => title)) + rows.map(line).join(''))
  }
  return {
    row: (given) => {
      const row = given.map((cell, index) => cut(oneLine(cell), columns[index]?.most))
      if (held === null) {
        write(line(row))
        return
      }
      held.push(row)
      if (held.length >= SAMPLE) release()
    },
    end: release,
  }
}
