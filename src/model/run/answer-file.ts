/** An answer of a query on its way into a file with types. */

/** What a database says of a column, where Parquet has the same. `datetime`: a time without a zone that its driver prints with a Z. */
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

/** Digits of the longest decimal that Parquet holds. */
export const DECIMAL_DIGITS = 38

/** @returns undefined for what Parquet has not: without digits, with a negative scale, or too long */
export function decimalType(precision: number, scale: number): DeclaredType | undefined {
  const fits = precision > 0 && precision <= DECIMAL_DIGITS && scale >= 0 && scale <= precision
  return fits ? `decimal(${precision},${scale})` : undefined
}

/** A type that holds every value of a column exactly: what values have in common, or what their column is declared with. */
export type AnswerType = 'text' | 'bytes' | 'real' | 'integer' | 'large-integer' | DeclaredType

export type AnswerColumn = { readonly name: string; readonly type: AnswerType }

/**
 * @property csv a line for each row: null is nothing, everything else stands in quotes, bytes as hexadecimal digits, and behind the last column stands
 * one more that is `1`
 */
export type AnswerFile = {
  readonly path: string
  readonly columns: readonly AnswerColumn[]
  readonly csv: AsyncIterable<Buffer>
  readonly signal: AbortSignal
}

/**
 * Writes it, and reads it again to count.
 * @returns rows that the file holds
 * @throws SluiceError NO_SPACE, TARGET_IO, VALUE_REFUSED; the signal's reason; whatever `csv` throws
 */
export type WriteAnswer = (file: AnswerFile) => Promise<number>
