/** A session of a copy. Results are texts; its settings make every server print the same value as the same text. */
import type { OpenMode, SqlRow } from '../../../model/run/sql-port.ts'
import { connect } from './connect.ts'
import { pooled, postgresError } from './server-errors.ts'
import { numberPlaceholders } from './placeholders.ts'
import { WireSession, type PostgresAnswer, type WireQuery } from './wire-session.ts'
import type { PostgresSettings } from './settings.ts'
import { toPostgres } from './values.ts'
import { literal } from './sql.ts'

/**
 * Settings of a copy in addition to the settings of every session (`connect.ts`), if the server has them. Other values
 * would hide rows, cut them or change checksums.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  IntervalStyle: 'iso_8601',
  row_security: 'off',
  // JIT compilation of a chunk's plan takes longer than its execution.
  jit: 'off',
  idle_session_timeout: '0',
  transaction_timeout: '0',
}

/** Statement that applies the settings of a copy, in addition to the settings of `connect`. */
export function copySettings({ statementTimeoutMs, lockWaitMs }: PostgresSettings): string {
  const known = Object.entries({
    ...SETTINGS,
    ...(statementTimeoutMs === null ? { statement_timeout: '0' } : {}),
    ...(lockWaitMs === undefined ? {} : { lock_timeout: `${lockWaitMs}ms` }),
  }).map(([name, value]) => `(${literal(name)}, ${literal(value)})`)
  return `SELECT pg_catalog.count(pg_catalog.set_config(name, value, false)) FROM (VALUES ${known.join(', ')})
    AS known (name, value) WHERE pg_catalog.current_setting(name, true) IS NOT NULL`
}

const NEEDS_SESSION = 'a copy needs sessions that keep their settings, snapshots and temporary tables'

export type TextRow = readonly (string | null)[]

/** Every value stays the text that the server prints. */
const TEXTS = { getTypeParser: () => (text: string) => text }

export class CopySession extends WireSession {
  /**
   * Opens a session. By default, a commit of a writing session is on disk when the server has confirmed it. Later steps
   * (a log entry, a DROP, an emptied table) rely on this commit, so a crash must not undo it.
   * @throws SluiceError as `connect`; CONNECTION_LOST; CONNECT_FAILED if a pooler shares the session between
   * transactions, before the settings are applied
   */
  static async open(settings: PostgresSettings, mode: OpenMode): Promise<CopySession> {
    const isDurable = settings.isDurable ?? mode === 'write'
    let session: CopySession | null = null
    try {
      session = new CopySession(settings, await connect({ ...settings, isDurable }, mode))
      if (session.isPooled) throw pooled(settings, NEEDS_SESSION)
      await session.command(copySettings(settings))
      return session
    } catch (error) {
      session?.destroy()
      throw postgresError(error, settings)
    }
  }

  /**
   * Name of this server process for the ledger. It is unique, so that the process can be ended if its owner no longer
   * runs.
   */
  get name(): string {
    return `${this.backend.pid} ${this.backend.startedAt}`
  }

  /** Runs statements of sluice, separated by semicolons; returns the rows of the last one. */
  async ask(sql: string): Promise<readonly TextRow[]> {
    return (await this.#texts({ text: sql })).rows
  }

  /** Returns the first value of the first row as a text; null if there is no row. */
  async one(sql: string): Promise<string | null> {
    return (await this.ask(sql))[0]?.[0] ?? null
  }

  /** True if the first value of the first row is true. */
  async isTrue(sql: string): Promise<boolean> {
    return (await this.one(sql)) === 't'
  }

  /** Returns the first value of each row as a text; NULL becomes an empty text. */
  async texts(sql: string): Promise<readonly string[]> {
    return (await this.ask(sql)).map(([text]) => text ?? '')
  }

  /** Rows of a statement that returns one JSON object a row. */
  async objects<T>(sql: string): Promise<readonly T[]> {
    return (await this.ask(sql)).map(([json]) => JSON.parse(json ?? 'null') as T)
  }

  /** Runs statements in one message: sessions that wait for their locks need not wait for a round trip each. */
  async askAll(statements: readonly string[]): Promise<void> {
    if (statements.length > 0) await this.ask(statements.join(';\n'))
  }

  /** Runs one statement that contains text of a user; returns its rows. */
  async askOne(sql: string): Promise<readonly TextRow[]> {
    return (await this.#texts({ text: sql, queryMode: 'extended' })).rows
  }

  /** Runs one statement with `?` for its parameters; returns its rows. */
  async all(sql: string, parameters: SqlRow = []): Promise<readonly TextRow[]> {
    return (await this.#texts(withParameters(sql, parameters))).rows
  }

  /** Runs one statement with `?` for its parameters; returns how many rows it changed. */
  async run(sql: string, parameters: SqlRow = []): Promise<number> {
    return (await this.#texts(withParameters(sql, parameters))).rowCount ?? 0
  }

  /**
   * Begins a transaction.
   * @param first statements that must be its first ones
   * @throws SluiceError CONNECT_FAILED if a pooler gives the transaction to another server process
   */
  override async begin(kind: string, first = ''): Promise<void> {
    const [row] = await this.ask(`BEGIN ${kind};${first};SELECT pg_catalog.pg_backend_pid()`)
    if (row?.[0] === String(this.backend.pid)) return
    this.destroy()
    throw pooled(this.settings, NEEDS_SESSION)
  }

  /** Runs `body` in a transaction that is rolled back. @param first as of `begin` @throws as `begin`, and of `body` */
  async rolledBack<T>(kind: string, first: string, body: () => Promise<T>): Promise<T> {
    await this.begin(kind, first)
    try {
      return await body()
    } finally {
      await this.rollBack()
    }
  }

  /**
   * Runs `body` in a savepoint of the open transaction.
   * @param isExpected true for an error that undoes only the body and is returned
   * @throws other errors of `body`, after which the transaction cannot continue
   */
  async attempt<T>(
    body: () => Promise<T>,
    isExpected: (error: unknown) => boolean,
  ): Promise<{ readonly result: T } | { readonly refused: Error }> {
    await this.ask('SAVEPOINT attempt')
    try {
      const result = await body()
      await this.ask('RELEASE SAVEPOINT attempt')
      return { result }
    } catch (error) {
      if (!this.alive || !isExpected(error)) throw error
      await this.ask('ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt')
      return { refused: error as Error }
    }
  }

  /** Returns the error unchanged: its meaning depends on the side and the table of the copy, see `errors.ts`. */
  protected override named(error: unknown): unknown {
    return error
  }

  #texts(query: WireQuery): Promise<PostgresAnswer<TextRow>> {
    return this.answer<TextRow>({ ...query, types: TEXTS })
  }
}

function withParameters(sql: string, parameters: SqlRow): WireQuery {
  // A question mark is also an operator of PostgreSQL, so a text without parameters is not changed.
  const text = parameters.length === 0 ? sql : numberPlaceholders(sql).text
  return { text, values: toPostgres(parameters) }
}
