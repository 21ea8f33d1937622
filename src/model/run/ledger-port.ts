/** What a ledger needs of the database that it lies in, and what it hands to a transaction of the rows. */
import type { SqlDialect, SqlRow } from './sql-port.ts'

/** A statement with `?` for its parameters. */
export type Statement = { readonly sql: string; readonly parameters: SqlRow }

/** The database that holds the ledger of a copy. Each batch is one transaction; where it fails, none of it happened. */
export interface LedgerDatabase extends AsyncDisposable {
  readonly dialect: SqlDialect
  /** URL without password. */
  readonly label: string
  /** Of one statement; absent where thousands are taken. */
  readonly mostParameters?: number
  all(sql: string, parameters?: SqlRow): Promise<readonly SqlRow[]>
  /**
   * Statements that do no harm when they run twice, as a server may make it necessary.
   * @returns the rows of each; none for statements that give no rows
   */
  batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]>
  /**
   * Of a server where tables of other roles run code of theirs.
   * @throws SluiceError TABLE_REFUSED where one of the tables is there and may not be written to
   */
  refuseStrangers?(names: readonly string[]): Promise<void>
  /**
   * What brings tables of before, of those named that are there, to the character set and collation that tables get now, which hold every name
   * and tell names apart by their bytes; of databases that may have made them otherwise. Each statement may run twice.
   */
  renewals?(tables: readonly string[]): Promise<readonly string[]>
  /**
   * Ends whatever a vanished owner left running on the server, so that nothing of it can commit any more.
   * @param session what `ChunkWriter.session` was
   */
  endSession(session: string): Promise<void>
}

/** Of a target that commits batch by batch: the batch and the chunk's cursor move together, or not at all. */
export type BatchStep = {
  /** Gives a row while this owner holds the chunk, and the cursor is where it was before this batch. */
  readonly guard: Statement
  readonly advance: Statement
  /** Gives a row while this owner holds the chunk, and the cursor is where `advance` puts it. */
  readonly landed: Statement
}

/** How a chunk is closed in the ledger, in the transaction of its rows. */
export type Closing = {
  /** The first changes one row as long as the owner still holds the chunk. */
  readonly statements: readonly Statement[]
  /** Gives a row while this owner holds the chunk. */
  readonly guard: Statement
  /** Gives a row once the chunk is closed by this owner. */
  readonly landed: Statement
}

/**
 * A transaction of a ledger in which nothing is said for so long is ended by the server: whoever began it stands still, or is cut off, and would keep its rows
 * locked after the lease of what it holds is over. Shorter than any lease; nobody computes between two statements of one.
 */
export const FROZEN_LEDGER_MS = 15_000
