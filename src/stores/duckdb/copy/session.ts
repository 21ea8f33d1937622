/** A session of a copy: timestamps in UTC, bulk-filled temporary tables, and errors for its side of the copy. */
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api'
import { duckdbCopyError, type DuckdbCopySide } from '../errors.ts'
import { DuckdbSession } from '../session.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { Turn } from '../../../model/run/turn.ts'

export class DuckdbCopySession extends DuckdbSession {
  readonly #side: DuckdbCopySide

  private constructor(connection: DuckDBConnection, label: string, side: DuckdbCopySide) {
    super(connection, label)
    this.#side = side
  }

  /** Timestamps are printed and read in UTC. */
  static async open(connection: DuckDBConnection, label: string, side: DuckdbCopySide): Promise<DuckdbCopySession> {
    const session = new DuckdbCopySession(connection, label, side)
    await session.raw(`SET TimeZone = 'UTC'`)
    return session
  }

  /** True if a failed statement ends the transaction around it. A read-only source is read without a transaction. */
  get inTransaction(): boolean {
    return this.#side === 'target'
  }

  /** Fills a temporary table; leaves it empty if `fill` throws. */
  async append(table: string, fill: (appender: DuckDBAppender) => Promise<void>): Promise<void> {
    await this.exclusively(async () => {
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

  /** Runs the statements that close a chunk. @returns false if the first one changes no row: the chunk is fenced */
  async closesChunk(statements: readonly Statement[]): Promise<boolean> {
    for (const [i, { sql, parameters }] of statements.entries()) {
      const changed = await this.change(sql, parameters)
      if (i === 0 && changed !== 1) return false
    }
    return true
  }

  protected override named(error: unknown): unknown {
    return duckdbCopyError(error, this.label, this.#side)
  }
}

/** What source, target and ledger of one DuckDB file share. */
export type DuckdbParts = {
  readonly reader: DuckdbCopySession
  /** Called for each transaction. @throws Error if the file was opened for reading; SluiceError of `OpenPath` */
  readonly writer: () => DuckdbCopySession
  /** Taken while the writer is in a transaction. */
  readonly turn: Turn
  readonly label: string
}
