/** What a ledger needs of its database, and the statements it adds to a transaction of rows. */
import type { SqlDialect, SqlRow } from './sql-port.ts'

/** A statement with `?` for its parameters. */
export type Statement = { readonly sql: string; readonly parameters: SqlRow }

/** The database of a copy's ledger. Each batch is one transaction, rolled back if it fails. */
export interface LedgerDatabase extends AsyncDisposable {
  readonly dialect: SqlDialect
  /** URL without password. */
  readonly label: string
  /** Limit per statement; absent if thousands are allowed. */
  readonly mostParameters?: number
  all(sql: string, parameters?: SqlRow): Promise<readonly SqlRow[]>
  /**
   * Runs idempotent statements; the server may require them to run twice.
   * @returns the rows of each; empty for statements without rows
   */
  batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]>
  /**
   * Refuses tables of untrusted roles, because a write would run their triggers, rules and defaults. Absent for systems
   * without roles.
   * @param schema of the tables; absent: the server resolves the unqualified names
   * @throws SluiceError TABLE_REFUSED if one of the tables exists and must not be written to
   */
  refuseStrangers?(names: readonly string[], schema?: string): Promise<void>
  /**
   * Statements that convert existing ledger tables to the current character set and collation, which can store every
   * name and compare names by bytes. Only for databases where older tables may differ. Each statement may run twice.
   */
  renewals?(tables: readonly string[]): Promise<readonly string[]>
  /**
   * Ends the session that a dead owner left on the server, so that it cannot commit any more.
   * @param session from `ChunkWriter.session`
   */
  endSession(session: string): Promise<void>
}

/** For targets that commit in batches: the batch and the chunk's cursor advance atomically. */
export type BatchStep = {
  /** Returns a row if this owner has the chunk and the cursor is where it was before this batch. */
  readonly guard: Statement
  readonly advance: Statement
  /** Returns a row if this owner has the chunk and the cursor is where `advance` puts it. */
  readonly landed: Statement
}

/** Closes a chunk in the ledger, within the transaction of its rows. */
export type Closing = {
  /** The first one changes a row exactly if the owner still has the chunk. */
  readonly statements: readonly Statement[]
  /** Returns a row if this owner has the chunk. */
  readonly guard: Statement
  /** Returns a row once this owner has closed the chunk. */
  readonly landed: Statement
}

/**
 * Idle timeout after which the server ends a ledger transaction, ms: a program that hangs or has lost its connection
 * would keep rows locked beyond its lease. Shorter than any lease. A timeout this short is safe, because no code
 * computes between two statements of one transaction.
 */
export const LEDGER_IDLE_MS = 15_000
