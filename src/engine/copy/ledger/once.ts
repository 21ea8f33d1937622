/** Statements that must not happen twice, on servers that may run a batch again because its answer got lost. */
import { randomUUID } from 'node:crypto'
import type { LedgerDatabase, Statement } from '../../../model/copy/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'

/**
 * The name of a batch. It stays until its owner's run has ended: a service may execute a request whose connection broke moments after it has
 * answered the repeat of it.
 */
function tokenOf(owner: string): string {
  return `${owner}/${randomUUID()}`
}

/** Forgets the batches of a run that has ended. */
export function forgetBatches(owner: string): Statement {
  const prefix = `${owner}/`
  // The length is written out: DuckDB binds a number to a type that its substr does not take.
  return { sql: `DELETE FROM migration_tokens WHERE substr(token, 1, ${prefix.length}) = ?`, parameters: [prefix] }
}

/** What a program holds for as long as nobody takes it away, because nothing was heard of it. */
export type Hold = {
  /** Keeps whoever would take it over waiting until the batch has ended. */
  readonly renew: Statement
  /** The source of one row while it is held, and of none afterwards: what stands behind SELECT … */
  readonly from: Statement
}

/**
 * Runs a batch exactly once, whatever becomes of its answers.
 * @param owner who has it forgotten in the end, see `forgetBatches`
 * @param hold nothing happens unless this program has it still
 * @throws what the database throws where nothing of the batch happened
 */
export async function batchOnce(
  database: LedgerDatabase,
  owner: string,
  statements: readonly Statement[],
  hold: Hold | null = null,
): Promise<void> {
  const token = tokenOf(owner)
  try {
    await database.batch([...(hold === null ? [] : [hold.renew]), tokenStatement(database, token, hold), ...statements])
  } catch (error) {
    const landed = await database.all('SELECT 1 FROM migration_tokens WHERE token = ?', [token])
    if (landed.length === 0) throw error
  }
}

/** Fails with all of its batch where the token is there already; and where nothing is held, because a token is never NULL. */
function tokenStatement({ dialect }: LedgerDatabase, token: string, hold: Hold | null): Statement {
  if (hold === null) return { sql: 'INSERT INTO migration_tokens (token) VALUES (?)', parameters: [token] }
  const { castText: text } = ledgerDialect(dialect).types
  return {
    sql: `INSERT INTO migration_tokens (token) VALUES ((SELECT CAST(? AS ${text}) ${hold.from.sql}))`,
    parameters: [token, ...hold.from.parameters],
  }
}
