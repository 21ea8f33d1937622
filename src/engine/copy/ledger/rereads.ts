/**
 * Rows to be read from the source again. They are recorded in the transaction that skips them, and removed in the
 * transaction that writes them.
 */
import { clockOf } from './statement.ts'
import { randomUUID } from 'node:crypto'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { TableKey } from './owner.ts'

/**
 * Why a row is read again. `unchanged`: the stream does not report all of its values. `difference`: a comparison found
 * it to differ. `refused`: the target refused the row as streamed. `bound`: the time of the row equals a bound, so it
 * is unknown whether its chunk is copied. Such a row waits until all chunks are copied.
 */
export type RereadReason = 'unchanged' | 'difference' | 'refused' | 'bound'

export type RequestedReread = { readonly ids: readonly string[]; readonly sinceMs: number }

export class RereadLedger {
  readonly #database: LedgerDatabase
  readonly #now: string

  constructor(database: LedgerDatabase) {
    this.#database = database
    this.#now = ledgerDialect(database.dialect).now
  }

  /** Records rows to be read from the source; for the transaction that skips them. */
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
   * Asks the apply worker to read rows from the source, repair differences, and record them in `migration_repairs`.
   * @returns ids, for `stillWaiting`; and the time, by the clock of the ledger
   */
  async requestReread(id: string, table: TableKey, keys: readonly RowKey[]): Promise<RequestedReread> {
    const statements = this.statements(id, table, keys, 'difference')
    const sinceMs = await clockOf(this.#database)
    await this.#database.batch(statements)
    return { ids: statements.map(({ parameters }) => String(parameters[0])), sinceMs }
  }

  /** Ids of a table's rows that have not been read yet. */
  async stillWaiting(id: string, { schema, name }: TableKey): Promise<ReadonlySet<string>> {
    const rows = await this.#database.all(
      'SELECT reread_id FROM migration_stream_rereads WHERE stream_id = ? AND schema_name = ? AND table_name = ?',
      [id, schema, name],
    )
    return new Set(rows.map(([rereadId]) => String(rereadId)))
  }

  /** Tables with rows to be read again, one entry per table and reason. */
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

  /** @param bound include rows at bounds @returns at most `most` rows */
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

  /** Removes rows that were read; for the transaction that writes them. */
  done(ids: readonly string[]): readonly Statement[] {
    return ids.map((id) => ({ sql: 'DELETE FROM migration_stream_rereads WHERE reread_id = ?', parameters: [id] }))
  }
}
