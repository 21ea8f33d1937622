/**
 * Records in the ledger that all rows of a step were proved, until all of them are removed. Cassandra removes row by
 * row: a run that resumes after a killed one finds only some rows. This record shows that the missing rows were
 * removed and not lost.
 */
import { createHash } from 'node:crypto'
import { keyText } from '../../../model/copy/key-text.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import type { RemoveRequest } from '../../../model/archive/port.ts'
import type { Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { guardedStatement } from '../copy/closing.ts'

/** Created at its first use. */
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

  /** True if an earlier attempt proved the same rows. */
  async isNoted(): Promise<boolean> {
    const known = await this.#ledger.all(
      `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration_removals'`,
    )
    if (known.length === 0) return false
    return (await this.#ledger.all('SELECT 1 FROM migration_removals WHERE id = ?', [this.#id])).length > 0
  }

  /**
   * @param us time of the proof, in microseconds since 1970: earlier versions of sluice read it when they resume
   * @returns false if another worker has the step now
   */
  async note(us: bigint, { guard }: Closing): Promise<boolean> {
    const statements: readonly Statement[] = [
      guardedStatement(guard),
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

  /** The closing of the step, with a statement that also deletes the record. */
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
