/** The ledger of a copy, in the target database. */
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { D1Client, D1Result } from '../client.ts'
import { d1Error } from '../errors.ts'
import { d1Statement } from './statements.ts'

export class D1Ledger implements LedgerDatabase {
  readonly dialect = 'sqlite'
  readonly label: string
  readonly mostParameters = 100
  readonly #client: D1Client
  readonly #signal: AbortSignal

  constructor(client: D1Client, signal: AbortSignal) {
    this.#client = client
    this.label = client.settings.label
    this.#signal = signal
  }

  /** Statements must cast whole numbers beyond 2^53 to text. */
  async all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    const [rows = []] = await this.batch([{ sql, parameters }])
    return rows
  }

  async batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    if (statements.length === 0) return []
    let results: readonly D1Result[]
    try {
      results = await this.#client.read(statements.map(d1Statement), { signal: this.#signal, urgent: true })
    } catch (error) {
      throw d1Error(error, this.#client.settings)
    }
    return results.map(({ rows }) =>
      rows.map((row) =>
        row.map((value) => (typeof value === 'object' && value !== null ? Uint8Array.from(value) : value)),
      ),
    )
  }

  async endSession(): Promise<void> {
    // Nothing to do: the guard of a running request finds another fence, so the request fails.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing to close: there is no connection between two requests.
  }
}
