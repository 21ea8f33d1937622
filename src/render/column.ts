/** Columns of aligned tables, and the content of their cells. */
import { timeText } from '../shared/figures.ts'

/** A column of an aligned table. */
export type TableColumn = {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly least?: number
  /** Maximum width in a terminal, in cells. */
  readonly most?: number
  /** If a terminal is too narrow, columns with the lowest rank are left out first; without a rank a column stays. */
  readonly rank?: number
  /** If a terminal is too narrow, the text goes whole on a line below the row, because a cut text cannot be pasted. */
  readonly below?: true
}

export const left = (title: string, least = 0): TableColumn => ({ title, align: 'left', least })
export const right = (title: string): TableColumn => ({ title, align: 'right' })

/** The time of an event, in a cell. */
export const timeCell = (iso: string | undefined): string => (iso === undefined ? NONE : timeText(iso))

/** Content of a cell without a value. */
export const NONE = '-'
