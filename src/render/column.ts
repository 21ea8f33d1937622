/** Columns of aligned tables, and the content of their cells. */
import { grouped, sizeText, timeText } from '../shared/figures.ts'
import { visible } from '../shared/visible.ts'

/** A column of an aligned table. */
export type TableColumn = {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly least?: number
  /** Maximum width in a terminal, in cells. */
  readonly most?: number
  /** If a terminal is too narrow, columns with the lowest rank are left out first; without a rank a column stays. */
  readonly rank?: number
  /**
   * True if the whole text is printed on a line below the row when the terminal is too narrow: a cut text cannot be
   * pasted.
   */
  readonly below?: true
}

/** A column that knows the text of its cell in a row. */
export type ListColumn<Row> = TableColumn & { readonly cell: (row: Row) => string }

type InTerminal = Pick<TableColumn, 'most' | 'rank' | 'below'>

export const left = <Row>(title: string, cell: (row: Row) => string, more: InTerminal = {}): ListColumn<Row> => ({
  title,
  align: 'left',
  cell,
  ...more,
})

export const right = <Row>(title: string, cell: (row: Row) => string, more: InTerminal = {}): ListColumn<Row> => ({
  ...left(title, cell, more),
  align: 'right',
})

/** The texts of one row, in the order of the columns. */
export const cellsOf = <Row>(columns: readonly ListColumn<Row>[], row: Row): readonly string[] =>
  columns.map(({ cell }) => cell(row))

/** Left-aligned columns with these titles. The caller makes the texts of their rows. */
export const titled = (...titles: readonly string[]): readonly TableColumn[] =>
  titles.map((title) => ({ title, align: 'left' }))

/** Content of a cell without a value. */
export const NONE = '-'

const orNone =
  <T>(text: (value: T) => string) =>
  (value: T | undefined): string =>
    value === undefined ? NONE : text(value)

/** Cell texts of values; `NONE` if the event omits the value. */
export const timeCell = orNone<string>(timeText)
export const countCell = orNone<string>(grouped)
export const sizeCell = orNone<string>(sizeText)
export const textCell = orNone<string>(visible)
export const versionCell = orNone<string>((version) => `v${version}`)
export const exitCell = orNone<number>(String)

/** Joins the notes of a row in one cell; empty notes are left out. */
export const notesCell = (...notes: readonly string[]): string => notes.filter((note) => note !== '').join('; ')
