/** Rows of a target with values that are none of their type, which only somebody else can have written: `RowRequest.asStored`. */
import { rowText, type RowSum } from '../../model/copy/row-hash.ts'
import type { Cell, Row } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlValue } from '../../model/run/sql-port.ts'

/** Rows that hold such a value. */
export type OddRows = WeakSet<Row>

/** Ends no text of a canonical row. */
const NOT_CANONICAL = '!'

/** Adds a row up: one with such a value as no canonical row would be, whatever its texts are. */
export function addStored(sum: RowSum, row: Row, odd: OddRows): void {
  if (odd.has(row)) sum.addText(`${rowText(row)}${NOT_CANONICAL}`)
  else sum.add(row)
}

/** The value as it is stored. Its class stays: numbers that are not whole are numbers, and bytes are bytes. */
export function storedCell(value: SqlValue): Cell {
  if (typeof value === 'bigint') return String(value)
  return typeof value === 'number' && Number.isInteger(value) ? String(value) : value
}

/** Whether an error says that a value is none of its type. */
export function isRefusedValue(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.code === 'VALUE_REFUSED'
}

/** A value of a target by which its row is found. Where a store reads a target as it reads sources, this one stays the target's. */
export class StoredKeyError extends SluiceError {}

/** The error for a value that is none of its type. @param isTarget the rows are asked for `asStored`: only a value by which its row is found comes to this */
export function valueError(
  isTarget: boolean,
  message: string,
  { where, reason, cause }: { readonly where: string; readonly reason?: string; readonly cause: SluiceError },
): SluiceError {
  const details = { where, cause, ...(reason === undefined ? {} : { reason }) }
  if (!isTarget) {
    const hint = cause.hint ?? 'mend the value at its source'
    return new SluiceError('VALUE_REFUSED', message, { ...details, kind: 'source', hint })
  }
  return new StoredKeyError('VALUE_REFUSED', message, {
    ...details,
    kind: 'target',
    hint: 'somebody else wrote it, and rows are found by it: change or delete this row of the target by hand',
  })
}
