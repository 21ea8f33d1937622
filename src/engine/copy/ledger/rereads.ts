/** Rows in the ledger that are to be read from the source again: named in the transaction that leaves them out, and gone in the one that writes them. */
import { randomUUID } from 'node:crypto'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { LedgerDatabase, Statement } from '../../../model/copy/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { TableKey } from './owner.ts'

/**
 * Why a row is read again: the stream does not tell all of its values, a comparison found it to differ, the target refused it as the stream told it, or nobody can tell
 * whether its chunk is copied, since it has the very time of a bound: that one waits until all chunks are.
 */
export type RereadReason = 'unchanged' | 'difference' | 'refused' | 'bound'

export type Nominated = { readonly ids: readonly string[]; readonly sinceMs: number }

export class RereadLedger {
  readonly #database: LedgerDatabase
  readonly #now: string

  constructor(database: LedgerDatabase) {
    this.#database = database
    this.#now = ledgerDialect(database.dialect).now
  }

  /** Rows that have to be read from the source; for the transaction that leaves them out. */
  statements(
    id: string,
    { schema, name }: TableKey,
    keys: readonly RowKey[],
    reason: RereadReason,
  ): readonly Statement[] {
    return keys.map((key) => ({
      sql: `INSERT INTO migration_stream_rereads (reread_id, stream_id, schema_name, table_name, row_key, reason, noted_ms) VALUES (?, ?, ?, ?, ?, ?, ${this.#now})`,
      parameters: [randomUUID(), id, schema, name, JSON.stringify(key), reason],
    }))
  }

  /**
   * Names rows that the lane is to read from the source, mend where they differ, and note in `migration_repairs`.
   * @returns ids, for `stillWaiting`; and since when, by the clock of the ledger
   */
  async nominate(id: string, table: TableKey, keys: readonly RowKey[]): Promise<Nominated> {
    const statements = this.statements(id, table, keys, 'difference')
    const [now] = await this.#database.all(`SELECT ${this.#now}`, [])
    await this.#database.batch(statements)
    return { ids: statements.map(({ parameters }) => String(parameters[0])), sinceMs: Number(now?.[0]) }
  }

  /** Which rows of a table have not been read yet: their ids. */
  async stillWaiting(id: string, { schema, name }: TableKey): Promise<ReadonlySet<string>> {
    const rows = await this.#database.all(
      'SELECT reread_id FROM migration_stream_rereads WHERE stream_id = ? AND schema_name = ? AND table_name = ?',
      [id, schema, name],
    )
    return new Set(rows.map(([rereadId]) => String(rereadId)))
  }

  /** Tables of which rows wait to be read from the source, and why: a line for each reason. */
  async tables(id: string): Promise<readonly (TableKey & { readonly reason: RereadReason })[]> {
    const rows = await this.#database.all(
      'SELECT DISTINCT schema_name, table_name, reason FROM migration_stream_rereads WHERE stream_id = ?',
      [id],
    )
    return rows.map(([schema, name, reason]) => ({
      schema: String(schema),
      name: String(name),
      reason: String(reason) as RereadReason,
    }))
  }

  /** @param bound whether rows at bounds are among them @returns at most `most` of them */
  async of(
    id: string,
    { schema, name }: TableKey,
    most: number,
    bound = true,
  ): Promise<readonly { readonly id: string; readonly key: RowKey; readonly reason: RereadReason }[]> {
    const rows = await this.#database.all(
      `SELECT reread_id, row_key, reason FROM migration_stream_rereads WHERE stream_id = ? AND schema_name = ? AND table_name = ?${bound ? '' : " AND reason <> 'bound'"} ORDER BY reread_id LIMIT ${most}`,
      [id, schema, name],
    )
    return rows.map(([rereadId, key, reason]) => ({
      id: String(rereadId),
      key: JSON.parse(String(key)) as RowKey,
      reason: String(reason) as RereadReason,
    }))
  }

  /** They have been read; for the transaction that writes them. */
  done(ids: readonly string[]): readonly Statement[] {
    return ids.map((id) => ({ sql: 'DELETE FROM migration_stream_rereads WHERE reread_id = ?', parameters: [id] }))
  }
}
