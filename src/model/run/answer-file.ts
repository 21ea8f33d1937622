/** Writes the result of a query to a file with typed columns. */

/** Declared type of a column, if Parquet has it. `datetime`: timestamp without zone, whose driver text ends with Z. */
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

/** Type of a decimal. @returns undefined unless the precision is 1 to 38, and the scale is 0 to the precision */
export function decimalType(precision: number, scale: number): DeclaredType | undefined {
  const fits = precision > 0 && precision <= DECIMAL_DIGITS && scale >= 0 && scale <= precision
  return fits ? `decimal(${precision},${scale})` : undefined
}

/** A type that holds every value of a column exactly: inferred from the values, or declared. */
export type AnswerType = 'text' | 'bytes' | 'real' | 'integer' | 'large-integer' | DeclaredType

export type AnswerColumn = { readonly name: string; readonly type: AnswerType }

/**
 * File to write.
 * @property csv one line per row: NULL is empty, all other values are quoted, bytes are hexadecimal digits; each line
 * ends with an extra column `1`
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
