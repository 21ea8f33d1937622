/** Columns that options name: one column of one table, and the columns of `--accept-lossy` in any table of a copy. */
import { tableText, type Column, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'

/** The column of exactly this name. @throws SluiceError BAD_FLAG if the table has no such column */
export function columnNamed(table: TableSpec, name: string, option?: string): Column {
  const column = table.columns.find((one) => one.name === name)
  if (column === undefined) throw noColumn(table, name, option)
  return column
}

function noColumn(table: TableSpec, name: string, option?: string): SluiceError {
  const from = option === undefined ? '' : `, which ${option} names`
  return new SluiceError('BAD_FLAG', `${tableText(table.table)} has no column ${name}${from}`, {
    hint: `its columns are ${columnsOf(table)}`,
  })
}

/**
 * Columns of a table that may lose precision.
 * @param named names of columns in any table, and `table.column` or `schema.table.column` for a column of one table
 */
export function acceptedColumns(source: TableSpec, named: readonly string[]): readonly string[] {
  return named.flatMap((name) => acceptedColumn(source, name) ?? [])
}

/**
 * Refuses a column name that no table of the copy has. A name that only some tables have is accepted, and applies to
 * them. @throws SluiceError BAD_FLAG
 */
export function refuseUnknownAccepted(sources: readonly TableSpec[], named: readonly string[]): void {
  const unknown = named.find((name) => !sources.some((source) => acceptedColumn(source, name) !== null))
  const [only, ...others] = sources
  if (unknown === undefined || only === undefined) return
  if (others.length === 0) throw noColumn(only, unknown, '--accept-lossy')
  const has = sources.slice(0, 5).map((source) => `${tableText(source.table)} has ${columnsOf(source)}`)
  throw new SluiceError(
    'BAD_FLAG',
    `none of the ${sources.length} tables has a column ${unknown}, which --accept-lossy names`,
    { hint: `give the flag once for each column; TABLE.COLUMN means the column of one table; ${has.join('; ')}` },
  )
}

function columnsOf({ columns }: TableSpec): string {
  return columns.map(({ name }) => name).join(', ')
}

/** The column that a name means; null if there is none. A column whose own name contains a dot takes precedence. */
function acceptedColumn({ table, columns }: TableSpec, name: string): string | null {
  const starts = [table.name, tableText(table)].map((text) => `${text}.`)
  const behind = starts.flatMap((start) => (name.startsWith(start) ? [name.slice(start.length)] : []))
  return [name, ...behind].find((text) => columns.some((column) => column.name === text)) ?? null
}
