/**
 * That rows were proved before some of them went, kept in the ledger until all of them are gone. Cassandra removes row by row: whoever goes on after a
 * program that was killed finds only some of the rows, and knows by this that the others were removed and not lost.
 */
import { createHash } from 'node:crypto'
import { keyText } from '../../../model/copy/key-text.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import type { RemoveRequest } from '../../../model/archive/port.ts'
import type { Closing, LedgerDatabase, Statement } from '../../../model/copy/port.ts'
import { fence } from '../copy/closing.ts'

/** Made by whoever needs it first. */
const TABLE = `CREATE TABLE IF NOT EXISTS migration_removals (id TEXT PRIMARY KEY, table_name TEXT NOT NULL, proved_us TEXT NOT NULL)`

export class ProvedRows {
  readonly #ledger: LedgerDatabase
  readonly #id: string
  readonly #name: string

  constructor(ledger: LedgerDatabase, request: RemoveRequest) {
    this.#ledger = ledger
    this.#id = idOf(request)
    this.#name = tableText(request.table.table)
  }

  /** Microseconds since 1970 at which the same rows were proved before; null where they were not. */
  async before(): Promise<bigint | null> {
    const known = await this.#ledger.all(
      `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration_removals'`,
    )
    if (known.length === 0) return null
    const [row] = await this.#ledger.all('SELECT proved_us FROM migration_removals WHERE id = ?', [this.#id])
    return row === undefined ? null : BigInt(String(row[0]))
  }

  /** @returns false where somebody else has the step now */
  async note(us: bigint, { guard }: Closing): Promise<boolean> {
    const statements: readonly Statement[] = [
      fence(guard),
      { sql: TABLE, parameters: [] },
      {
        sql: 'INSERT OR REPLACE INTO migration_removals (id, table_name, proved_us) VALUES (?, ?, ?)',
        parameters: [this.#id, this.#name, us.toString()],
      },
    ]
    try {
      await this.#ledger.batch(statements)
      return true
    } catch (error) {
      if ((await this.#ledger.all(guard.sql, guard.parameters)).length === 0) return false
      throw error
    }
  }

  /** The closing of the step, which forgets that its rows were proved. */
  closing(closing: Closing): Closing {
    const forget = { sql: 'DELETE FROM migration_removals WHERE id = ?', parameters: [this.#id] }
    return { ...closing, statements: [...closing.statements, forget] }
  }
}

function idOf({ table, columns, range, where, expect }: RemoveRequest): string {
  const bounds =
    range.by === 'key'
      ? [range.after, range.through].map((bound) => (bound === null ? null : keyText(bound)))
      : range.by === 'keys'
        ? range.keys.map((key) => keyText(key))
        : []
  const all = [
    table.identity,
    columns.map(({ name }) => name),
    range.by,
    bounds,
    where,
    String(expect.rows),
    expect.sum,
  ]
  return createHash('sha256').update(JSON.stringify(all)).digest('hex')
}
