/** Columns in a SELECT, with an alias if the name is that of a method or property of the driver's rows. */
import { quotedName } from '../../../shared/sql-text.ts'

const OF_ROWS: ReadonlySet<string> = new Set(['__columns', 'forEach', 'get', 'keys', 'values'])
/** Names that are numbers: JavaScript puts such properties first, whatever the order of columns in the statement. */
const NUMBER = /^\d+$/

/** The property of a row that holds a column's value. */
export function nameInRow(column: string): string {
  return OF_ROWS.has(column) || column in Object.prototype || NUMBER.test(column) ? ` ${column}` : column
}

export function selectedCqlColumn(column: string): string {
  const name = nameInRow(column)
  return name === column ? quotedName(column) : `${quotedName(column)} AS ${quotedName(name)}`
}
