/**
 * Aligned tables on stdout for listing commands. The first rows determine the widths, so that any list can be streamed.
 * In a terminal they fit its width: texts are cut, and columns left out. Output to a file or a pipe is not cut.
 */
import { cells, cutInMiddle, pad } from './cells.ts'
import type { TableColumn } from './column.ts'
import { fitted } from './fitted-columns.ts'
import { oneLine } from '../shared/visible.ts'

/** Maximum width of a column; a longer cell keeps all its text and shifts the rest of its own row. */
const MOST = 64

/** Blanks between two columns. */
const GAP = 2

/** Rows inspected before the first is written. */
const SAMPLE = 200

export type TableWriter = {
  row(cells: readonly string[]): void
  /** Writes the buffered rows; a table without rows writes nothing. */
  end(): void
}

/**
 * A table that writes its header before the first row and keeps two blanks between columns.
 * @param lineWidth line width of the terminal in cells; `Infinity` if the output is not a terminal
 */
export function tableWriter(
  columns: readonly TableColumn[],
  write: (text: string) => void,
  lineWidth = Number.POSITIVE_INFINITY,
): TableWriter {
  const isTerminal = Number.isFinite(lineWidth)
  let held: (readonly string[])[] | null = []
  let widths: readonly (number | null)[] = []
  let isCut = false
  /** Columns that are printed below their rows. */
  let below: ReadonlySet<number> = new Set()
  const line = (row: readonly string[]): string =>
    `${columns
      .flatMap(({ align }, index) => {
        const width = widths[index]
        if (width == null || below.has(index)) return []
        const whole = row[index] ?? ''
        const text = isTerminal ? cutInMiddle(whole, width) : whole
        isCut ||= text !== whole
        return [pad(text, width, align)]
      })
      .join('  ')
      .trimEnd()}\n`
  const whole = (row: readonly string[]): string =>
    line(row) +
    [...below]
      .filter((index) => (row[index] ?? '') !== '')
      .map((index) => `    ${columns[index]?.title ?? ''}  ${row[index] ?? ''}\n`)
      .join('')
  const release = (isAll: boolean): void => {
    if (held === null) return
    const rows = held
    held = null
    if (rows.length === 0) return
    const natural = columns.map(({ title, least = 0, most = Number.POSITIVE_INFINITY }, index) =>
      Math.min(isTerminal ? most : MOST, Math.max(cells(title), least, ...rows.map((row) => cells(row[index] ?? '')))),
    )
    const isTooWide = natural.reduce((sum, width) => sum + width + GAP, -GAP) > lineWidth
    below = new Set(columns.flatMap((column, index) => (isTooWide && column.below === true ? [index] : [])))
    const sideColumns = columns.flatMap((_, index) => (below.has(index) ? [] : [index]))
    const pick = <T>(of: readonly T[]): readonly T[] => sideColumns.flatMap((index) => of[index] ?? [])
    const fitting = isTerminal
      ? fitted(
          pick(columns),
          pick(natural),
          rows.map((row) => sideColumns.map((index) => row[index] ?? '')),
          lineWidth,
          isAll,
        )
      : pick(natural)
    widths = columns.map((_, index) => (below.has(index) ? 0 : (fitting[sideColumns.indexOf(index)] ?? null)))
    write(line(columns.map(({ title }) => title)) + rows.map(whole).join(''))
  }
  return {
    row: (given) => {
      const row = given.map(oneLine)
      if (held === null) {
        write(whole(row))
        return
      }
      held.push(row)
      if (held.length >= SAMPLE) release(false)
    },
    end: () => {
      release(true)
      const isNarrow = widths.includes(null)
      if (isCut || isNarrow)
        write(
          `shortened to ${lineWidth} columns; a wider terminal or --json has ${isNarrow ? 'all columns' : 'all text'}\n`,
        )
      isCut = false
      widths = []
      below = new Set()
    },
  }
}
