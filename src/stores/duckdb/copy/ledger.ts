/**
 * The ledger of copies into a DuckDB file, in the file itself. A batch waits for the end of the running chunk: a
 * concurrent change of a ledger row would make the chunk's commit fail. A batch requested by the writer of that chunk
 * is refused at once (`withWriter`). Reads never wait; they show committed rows.
 */
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { DuckdbParts } from './session.ts'

export class DuckdbLedger implements LedgerDatabase {
  readonly dialect = 'duckdb'
  readonly label: string
  readonly #parts: DuckdbParts

  /** @param parts with a reader that is closed with the ledger */
  constructor(parts: DuckdbParts) {
    this.#parts = parts
    this.label = parts.label
  }

  all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    return this.#parts.reader.rows(sql, parameters)
  }

  async batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    const writer = this.#parts.writer()
    return this.#parts.turn.take(() =>
      writer.transaction(async () => {
        const results: (readonly SqlRow[])[] = []
        for (const { sql, parameters } of statements) results.push(await writer.rowsIfAny(sql, parameters))
        return results
      }),
    )
  }

  /** A transaction of DuckDB ends with its program. */
  async endSession(): Promise<void> {
    return
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.reader.close()
  }
}
