/** What differs between the databases that a ledger can live in, as each declares it. Everything else of it is SQL that all of them understand. */

export type LedgerDialect = {
  /** Milliseconds since the epoch by the clock of the database, at the moment of the statement. */
  readonly now: string
  readonly types: {
    /** Column that numbers its rows by itself. */
    readonly id: string
    readonly integer: string
    /** Short texts that can be part of a key. */
    readonly name: string
    readonly text: string
    /** What values are cast to, to be read as texts. */
    readonly castText: string
    readonly time: string
    readonly currentTime: string
  }
  /** Behind a query for the next row to take, so that workers do not wait for each other. */
  readonly skipLocked: string
  /** Behind a query for a row that nobody may change before the transaction ends; empty where one program writes at a time. */
  readonly shareLocked: string
  /** Behind an INSERT whose key may be there already: then nothing is written. */
  readonly unlessThere: string
  /** Statements before the first table. */
  readonly before: readonly string[]
  /** A table that a login has no right on is not there for it. */
  readonly hidesTables: boolean
  /** Names of the columns of a table, which is the parameter; no rows where there is no such table. */
  readonly columns: string
  /** Names of tables, as they were asked for, and of their columns, of so many tables, whose names are the parameters. */
  columnsOfAll(tables: number): string
  /** Indexes of the table of chunks. */
  readonly indexes: {
    /**
     * False where the database may damage an index whose rows change once a program was killed, if anybody opens and closes the file before the next run:
     * its ledgers get none, those of before lose theirs, and chunks are read ahead, because no other program has the file.
     */
    readonly kept: boolean
    /** Before the name of a new one, so that one which is there stays; empty where the database has no such word, and says that it is there. */
    readonly unlessThere: string
    /** Statement that removes one, also where it is gone; or that fails then with words which are taken for an answer. */
    drop(name: string, table: string): string
  }
  /**
   * How an UPDATE finds the row that a query gives. `subquery`: by comparing ids with its answer. `join`: where that would read, and lock, every row, and
   * a join with it does not.
   */
  readonly updates: 'subquery' | 'join'
  /**
   * Many rows out of few parameters, where the database reads them much faster than as many rows of values; null elsewhere.
   * @param rows values of the columns, as texts
   */
  readonly bulk: ((columns: readonly BulkColumn[], rows: readonly BulkRow[]) => BulkRows) | null
}

export type BulkColumn = { readonly name: string; readonly type: 'integer' | 'text' }
export type BulkRow = readonly (string | null)[]
/** @property from what stands behind FROM, and has these columns */
export type BulkRows = { readonly from: string; readonly parameters: readonly string[] }

/** As many question marks, for a list of parameters. */
export const marks = (many: number): string => Array.from({ length: many }, () => '?').join(', ')
