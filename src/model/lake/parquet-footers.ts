/** Parquet files as `fsck` needs them: what footers say, and what the rows behind them come to. A damaged file is an answer, never an error. */

/** A field of the file's schema tree. */
export type FooterField = {
  readonly name: string
  /** DuckDB's name for the type of a leaf, such as `DECIMAL(10,2)`; null for a group. */
  readonly type: string | null
  /** LIST, MAP, MAP_KEY_VALUE, DECIMAL …; null without one. */
  readonly converted: string | null
  /** Physical type of a leaf: INT96 holds instants. */
  readonly physical: string | null
  readonly isRepeated: boolean
  /** Column mapping id; null without one. */
  readonly id: number | null
  readonly fields: readonly FooterField[]
  /** Number of the leaf in the order of the file; null for a group. */
  readonly leaf: number | null
}

/** Statistics of one leaf over all row groups. */
export type LeafStats = {
  /** Null when a row group does not say. */
  readonly nulls: number | null
  /** Values that occur in the column, as text: the exact minima and maxima of row groups. NaN is left out. */
  readonly values: readonly string[]
}

export type Footer = {
  readonly rows: number
  /** `created_by`; null without one. */
  readonly writer: string | null
  /** Top-level columns. */
  readonly fields: readonly FooterField[]
  /** By number of the leaf. */
  readonly leaves: readonly LeafStats[]
}

/** Why a file cannot be read. */
export type FileFault = {
  readonly fault: 'cut' | 'damaged' | 'encrypted'
  /** One clause. */
  readonly reason: string
}

export type ScannedColumn = {
  /** Names from the top-level column down through structs. */
  readonly path: readonly string[]
  /** Whether bounds are wanted beside the count of nulls. */
  readonly bounds: boolean
}

export type ScannedRows = {
  /** Rows of the file. */
  readonly rows: number
  /** Rows that no deletion vector hides; the columns speak of these. */
  readonly visible: number
  readonly columns: readonly { readonly nulls: number; readonly min: string | null; readonly max: string | null }[]
  readonly pages: PageSums
}

export type PageSums = {
  readonly pages: number
  /** Pages that carry a CRC-32. */
  readonly summed: number
  /** Pages whose bytes do not fit their CRC, as column and offset. */
  readonly wrong: readonly { readonly column: string; readonly offset: number }[]
}

/** A file to be looked at, at a path of this machine. */
export interface ParquetFooters {
  /**
   * Footers of these files, in their order.
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, SOURCE_IO; never for what a file holds
   */
  footers(files: readonly string[], signal: AbortSignal): Promise<readonly (Footer | FileFault)[]>
  /**
   * Decodes every value of a file and checks the CRC of each page that has one.
   * @param options.deleted positions of rows, ascending, that the columns are not to speak of
   * @throws SluiceError as `footers`
   */
  scan(
    file: string,
    options: {
      readonly columns: readonly ScannedColumn[]
      readonly deleted: Iterable<bigint> | null
      readonly signal: AbortSignal
    },
  ): Promise<ScannedRows | FileFault>
}
