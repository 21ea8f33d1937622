import { tableText, type Column, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'

/** The column of exactly this name. @throws SluiceError BAD_FLAG if the table has no such column */
export function columnNamed(table: TableSpec, name: string): Column {
  const column = table.columns.find((one) => one.name === name)
  if (column !== undefined) return column
  throw new SluiceError('BAD_FLAG', `${tableText(table.table)} has no column ${name}`, {
    hint: `its columns are ${table.columns.map((one) => one.name).join(', ')}`,
  })
}
