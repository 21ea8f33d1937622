/** Ledger of a copy in PostgreSQL, by the same connection code as the catalog. */
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { REPEATABLE, type SqlDatabase, type SqlRow } from '../../../model/run/sql-port.ts'
import type { Backend } from '../server/connect.ts'
import { backendIsGone } from '../server/commit-outcome.ts'

export class PostgresLedger implements LedgerDatabase {
  readonly dialect = 'postgresql'
  readonly label: string
  readonly #database: SqlDatabase

  /** @param database opened for writing; closed with the ledger */
  constructor(database: SqlDatabase, label: string) {
    this.label = label
    this.#database = database
  }

  all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    return this.#database.all(sql, parameters)
  }

  async refuseStrangers(names: readonly string[], schema?: string): Promise<void> {
    await this.#database.refuseStrangers?.(names, schema)
  }

  batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    return this.#database.write(async (transaction) => {
      const answers = []
      for (const { sql, parameters } of statements) answers.push(await transaction.all(sql, parameters))
      return answers
    }, REPEATABLE)
  }

  /** @throws SluiceError TARGET_DENIED if the session belongs to another user, TARGET_BUSY if it does not end */
  async endSession(session: string): Promise<void> {
    const backend = backendOf(session)
    if (backend === null) return
    const { pid, startedAt } = backend
    const [hidden] = await this.#database.all(
      'SELECT usename FROM pg_catalog.pg_stat_activity WHERE pid = ? AND backend_start IS NULL AND datid IS NOT NULL',
      [pid],
    )
    if (hidden !== undefined) {
      throw new SluiceError(
        'TARGET_DENIED',
        `sluice cannot end the session of a program whose lease expired: ${String(hidden[0])} owns the session`,
        {
          where: this.#database.label,
          reason: 'this user has no right to see or end that session',
          hint: `connect as ${String(hidden[0])}, or as a user with pg_signal_backend and pg_read_all_stats`,
        },
      )
    }
    await this.#database.all(
      'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = ? AND backend_start = CAST(? AS timestamptz)',
      [pid, startedAt],
    )
    if (await backendIsGone(this.#database, backend)) return
    throw new SluiceError('TARGET_BUSY', 'the session of a program whose lease expired does not end', {
      where: `${this.#database.label}, server process ${pid}`,
      hint: 'wait until its statement ends, then run the same command again',
      retryable: true,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close()
  }
}

/** Parses `CopySession.name`. */
function backendOf(session: string): Backend | null {
  const found = /^(\d+) (.+)$/.exec(session)
  return found === null ? null : { pid: Number(found[1]), startedAt: found[2] ?? '' }
}
