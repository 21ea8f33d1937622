/** Draws that failed once, as small as they could be made. */
import type { System } from '../support/copy-systems.ts'
import type { DrawnTable } from './support/shape.ts'

export type Case = Pick<DrawnTable, 'columns'> &
  Partial<Omit<DrawnTable, 'system'>> & {
    readonly why: string
    readonly from: System
    readonly to: System
    /** The code by which it is refused; equal where this is absent. */
    readonly expected?: string
  }

export const CASES: readonly Case[] = [
  {
    why: 'a value that DuckDB holds and cannot convert ended as a bug',
    from: 'duckdb',
    to: 'postgresql',
    columns: [{ name: 'c0', type: 'TIMESTAMP_S', values: [`'294247-01-10 04:00:54.775806'`] }],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'a text in a column of SQLite that holds anything was not proved',
    from: 'sqlite',
    to: 'duckdb',
    columns: [{ name: 'c0', type: 'ANY', values: [`'ab  '`] }],
  },
]
