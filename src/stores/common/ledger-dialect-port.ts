/** Differences between the databases that can hold a ledger. All other SQL of the ledger is common to them. */

export type LedgerDialect = {
  /** Milliseconds since the epoch by the clock of the database, when the statement runs. */
  readonly now: string
  readonly types: {
    /** Type and options of a column whose rows are numbered automatically. */
    readonly id: string
    readonly integer: string
    /** Type of short texts that can be part of a key. */
    readonly name: string
    readonly text: string
    /** Cast of a value to a text. */
    readonly castText: string
    readonly time: string
    readonly currentTime: string
  }
  /** Suffix of a query for the next row to take, so that workers do not wait for each other. */
  readonly skipLocked: string
  /** Suffix of a query for a row that must not change in this transaction; empty if only one program can write. */
  readonly shareLocked: string
  /** Suffix of an INSERT whose key may exist already: then nothing is written. */
  readonly unlessThere: string
  /** Statements to run before the first table is created. */
  readonly before: readonly string[]
  /** True if the database hides tables on which the login has no right. */
  readonly hidesTables: boolean
  /** Names of the columns of a table, which is the parameter; no rows if there is no such table. */
  readonly columns: string
  /** Query for pairs of table name, as given, and column name. @param tables number of table names, its parameters */
  columnsOfAll(tables: number): string
  /**
   * Query for those of the given tables that have no primary key; its parameters are the table names, and `tables` is
   * their number. Null for a database that never needs the key, and cannot add it to an existing table.
   */
  readonly keyless: ((tables: number) => string) | null
  /** Indexes of the table of chunks. */
  readonly indexes: {
    /**
     * False if indexes of updated rows may be damaged when the file is opened and closed after a kill. Then new ledgers
     * get no indexes, and older ledgers lose theirs. Chunks are found by a scan that reads ahead, which is safe because
     * no other program can open the file.
     */
    readonly kept: boolean
    /**
     * Words before the name of a new index that keep an existing index. Empty if the database has no such words:
     * creating an existing index then fails with an error.
     */
    readonly unlessThere: string
    /** Statement that removes an index. For a missing index it does nothing, or fails with an error that is ignored. */
    drop(name: string, table: string): string
  }
  /**
   * How an UPDATE finds the row that a query returns. `subquery`: compares ids with the query's result. `join`: for
   * databases that would read and lock every row for a subquery.
   */
  readonly updates: 'subquery' | 'join'
  /**
   * Makes SQL for many rows that needs only few parameters. Null for databases that do not execute it much faster than
   * the same number of VALUES rows.
   * @param rows values of the columns, as texts
   */
  readonly bulk: ((columns: readonly BulkColumn[], rows: readonly BulkRow[]) => BulkRows) | null
}

export type BulkColumn = { readonly name: string; readonly type: 'integer' | 'text' }
export type BulkRow = readonly (string | null)[]
/** @property from text after FROM, for a relation that has the requested columns */
export type BulkRows = { readonly from: string; readonly parameters: readonly string[] }

/** `many` question marks, for a list of parameters. */
export const marks = (many: number): string => Array.from({ length: many }, () => '?').join(', ')
