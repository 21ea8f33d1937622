/** Parquet access for `fsck`: footers, and scans of rows. A damaged file is a result, never an error. */

/** A field of the file's schema tree. */
export type FooterField = {
  readonly name: string
  /** DuckDB's type name of a leaf, such as `DECIMAL(10,2)`; null for a group. */
  readonly type: string | null
  /** LIST, MAP, MAP_KEY_VALUE, DECIMAL …; null without one. */
  readonly converted: string | null
  /** Physical type of a leaf: INT96 holds timestamps. */
  readonly physical: string | null
  readonly isRepeated: boolean
  /** Column mapping id; null without one. */
  readonly id: number | null
  readonly fields: readonly FooterField[]
  /** Index of the leaf in the file; null for a group. */
  readonly leaf: number | null
}

/** Statistics of one leaf over all row groups. */
export type LeafStats = {
  /** Number of NULLs; null if a row group does not have this number. */
  readonly nulls: number | null
  /** Values that occur in the column, as text: exact minima and maxima of row groups, without NaN. */
  readonly values: readonly string[]
}

export type Footer = {
  readonly rows: number
  /** `created_by`; null without one. */
  readonly writer: string | null
  /** Top-level columns. */
  readonly fields: readonly FooterField[]
  /** Statistics by leaf index. */
  readonly leaves: readonly LeafStats[]
}

/** Why a file cannot be read. */
export type FileFault = {
  readonly fault: 'cut' | 'damaged' | 'encrypted'
  /** Cause, as a short clause. */
  readonly reason: string
}

export type ScannedColumn = {
  /** Names from the top-level column down through structs. */
  readonly path: readonly string[]
  /** True to compute bounds besides the count of nulls. */
  readonly bounds: boolean
}

export type ScannedRows = {
  /** Rows of the file. */
  readonly rows: number
  /** Rows that no deletion vector hides; `columns` covers only these. */
  readonly visible: number
  readonly columns: readonly { readonly nulls: number; readonly min: string | null; readonly max: string | null }[]
  readonly pages: PageSums
}

export type PageSums = {
  readonly pages: number
  /** Pages that have a CRC-32. */
  readonly summed: number
  /** Pages whose bytes do not match their CRC, as column and offset. */
  readonly wrong: readonly { readonly column: string; readonly offset: number }[]
}

/** Reads Parquet files on local paths. */
export interface ParquetFooters {
  /**
   * Footers of these files, in order.
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, SOURCE_IO; never for the content of a file
   */
  footers(files: readonly string[], signal: AbortSignal): Promise<readonly (Footer | FileFault)[]>
  /**
   * Decodes every value of a file and checks the CRC of each page that has one.
   * @param options.deleted row positions, ascending, to exclude from the columns
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
