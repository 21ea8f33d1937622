/** Differences between the databases that can hold a ledger. All other SQL of the ledger is common to them. */

export type LedgerDialect = {
  /** Milliseconds since the epoch by the clock of the database, when the statement runs. */
  readonly now: string
  readonly types: {
    /** Column with automatic row numbers. */
    readonly id: string
    readonly integer: string
    /** Short texts that can be part of a key. */
    readonly name: string
    readonly text: string
    /** Cast of a value to a text. */
    readonly castText: string
    readonly time: string
    readonly currentTime: string
  }
  /** Suffix of a query for the next row to take, so that workers do not wait for each other. */
  readonly skipLocked: string
  /** Suffix of a query for a row that must not change in this transaction; empty with one writing program at a time. */
  readonly shareLocked: string
  /** Suffix of an INSERT whose key may exist already: then nothing is written. */
  readonly unlessThere: string
  /** Statements before the first table. */
  readonly before: readonly string[]
  /** A login sees no tables that it has no right on. */
  readonly hidesTables: boolean
  /** Names of the columns of a table, which is the parameter; no rows if there is no such table. */
  readonly columns: string
  /** Names of tables, as given, and of their columns, for this number of tables, whose names are the parameters. */
  columnsOfAll(tables: number): string
  /**
   * Those of this number of tables, whose names are the parameters, that have no primary key. Null if a key cannot be
   * added to a table, and none is ever needed.
   */
  readonly keyless: ((tables: number) => string) | null
  /** Indexes of the table of chunks. */
  readonly indexes: {
    /**
     * False if the database may damage an index of changing rows when a program is killed and the file is then opened
     * and closed before the next run: its ledgers get no indexes, older ones lose theirs, and chunks are read ahead,
     * because no other program has the file.
     */
    readonly kept: boolean
    /**
     * Before the name of a new index, so that an existing one stays; empty if the database has no such word, and fails
     * with an error that says it exists.
     */
    readonly unlessThere: string
    /** Statement that removes an index, also if it is gone; or that then fails with an error that is accepted. */
    drop(name: string, table: string): string
  }
  /**
   * How an UPDATE finds the row that a query gives. `subquery`: compares ids with its result. `join`: for databases
   * where that would read and lock every row, and a join would not.
   */
  readonly updates: 'subquery' | 'join'
  /**
   * Many rows from few parameters, if the database reads them much faster than the same number of VALUES rows; else
   * null.
   * @param rows values of the columns, as texts
   */
  readonly bulk: ((columns: readonly BulkColumn[], rows: readonly BulkRow[]) => BulkRows) | null
}

export type BulkColumn = { readonly name: string; readonly type: 'integer' | 'text' }
export type BulkRow = readonly (string | null)[]
/** @property from text after FROM; has these columns */
export type BulkRows = { readonly from: string; readonly parameters: readonly string[] }

/** This number of question marks, for a list of parameters. */
export const marks = (many: number): string => Array.from({ length: many }, () => '?').join(', ')
