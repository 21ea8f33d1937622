/** An answer of a query on its way into a file with types. */

/** A type that holds every value of a column exactly. */
export type AnswerType = 'text' | 'bytes' | 'real' | 'integer' | 'large-integer'

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
