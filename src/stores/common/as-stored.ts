/** Target rows with values that are not of their column's type: other programs wrote them (`RowRequest.asStored`). */
import { rowText, type RowChecksum } from '../../model/copy/row-hash.ts'
import type { Cell, Row } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlValue } from '../../model/run/sql-port.ts'

/** Rows with a value that is not of its column's type. */
export type MistypedRows = WeakSet<Row>

/** Mark at the end of a row's text. The text of a canonical row never ends with it. */
const NOT_CANONICAL = '!'

/** Adds a row to a digest. A row in `mistyped` never equals a canonical row, even if their texts are equal. */
export function addStored(sum: RowChecksum, row: Row, mistyped: MistypedRows): void {
  if (mistyped.has(row)) sum.addText(`${rowText(row)}${NOT_CANONICAL}`)
  else sum.add(row)
}

/** The value as it is stored, with its class: fractional numbers stay numbers, and bytes stay bytes. */
export function storedCell(value: SqlValue): Cell {
  if (typeof value === 'bigint') return String(value)
  return typeof value === 'number' && Number.isInteger(value) ? String(value) : value
}

/** True if the error means that a value is not of its column's type. */
export function isRefusedValue(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.code === 'VALUE_REFUSED'
}

/**
 * Error for a value in the row key of a target, if the value is not of its column's type. It stays an error of the
 * target, even if the store reads the value as a source.
 */
export class StoredKeyError extends SluiceError {}

/**
 * Error for a value that is not of its column's type.
 * @param isTarget true if rows are read `asStored`: only values of the row key are refused then
 */
export function valueError(
  isTarget: boolean,
  message: string,
  { where, reason, cause }: { readonly where: string; readonly reason?: string; readonly cause: SluiceError },
): SluiceError {
  const details = { where, cause, ...(reason === undefined ? {} : { reason }) }
  if (!isTarget) {
    const hint = cause.hint ?? 'correct the value at the source'
    return new SluiceError('VALUE_REFUSED', message, { ...details, kind: 'source', hint })
  }
  return new StoredKeyError('VALUE_REFUSED', message, {
    ...details,
    kind: 'target',
    hint: 'another program wrote it into a key column: change or delete this row of the target by hand',
  })
}
