/** Columns in a SELECT, and what they are called in a row of the driver, which has methods and properties of its own. */
import { quotedName } from '../../../shared/sql-text.ts'

const OF_ROWS: ReadonlySet<string> = new Set(['__columns', 'forEach', 'get', 'keys', 'values'])
/** Numbers come first among the properties of an object, wherever the statement names them. */
const NUMBER = /^\d+$/

/** The property of a row that holds a column's value. */
export function nameInRow(column: string): string {
  return OF_ROWS.has(column) || column in Object.prototype || NUMBER.test(column) ? ` ${column}` : column
}

export function selected(column: string): string {
  const name = nameInRow(column)
  return name === column ? quotedName(column) : `${quotedName(column)} AS ${quotedName(name)}`
}
