/** Parquet access for the delta reader: facts from the footer, and rows as JSON lines whose number is verified. */

/** Threads of a Parquet reader. One thread keeps memory small, even for a checkpoint of a million files. */
export const PARQUET_THREADS: number = 1

export type ParquetColumn = {
  readonly name: string
  /** The store's type name, for messages and for choosing how a leaf is written as JSON. */
  readonly type: string
  /** Fields of a struct; empty otherwise. */
  readonly fields: readonly ParquetColumn[]
}

export type ParquetFacts = { readonly rows: number; readonly columns: readonly ParquetColumn[] }

/** Columns to read: the wanted fields of each top-level struct column. */
export type ParquetSelection = readonly { readonly column: string; readonly fields: readonly string[] }[]

export interface ParquetRows {
  /** @throws SluiceError BAD_CHECKPOINT if the file is not Parquet or is truncated */
  facts(file: string, signal: AbortSignal): Promise<ParquetFacts>
  /**
   * Every row with at least one selected column not null, as one JSON object per line: `{"add":{…}}`. Null columns and
   * null fields are left out. Numbers keep all their digits, timestamps are ISO text in UTC, decimals keep their scale,
   * maps are objects. Throws, instead of ending, if the file cannot be read to its last row.
   * @throws SluiceError BAD_CHECKPOINT
   */
  lines(file: string, selection: ParquetSelection, signal: AbortSignal): AsyncIterable<Buffer>
}
