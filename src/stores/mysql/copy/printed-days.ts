/**
 * Dates that are copied as the server prints them, because MySQL and MariaDB allow dates that no calendar has:
 * 0000-00-00.
 */
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { baseTypeName } from './types.ts'

const DATED = new Set(['date', 'datetime', 'timestamp'])

/** True for a type of dates or timestamps. @param native type as declared */
export function isDated(native: string): boolean {
  return DATED.has(baseTypeName(native))
}

/** True if a date is copied as the server prints it. */
export function isPrintedDay({ as, column }: Pick<WriteColumn, 'as' | 'column'>): boolean {
  return as.kind === 'native' && isDated(column.native)
}

/** Lets the session store dates that no calendar has; keeps its sql_mode in `@sluice_mode`. */
export const ALLOW_INVALID_DATES =
  "SET @sluice_mode = @@SESSION.sql_mode, SESSION sql_mode = CONCAT(REPLACE(REPLACE(@@SESSION.sql_mode, 'NO_ZERO_IN_DATE', ''), 'NO_ZERO_DATE', ''), ',ALLOW_INVALID_DATES')"
/** Restores the sql_mode that `ALLOW_INVALID_DATES` has changed. */
export const RESTORE_SQL_MODE = 'SET SESSION sql_mode = @sluice_mode'
