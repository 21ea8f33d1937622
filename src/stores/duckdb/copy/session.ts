/** A session of a copy: moments in UTC, temporary tables that are filled by the shortest way, and errors of the side that it is. */
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api'
import { copyError, type Side } from '../errors.ts'
import { Session } from '../session.ts'

export class CopySession extends Session {
  readonly #side: Side

  private constructor(connection: DuckDBConnection, label: string, side: Side) {
    super(connection, label)
    this.#side = side
  }

  /** Moments are printed and read in UTC here. */
  static async open(connection: DuckDBConnection, label: string, side: Side): Promise<CopySession> {
    const session = new CopySession(connection, label, side)
    await session.raw(`SET TimeZone = 'UTC'`)
    return session
  }

  /** Whether a statement that fails ends the transaction of those around it. A source is read-only, and needs none for one moment. */
  get inTransaction(): boolean {
    return this.#side === 'target'
  }

  /** Fills a temporary table; with nothing, where `fill` throws. */
  async append(table: string, fill: (appender: DuckDBAppender) => Promise<void>): Promise<void> {
    await this.naming(async () => {
      const appender = await this.connection.createAppender(table, 'main', 'temp')
      try {
        await fill(appender)
      } catch (error) {
        appender.clear()
        throw error
      } finally {
        appender.closeSync()
      }
    })
  }

  protected override named(error: unknown): unknown {
    return copyError(error, this.label, this.#side)
  }
}
