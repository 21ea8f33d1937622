/** Parquet as the delta reader needs it: facts from the footer, and rows as lines of JSON whose number is proved. */

/** Threads that whoever reads Parquet has. With one, rows of a checkpoint of a million files stay within a small memory. */
export const PARQUET_THREADS: number = 1

export type ParquetColumn = {
  readonly name: string
  /** The store's own type name, for messages and for choosing how a leaf is written as JSON. */
  readonly type: string
  /** Fields of a struct; empty otherwise. */
  readonly fields: readonly ParquetColumn[]
}

export type ParquetFacts = { readonly rows: number; readonly columns: readonly ParquetColumn[] }

/** Which columns to bring: the fields of each top-level struct column that are wanted. */
export type ParquetSelection = readonly { readonly column: string; readonly fields: readonly string[] }[]

export interface ParquetRows {
  /** @throws SluiceError BAD_CHECKPOINT when the file is no Parquet or is cut short */
  facts(file: string, signal: AbortSignal): Promise<ParquetFacts>
  /**
   * Every row with at least one of the selected columns not null, as one JSON object a line: `{"add":{…}}`. Null columns and null
   * fields are left out. Numbers keep all their digits, timestamps are ISO text in UTC, decimals keep their scale, maps are objects.
   * The iteration throws, and never just ends, when the file cannot be read to its last row.
   * @throws SluiceError BAD_CHECKPOINT
   */
  lines(file: string, selection: ParquetSelection, signal: AbortSignal): AsyncIterable<Buffer>
}
