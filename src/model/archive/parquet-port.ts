/**
 * Rows into Parquet files and back. Rows come and go as CSV in the form that `wire.ts` describes, or as canonical rows. One implementation
 * needs a database engine; this port keeps it out of the archive's own code.
 */
import type { Digest } from '../copy/rows.ts'
import type { Range } from '../copy/range.ts'
import type { Row } from '../copy/rows.ts'
import type { RowTest } from './row-test.ts'
import type { ExaminedFile, WrittenFile } from './archived-file.ts'
import type { StoredColumn, StoredTable } from './stored-column.ts'

export type WriteRequest = {
  readonly table: StoredTable
  /** An existing folder on a local disk; nothing outside of it is touched. */
  readonly folder: string
  /** Files are called `${prefix}-00000.parquet` and so on. */
  readonly prefix: string
  /** About how large a file becomes before the next one is begun. */
  readonly fileBytes: number
  readonly signal: AbortSignal
}

export type ReadFiles = {
  /** What is read. */
  readonly columns: readonly StoredColumn[]
  /** All columns that the files have to have, in their order; `columns` when absent. */
  readonly all?: readonly StoredColumn[]
  /** Absolute paths. */
  readonly files: readonly string[]
  readonly signal: AbortSignal
}

/** Files, and which of their rows are meant, by the names of `columns`. */
export type Tested = ReadFiles & { readonly test: RowTest }

/** Files, and, where only some of their rows are wanted, which: by the names of `all`, or of `columns` where that is absent. */
export type Wanted = ReadFiles & { readonly test?: RowTest }

/** A file that is written once more without the rows that a test means, by the names of the table's columns. */
export type Rewritten = WriteRequest & { readonly file: string; readonly test: RowTest }

/** Files on a local disk, and the columns of theirs that are the key, in its order. */
export type KeyedFiles = { readonly files: readonly string[]; readonly key: readonly StoredColumn[] }

/** Rows under keys that stand elsewhere too, and some of these keys. */
export type SameKeys = { readonly rows: bigint; readonly keys: readonly string[] }

export interface ParquetFiles extends AsyncDisposable {
  /**
   * Writes every row of the CSV, sorted by `table.sortBy` but for rows of 256 KB and more, which stand in files behind the others, and syncs each file and the folder to the disk. Files appear under their final names;
   * what a failure leaves behind is the caller's to remove.
   * @returns files that hold rows, in order; none for no rows
   * @throws SluiceError VALUE_REFUSED for a value that the stored type does not hold, with column and value; SOURCE_IO for a line that is
   * cut off; NO_SPACE (with key and column of a row that memory does not hold), TARGET_IO; the signal's reason; whatever `csv` throws
   */
  write(request: WriteRequest, csv: AsyncIterable<Buffer>): Promise<readonly WrittenFile[]>
  /**
   * Reads all columns of all rows by a connection that has written nothing, and all bytes of the files.
   * @throws SluiceError PROOF_FAILED for a file that is no sound Parquet file, or has other columns or types; SOURCE_IO
   */
  examine(request: ReadFiles): Promise<readonly ExaminedFile[]>
  /** What the rows come to that a test means, one digest a file. @throws as `examine` */
  matching(request: Tested): Promise<readonly Digest[]>
  /**
   * Writes the rows of a file that a test does not mean, value by value as they stand there, as `write` does.
   * @returns files that hold rows; none where every row was meant
   * @throws as `write` and `examine`
   */
  rewrite(request: Rewritten): Promise<readonly WrittenFile[]>
  /** Rows in canonical form, in any order. @throws as `examine` */
  rows(request: Wanted, batchRows: number): AsyncIterable<readonly Row[]>
  /** Rows as CSV in the wire form; returns how many. @throws as `examine` */
  csv(request: ReadFiles): AsyncGenerator<Buffer, bigint>
  /** Rows of `one` whose key stands in files of `others`, too. @throws as `examine` */
  sameKeys(one: KeyedFiles, others: readonly KeyedFiles[], signal: AbortSignal): Promise<SameKeys>
  /**
   * Rows and sum of those whose key lies in a range, as the source sorts whole numbers and moments. Only for keys that sort alike there and in Parquet.
   * @param key names of the key's columns
   */
  digest(request: ReadFiles & { readonly key: readonly string[]; readonly range: Range }): Promise<Digest>
}
