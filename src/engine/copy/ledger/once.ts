/** Runs statements exactly once on servers that may run a batch again after a lost reply. */
import { randomUUID } from 'node:crypto'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'

/** Removes the tokens of a run that has ended. */
export function forgetBatches(owner: string): Statement {
  const prefix = `${owner}/`
  // The length is a literal: DuckDB binds a number to a type that its substr does not accept.
  return { sql: `DELETE FROM migration_tokens WHERE substr(token, 1, ${prefix.length}) = ?`, parameters: [prefix] }
}

/** A lease that this process holds until another process takes it after missed heartbeats. */
export type BatchLease = {
  /** Extends the lease, so that no process takes it before the batch has ended. */
  readonly renew: Statement
  /** Text after SELECT …: returns one row while this process has the lease, and none once the lease is lost. */
  readonly from: Statement
}

/**
 * Runs a batch exactly once, even if replies are lost.
 * @param owner its tokens are removed by `forgetBatches`
 * @param lease nothing happens unless this process still has it
 * @throws errors of the database if no statement of the batch took effect
 */
export async function batchOnce(
  database: LedgerDatabase,
  owner: string,
  statements: readonly Statement[],
  lease: BatchLease | null = null,
): Promise<void> {
  // The token is kept until the owner's run has ended: a service may execute a request of a broken connection after it
  // has answered the repeated request.
  const token = `${owner}/${randomUUID()}`
  try {
    await database.batch([
      ...(lease === null ? [] : [lease.renew]),
      tokenStatement(database, token, lease),
      ...statements,
    ])
  } catch (error) {
    const landed = await database.all('SELECT 1 FROM migration_tokens WHERE token = ?', [token])
    if (landed.length === 0) throw error
  }
}

/** Makes the batch fail if the token exists. If the lease is lost, the token is NULL, which the column refuses. */
function tokenStatement({ dialect }: LedgerDatabase, token: string, hold: BatchLease | null): Statement {
  if (hold === null) return { sql: 'INSERT INTO migration_tokens (token) VALUES (?)', parameters: [token] }
  const { castText: text } = ledgerDialect(dialect).types
  return {
    sql: `INSERT INTO migration_tokens (token) VALUES ((SELECT CAST(? AS ${text}) ${hold.from.sql}))`,
    parameters: [token, ...hold.from.parameters],
  }
}
