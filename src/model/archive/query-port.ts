/**
 * One statement over a table whose rows are partly in Parquet files and partly in a database. `needs` has the columns
 * and ranges that the statement reads: the caller fetches only these from the source, then reads the answer.
 */
import type { TableName } from '../copy/column-type.ts'
import type { ExpressionRules } from './expressions.ts'
import type { StoredColumn, StoredType } from './stored-column.ts'

/** A column as the statement sees it. */
export type QueryColumn = StoredColumn & {
  /** False for a column that no file has: the column is NULL in archived rows. */
  readonly archived: boolean
  /** False for a column that the source has dropped, or whose type in the source has changed. */
  readonly hot: boolean
  /** Physical names of this column under earlier types whose values fit its present type, newest first. */
  readonly earlier?: readonly string[]
}

/** A column of a file. */
export type FileColumn = { readonly physical: string; readonly stored: StoredType }

/** The column of a file that holds the values of a column of the statement; undefined if the file has none. */
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
  /** Columns of the table, in the order of the source. */
  readonly columns: readonly QueryColumn[]
  /** One statement in DuckDB's SQL. */
  readonly sql: string
  /** Row limit of the answer. */
  readonly limit: number
  /** Local files of the archive that the statement may read; it cannot read other files. */
  readonly files: readonly string[]
  /** How the source computes expressions; absent if unknown. */
  readonly expressions?: ExpressionRules
  /** If set, a source value that does not fit its column makes the statement fail at once, not when it is read. */
  readonly strict?: true
  readonly signal: AbortSignal
}

/**
 * Range of one column for rows that can affect the answer, both bounds inclusive; null: no bound. Dates are days since
 * 1970, timestamps microseconds since 1970, other types the number itself. Rows where the column is NULL are excluded.
 */
export type Interval = { readonly column: string; readonly least: bigint | null; readonly most: bigint | null }

export type QueryNeeds = {
  /** Names of the columns that the statement reads. */
  readonly columns: ReadonlySet<string>
  /** A row outside of one of these intervals does not affect the answer; at most one interval per column. */
  readonly intervals: readonly Interval[]
  /** How the statement compares texts: not at all, for equality only, or also for order. `order` if unknown. */
  readonly texts: 'none' | 'equal' | 'order'
  /** DuckDB types of the numbers that the statement compares; absent if it compares none, or if unknown. */
  readonly numbers?: ReadonlySet<'FLOAT' | 'SMALLINT' | 'INTEGER'>
}

/** A Parquet file on a local disk, its expected row count, and its columns. */
export type QueryFile = {
  readonly file: string
  readonly label: string
  readonly rows: bigint
  readonly has: readonly FileColumn[]
}

/** A row of the answer; integers that a double would round are bigints. */
export type QueryAnswerRow = readonly (null | string | number | bigint | Uint8Array)[]

/** Source rows left out because files have their key. @property moved how many of them lie outside the files' bounds */
export type LeftOutRows = { readonly keyed: bigint; readonly moved: bigint }

export interface ArchiveQuery extends AsyncDisposable {
  /** Names of the answer's columns. */
  readonly columns: readonly string[]
  /** Indexes of boolean columns; rows hold 1 and 0 for them. */
  readonly booleans: ReadonlySet<number>
  readonly needs: QueryNeeds
  /** CSV field for a source value that its column's type cannot hold: only a statement that reads this field fails. */
  unread(shown: string): string
  /**
   * Takes rows of the source: CSV as in `wire.ts`, of these columns in this order.
   * @param except rows between these bounds are left out (lower inclusive, upper exclusive, null open)
   * @param shared source rows whose key is in these files are left out, also outside the bounds of the files
   * @returns rows in the CSV, and for each of `shared` how many were left out for their key
   * @throws SluiceError VALUE_REFUSED for a value that the column's type does not hold; NO_SPACE; whatever `csv` throws
   */
  addRows(
    columns: readonly QueryColumn[],
    csv: AsyncIterable<Buffer>,
    except: readonly ExcludedRange[],
    shared?: readonly SharedRows[],
  ): Promise<{ readonly rows: bigint; readonly leftOut: readonly LeftOutRows[] }>
  /** Compares fetched rows of a partition with its files, by key and fetched columns. Call once, instead of `pages`. */
  compare(partition: SharedRows): Promise<KeyDifferences>
  /**
   * The answer over the fetched rows and these files. Call once.
   * @throws SluiceError BAD_QUERY, NO_SPACE; PARTITION_CHANGED if a file does not hold its expected number of rows
   */
  pages(files: readonly QueryFile[]): AsyncIterable<readonly QueryAnswerRow[]>
}

/** Range of source rows to leave out, for a source that cannot leave them out itself. */
export type ExcludedRange = { readonly column: string; readonly from: string | null; readonly to: string | null }

/** Rows by key. `late`: source only. `deleted`: files only. `both`: in both; `changed`: in both, values differ. */
export type KeyDifferences = Readonly<
  Record<'late' | 'changed' | 'deleted' | 'both', { readonly rows: bigint; readonly keys: readonly string[] }>
>

/** Rows of the source, some of which are in the archive too. */
export type SharedRows = {
  /** Bounds of the files; null if they cannot be compared here. */
  readonly within: ExcludedRange | null
  readonly key: readonly string[]
  /** True if the source may have several rows whose keys differ in spelling only. */
  readonly respelled?: boolean
  readonly files: readonly QueryFile[]
}

/** @throws SluiceError BAD_QUERY for a statement that is invalid, writes, reads anything else, or is more than one */
export type OpenArchiveQuery = (request: QueryRequest) => Promise<ArchiveQuery>
