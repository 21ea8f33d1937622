/**
 * Writes rows to Parquet files and reads them back, as CSV (see `wire.ts`) or as canonical rows. The implementation
 * needs a database engine; this port keeps that engine out of the archive's code.
 */
import type { Digest, Row } from '../copy/rows.ts'
import type { RowTest } from './row-test.ts'
import type { InspectedFile, WrittenFile } from './archived-file.ts'
import type { StoredColumn, StoredTable } from './stored-column.ts'

export type WriteRequest = {
  readonly table: StoredTable
  /** An existing folder on a local disk; nothing outside of it is changed. */
  readonly folder: string
  /** Files are named `${prefix}-00000.parquet` and so on. */
  readonly prefix: string
  /** Approximate size of a file, after which the next file begins. */
  readonly fileBytes: number
  readonly signal: AbortSignal
}

export type ReadFiles = {
  /** Columns to read. */
  readonly columns: readonly StoredColumn[]
  /** All columns that the files must have, in order; `columns` if absent. */
  readonly all?: readonly StoredColumn[]
  /** Absolute paths. */
  readonly files: readonly string[]
  readonly signal: AbortSignal
}

/** Files, and a condition on their rows with column names of `columns`. */
export type MatchRequest = ReadFiles & { readonly test: RowTest }

/** Files, and optionally a condition on their rows with column names of `all`, or of `columns` if `all` is absent. */
export type FilteredRead = ReadFiles & { readonly test?: RowTest }

/** A file that is rewritten without the rows that match a condition; `test` has column names of the table. */
export type RewriteRequest = WriteRequest & { readonly file: string; readonly test: RowTest }

/** Files on a local disk, and their key columns in the order of the key. */
export type KeyedFiles = { readonly files: readonly string[]; readonly key: readonly StoredColumn[] }

/** Rows whose key also exists in other files, and some of these keys. */
export type SameKeys = { readonly rows: bigint; readonly keys: readonly string[] }

export interface ParquetFiles extends AsyncDisposable {
  /**
   * Writes every row of the CSV, sorted by `table.sortBy`, and syncs each file and the folder to disk. Rows above
   * 256 KB (with less memory, down to 16 KB) are written unsorted, into separate files after the others. Files appear
   * under their final names; after a failure the caller removes them.
   * @returns files that hold rows, in order; none for no rows
   * @throws SluiceError VALUE_REFUSED for a value that the stored type does not hold, with column and value; SOURCE_IO
   * for a line that is cut off; NO_SPACE (with key and column of a row that does not fit into memory), TARGET_IO; the
   * signal's reason; whatever `csv` throws
   */
  write(request: WriteRequest, csv: AsyncIterable<Buffer>): Promise<readonly WrittenFile[]>
  /**
   * Reads all columns of all rows on a connection that has written nothing, and all bytes of the files.
   * @throws SluiceError PROOF_FAILED for an invalid Parquet file, or one with other columns or types; SOURCE_IO
   */
  inspect(request: ReadFiles): Promise<readonly InspectedFile[]>
  /** Digest of the rows that match, one per file. @throws as `inspect` */
  matching(request: MatchRequest): Promise<readonly Digest[]>
  /**
   * Writes the rows of a file that do not match, with unchanged values, as `write` does.
   * @returns files that hold rows; none if every row matches
   * @throws as `write` and `inspect`
   */
  rewrite(request: RewriteRequest): Promise<readonly WrittenFile[]>
  /** Rows in canonical form, in any order. @throws as `inspect` */
  rows(request: FilteredRead, batchRows: number): AsyncIterable<readonly Row[]>
  /** Rows as CSV in the wire form; returns how many. @throws as `inspect` */
  csv(request: ReadFiles): AsyncGenerator<Buffer, bigint>
  /** Rows of `one` whose key also exists in files of `others`. @throws as `inspect` */
  sameKeys(one: KeyedFiles, others: readonly KeyedFiles[], signal: AbortSignal): Promise<SameKeys>
}
