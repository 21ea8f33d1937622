/**
 * The ledger of copies into a database file, in the file itself. There is one writer, so a batch waits until the
 * current chunk has ended. If the code that writes this chunk sends a batch, it is refused at once (`withWriter`).
 * Reads never wait, and see committed data.
 */
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { answerOf } from '../../common/sqlite-dialect/answer.ts'
import { writtenInTurn, type SqliteParts } from './connection.ts'
import { sqliteCopyError } from './errors.ts'

export type LedgerParts = SqliteParts & {
  /** Called once, when the ledger is no longer needed. */
  readonly release: () => void
}

export class SqliteLedger implements LedgerDatabase {
  readonly dialect = 'sqlite'
  readonly label: string
  readonly #parts: LedgerParts
  #released = false

  constructor(parts: LedgerParts) {
    this.#parts = parts
    this.label = parts.label
  }

  async all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    const { reader, label } = this.#parts
    try {
      return answerOf(reader().prepare(sql), parameters)
    } catch (error) {
      throw sqliteCopyError(error, label, 'target')
    }
  }

  async batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    return await writtenInTurn(this.#parts, (connection) =>
      statements.map(({ sql, parameters }) => answerOf(connection.prepare(sql), parameters)),
    )
  }

  /** Does nothing, because a transaction of SQLite ends with its program. */
  async endSession(): Promise<void> {
    return
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#released) return
    this.#released = true
    this.#parts.release()
  }
}
