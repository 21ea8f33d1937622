/**
 * The ledger of copies into a database file, in the file itself. There is one writer, so a batch waits until the
 * current chunk has ended. If the code that writes this chunk sends a batch, it is refused at once (`withWriter`).
 * Reads never wait, and see committed data.
 */
import type Database from 'better-sqlite3'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
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
      return run(reader(), { sql, parameters })
    } catch (error) {
      throw sqliteCopyError(error, label, 'target')
    }
  }

  async batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    return await writtenInTurn(this.#parts, (connection) => statements.map((statement) => run(connection, statement)))
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

function run(connection: Database.Database, { sql, parameters }: Statement): readonly SqlRow[] {
  const statement = connection.prepare(sql)
  if (!statement.reader) {
    statement.run(...parameters)
    return []
  }
  const rows = statement
    .raw(true)
    .safeIntegers(true)
    .all(...parameters) as readonly SqlRow[]
  return rows.map((row) => row.map(narrowed))
}

/** Converts a bigint to a number if the number is exact. */
function narrowed(value: SqlRow[number]): SqlRow[number] {
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value
}
