/** A session of a copy: answers as texts, and settings under which these texts mean the same everywhere. */
import type { OpenMode, SqlRow } from '../../../model/run/sql-port.ts'
import { connect } from './connect.ts'
import { pooled } from './server-errors.ts'
import { numbered } from './placeholders.ts'
import { Session, type Answer, type Query } from './wire-session.ts'
import type { PostgresSettings } from './settings.ts'
import { toPostgres } from './values.ts'
import { literal } from './sql.ts'

/** Beside those of every session (`connect.ts`), where a server knows them. Under others rows would be hidden or cut off, or sums that were stored before would differ. */
const SETTINGS: Readonly<Record<string, string>> = {
  IntervalStyle: 'iso_8601',
  row_security: 'off',
  // Compiling the plan of a chunk takes longer than running it.
  jit: 'off',
  idle_session_timeout: '0',
  transaction_timeout: '0',
}

/** The statement that puts the settings of a copy on a session, beside those of `connect`. */
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

/** Everything as the server prints it. */
const TEXTS = { getTypeParser: () => (text: string) => text }

export class CopySession extends Session {
  /**
   * A commit of a session that writes is on the disk when it is answered: what follows it (a log, a DROP, an emptied table) is not taken back by a crash.
   * @throws SluiceError as `connect` does; CONNECT_FAILED where a pooler lends the session by the transaction: nothing of it was set then
   */
  static async open(settings: PostgresSettings, mode: OpenMode): Promise<CopySession> {
    const isDurable = settings.isDurable ?? mode === 'write'
    const session = new CopySession(settings, await connect({ ...settings, isDurable }, mode))
    try {
      if (session.isLent) throw pooled(settings, NEEDS_SESSION)
      await session.command(copySettings(settings))
      return session
    } catch (error) {
      session.destroy()
      throw error
    }
  }

  /** What the ledger keeps, so that this process of the server and no other is ended where its owner vanished. */
  get name(): string {
    return `${this.backend.pid} ${this.backend.startedAt}`
  }

  /** Statements of our own, separated by semicolons; the rows of the last one. */
  async ask(sql: string): Promise<readonly TextRow[]> {
    return (await this.#texts({ text: sql })).rows
  }

  /** Statements in one message: nobody who waits for a lock has to wait for each of them to come and go. */
  async askAll(statements: readonly string[]): Promise<void> {
    if (statements.length > 0) await this.ask(statements.join(';\n'))
  }

  /** One statement that holds something a user wrote. */
  async askOne(sql: string): Promise<readonly TextRow[]> {
    return (await this.#texts({ text: sql, queryMode: 'extended' })).rows
  }

  /** Rows of one statement with `?` for its parameters. */
  async all(sql: string, parameters: SqlRow = []): Promise<readonly TextRow[]> {
    return (await this.#texts(withParameters(sql, parameters))).rows
  }

  /** One statement of our own; returns how many rows it changed. */
  async run(sql: string, parameters: SqlRow = []): Promise<number> {
    return (await this.#texts(withParameters(sql, parameters))).rowCount ?? 0
  }

  /**
   * Begins a transaction.
   * @param first statements that must stand before all others in it
   * @throws SluiceError CONNECT_FAILED where a pooler gives the transaction to another process of the server
   */
  override async begin(kind: string, first = ''): Promise<void> {
    const [row] = await this.ask(`BEGIN ${kind};${first};SELECT pg_catalog.pg_backend_pid()`)
    if (row?.[0] === String(this.backend.pid)) return
    this.destroy()
    throw pooled(this.settings, NEEDS_SESSION)
  }

  /** As the driver throws it: what it means depends on the side and the table that were copied, see `errors.ts`. */
  protected override named(error: unknown): unknown {
    return error
  }

  #texts(query: Query): Promise<Answer<TextRow>> {
    return this.answer<TextRow>({ ...query, types: TEXTS })
  }
}

function withParameters(sql: string, parameters: SqlRow): Query {
  // A question mark is an operator too: where nothing is to be put in, the text is left alone.
  const text = parameters.length === 0 ? sql : numbered(sql).text
  return { text, values: toPostgres(parameters) }
}
