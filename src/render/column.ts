/** Columns of aligned tables, and what stands in their cells. */
import { timeText } from '../shared/figures.ts'

/** A column of an aligned table. */
export type Column = {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly least?: number
  /** Cells of a terminal that it takes at most there. */
  readonly most?: number
  /**
   * Where a terminal is too narrow for all columns, those with the lowest rank are left out first; one without a rank
   * stays.
   */
  readonly rank?: number
  /**
   * Where a terminal is too narrow it stands whole on a line of its own, below the row: what is cut could not be
   * pasted.
   */
  readonly below?: true
}

export const left = (title: string, least = 0): Column => ({ title, align: 'left', least })
export const right = (title: string): Column => ({ title, align: 'right' })

/** A time of an event, in a cell. */
export const timeCell = (iso: string | undefined): string => (iso === undefined ? NONE : timeText(iso))

/** Stands in a cell that has nothing to say. */
export const NONE = '-'
