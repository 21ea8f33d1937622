/**
 * Converts values whose form in files is not their form in the table. SQL cannot do this, so rows are converted one by
 * one.
 */
import { jsonbText } from '../../../model/archive/jsonb-text.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'

/** True if the files have the text of a json, and the values are read as jsonb. */
export function isRespelled({ as, column }: Pick<StoredColumn, 'as' | 'column'>): boolean {
  return as.kind === 'native' && as.name === 'jsonb' && column.native === 'json'
}

/** @throws SluiceError VALUE_REFUSED, with column and row, for a value that the other form cannot hold */
export function respelled(row: Row, columns: readonly StoredColumn[]): Row {
  return row.map((cell, i) => {
    const column = columns[i]
    if (typeof cell !== 'string' || column === undefined || !isRespelled(column)) return cell
    try {
      return jsonbText(cell)
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      throw new SluiceError(error.code, `${column.name}: ${error.message}`, {
        where: rowText(row, columns),
        kind: 'source',
        hint: error.hint,
        cause: error,
      })
    }
  })
}

/** Values that identify a row in a message. */
const SHOWN = { columns: 3, characters: 40 }

function rowText(row: Row, columns: readonly StoredColumn[]): string {
  const isShown = (cell: Cell): boolean => typeof cell === 'string' && cell !== '' && cell.length <= SHOWN.characters
  return columns
    .flatMap((column, i) =>
      isShown(row[i] ?? null) && !isRespelled(column) ? [`${column.name} = ${String(row[i])}`] : [],
    )
    .slice(0, SHOWN.columns)
    .join(', ')
}
