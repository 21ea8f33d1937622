/** A column that is written. */
import type { ReadColumn } from './read-column.ts'

/** `exact`: as in a `ReadColumn`, when written rows are read back. */
export type WriteColumn = Pick<ReadColumn, 'name' | 'as' | 'column' | 'exact'>
