/** What the values of a column are that says when a row belongs. */
import type { Column, TableSpec } from '../../model/copy/column-type.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ValueKind } from '../calendar/value-text.ts'

/** Whole numbers above this are milliseconds: as seconds they would be later than the year 5138. */
const MOST_SECONDS = 100_000_000_000n

/**
 * @param high largest value of the column, where it is a whole number
 * @throws SluiceError BAD_FLAG for a column that is no time
 */
export function valueKind(table: Pick<TableSpec, 'table'>, { name, type }: Column, high: string | null): ValueKind {
  switch (type.kind) {
    case 'date':
      return 'date'
    case 'timestamp':
      return type.zone ? 'timestamptz' : 'timestamp'
    case 'text':
    case 'native':
      // Systems without types of time hold them as texts: days alone sort right among days, among times behind a blank and behind a T.
      return 'date'
    case 'int':
      return high !== null && BigInt(high) > MOST_SECONDS ? 'epoch-milliseconds' : 'epoch-seconds'
    default:
      throw new SluiceError('BAD_FLAG', `${tableText(table.table)}.${name} says no time: it is ${type.kind}`, {
        hint: 'name a column of dates, times or epoch numbers with --by, or make each value a partition with --by-value',
      })
  }
}

/** @throws SluiceError BAD_FLAG */
export function columnNamed(table: TableSpec, name: string): Column {
  const column = table.columns.find((one) => one.name === name)
  if (column !== undefined) return column
  throw new SluiceError('BAD_FLAG', `${tableText(table.table)} has no column ${name}`, {
    hint: `it has ${table.columns.map((one) => one.name).join(', ')}`,
  })
}
