/** Writes the result of a query to a file with typed columns. */

/** Declared type of a column, if Parquet has it. `datetime`: a time without a zone that its driver prints with Z. */
export type DeclaredType =
  | 'text'
  | 'boolean'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float'
  | 'double'
  | `decimal(${number},${number})`
  | 'date'
  | 'time'
  | 'timestamp'
  | 'datetime'
  | 'timestamptz'
  | 'uuid'

/** Largest precision of a decimal in Parquet. */
export const DECIMAL_DIGITS = 38

/** @returns undefined if Parquet cannot hold it: without digits, with a negative scale, or too long */
export function decimalType(precision: number, scale: number): DeclaredType | undefined {
  const fits = precision > 0 && precision <= DECIMAL_DIGITS && scale >= 0 && scale <= precision
  return fits ? `decimal(${precision},${scale})` : undefined
}

/** A type that holds every value of a column exactly: inferred from the values, or declared. */
export type AnswerType = 'text' | 'bytes' | 'real' | 'integer' | 'large-integer' | DeclaredType

export type AnswerColumn = { readonly name: string; readonly type: AnswerType }

/**
 * @property csv one line per row: NULL is empty, all other values are quoted, bytes are hexadecimal digits, and an
 * extra last column is `1`
 */
export type AnswerFile = {
  readonly path: string
  readonly columns: readonly AnswerColumn[]
  readonly csv: AsyncIterable<Buffer>
  readonly signal: AbortSignal
}

/**
 * Writes the file, and reads it back to count its rows.
 * @returns rows in the file
 * @throws SluiceError NO_SPACE, TARGET_IO, VALUE_REFUSED; the signal's reason; whatever `csv` throws
 */
export type WriteAnswer = (file: AnswerFile) => Promise<number>
