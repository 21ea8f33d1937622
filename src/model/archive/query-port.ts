/**
 * One statement over a table whose rows lie in Parquet files and in a database at once. A store that can answer it looks at the statement first and says
 * what it needs; whoever asks brings just that, and gets the answer.
 */
import type { TableName } from '../copy/column-type.ts'
import type { StoredColumn, StoredType } from './stored-column.ts'

/** A column as the statement sees it. */
export type QueryColumn = StoredColumn & {
  /** False for a column that no file has: it is NULL there. */
  readonly archived: boolean
  /** False for one that the source has lost, or has in another type by now. */
  readonly hot: boolean
  /** Physical names of the same column under earlier types whose values are values of this one, the newest first. */
  readonly earlier?: readonly string[]
}

/** A column of a file. */
export type FileColumn = { readonly physical: string; readonly stored: StoredType }

/** The column of a file that holds the values of a column of the statement; undefined where the file has none. */
export function columnIn(
  files: readonly FileColumn[],
  { physical, earlier = [] }: Pick<QueryColumn, 'physical' | 'earlier'>,
): FileColumn | undefined {
  for (const name of [physical, ...earlier]) {
    const found = files.find((one) => one.physical === name)
    if (found !== undefined) return found
  }
  return undefined
}

export type QueryRequest = {
  readonly table: TableName
  /** In the order of the source. */
  readonly columns: readonly QueryColumn[]
  /** One statement in DuckDB's SQL. */
  readonly sql: string
  /** Most rows of the answer. */
  readonly limit: number
  /** Files of the archive that lie on a local disk for good, whether they will be needed or not: nothing else there can be read. */
  readonly files: readonly string[]
  /** A value of the source that the type of its column does not hold ends it at once; else only where the statement reads that value. */
  readonly strict?: true
  readonly signal: AbortSignal
}

/**
 * Values of one column that rows of the answer can come from, both ends included; null is open. Days since 1970 of a date, microseconds since 1970
 * of a timestamp, otherwise the number itself. Rows without a value are not among them.
 */
export type Interval = { readonly column: string; readonly least: bigint | null; readonly most: bigint | null }

export type QueryNeeds = {
  /** Names of the columns that the statement looks at. */
  readonly columns: ReadonlySet<string>
  /** Rows outside of any of these change nothing in the answer; one a column at most. */
  readonly intervals: readonly Interval[]
  /** Whether it compares texts: for equality, or also for their order. `order` where that is not known. */
  readonly texts: 'none' | 'equal' | 'order'
  /** Types of numbers that it compares, in DuckDB's words; absent where it compares none of them, or where that is not known. */
  readonly numbers?: ReadonlySet<'FLOAT' | 'SMALLINT' | 'INTEGER'>
}

/** Parquet files on a local disk, how many rows each has to hold, and the columns that it has. */
export type QueryFile = {
  readonly file: string
  readonly label: string
  readonly rows: bigint
  readonly has: readonly FileColumn[]
}

/** A row of the answer; whole numbers that a number would round are bigints. */
export type AnswerRow = readonly (null | string | number | bigint | Uint8Array)[]

/** Rows of the source that were left out because files have their key. @property moved those of them beyond the bounds of the files */
export type LeftOut = { readonly keyed: bigint; readonly moved: bigint }

export interface ArchiveQuery extends AsyncDisposable {
  /** Names of the answer's columns. */
  readonly columns: readonly string[]
  /** Places of those that are true or false; rows have 1 and 0 for that. */
  readonly booleans: ReadonlySet<number>
  readonly needs: QueryNeeds
  /** The field of the CSV for a value of the source that is none of its column's type: it ends the statement only where that reads the value. */
  unread(shown: string): string
  /**
   * Takes rows of the source: CSV as in `wire.ts`, of these columns in this order.
   * @param except rows between these bounds (the first included, the second not, null open) are left out
   * @param shared rows whose key is in the files are left out, wherever they stand
   * @returns how many rows the CSV held, and of each of `shared` how many of them were left out for their key
   * @throws SluiceError VALUE_REFUSED for a value that the column's type does not hold; NO_SPACE; whatever `csv` throws
   */
  bring(
    columns: readonly QueryColumn[],
    csv: AsyncIterable<Buffer>,
    except: readonly Excepted[],
    shared?: readonly Shared[],
  ): Promise<{ readonly rows: bigint; readonly leftOut: readonly LeftOut[] }>
  /**
   * Compares the rows brought over, all of one partition, with its files: by key, and by the values of the columns that were brought. Once, instead of
   * `pages`.
   */
  compare(partition: Shared): Promise<KeyDifferences>
  /**
   * The answer, after the rows of the source and with these files. Once.
   * @throws SluiceError BAD_QUERY, NO_SPACE, PARTITION_CHANGED for a file that holds another number of rows
   */
  pages(files: readonly QueryFile[]): AsyncIterable<readonly AnswerRow[]>
}

/** Rows of the source that do not count, where it has no words to leave them out itself. */
export type Excepted = { readonly column: string; readonly from: string | null; readonly to: string | null }

/** Rows by key: `late` ones are in the source only, `deleted` ones in the files only, `both` in the source and in the files, of which `changed` ones have other values there. */
export type KeyDifferences = Readonly<
  Record<'late' | 'changed' | 'deleted' | 'both', { readonly rows: bigint; readonly keys: readonly string[] }>
>

/** Rows of the source of which some are in the archive too. */
export type Shared = {
  /** Bounds of the files; null where they cannot be compared here. */
  readonly within: Excepted | null
  readonly key: readonly string[]
  readonly files: readonly QueryFile[]
}

/** @throws SluiceError BAD_QUERY for a statement that is wrong, writes, reads anything else, or is several */
export type OpenArchiveQuery = (request: QueryRequest) => Promise<ArchiveQuery>
