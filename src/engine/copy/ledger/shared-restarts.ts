/**
 * What a run that workers share has begun anew already (`--restart`, `--resync`), or confirmed (`--moved`). Each turn of each slot has the operation as it was asked for: without these notes, each would begin
 * anew again, and empty what the turn before has copied.
 */
import type { LedgerDatabase, Statement } from '../../../model/copy/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { isMissingTable } from '../../../stores/common/late-table.ts'
import { makeLateTable } from './late-tables.ts'
import type { TableKey } from './owner.ts'

/**
 * `stream`: the stream of the table was ended, and another one begun. `chunks`: its chunks were retired, and its plan replaced. `resync`: the table was emptied within its
 * stream, to be copied anew. `moved`: the target was noted as the one of the table's stream.
 */
export type Restarted = 'stream' | 'chunks' | 'resync' | 'moved'

const TABLE = 'migration_shared_restarts'

export class SharedRestarts {
  readonly #database: LedgerDatabase
  readonly #run: string

  /** @param sharedRun of any turn: who goes on with a run after its end does not begin anew again */
  constructor(database: LedgerDatabase, sharedRun: string) {
    this.#database = database
    this.#run = sharedRun.split('/')[0] ?? sharedRun
  }

  /** Makes the table of the notes, which has to be there before the first one. */
  async prepare(): Promise<void> {
    await makeLateTable(this.#database, TABLE)
  }

  /** Whether the run has begun a stream anew. */
  async hasStream(): Promise<boolean> {
    return await this.#has(`what = 'stream'`, [])
  }

  /** Whether the run has confirmed its target: another one may have been confirmed since. */
  async hasMoved(): Promise<boolean> {
    return await this.#has(`what = 'moved'`, [])
  }

  async has(what: Restarted, { schema, name }: TableKey): Promise<boolean> {
    return await this.#has(`what = ? AND schema_name = ? AND table_name = ?`, [what, schema, name])
  }

  /** Whether the chunks of all these tables are those that were cut since. */
  async haveChunks(keys: readonly TableKey[]): Promise<boolean> {
    for (const key of keys) if (!(await this.has('chunks', key))) return false
    return true
  }

  /** Statements for the transaction that begins anew. */
  notes(what: Restarted, keys: readonly TableKey[]): readonly Statement[] {
    const { unlessThere } = ledgerDialect(this.#database.dialect)
    return keys.map(({ schema, name }) => ({
      sql: `INSERT INTO ${TABLE} (shared_run, what, schema_name, table_name) VALUES (?, ?, ?, ?) ${unlessThere}`,
      parameters: [this.#run, what, schema, name],
    }))
  }

  async note(what: Restarted, key: TableKey): Promise<void> {
    await this.#database.batch(this.notes(what, [key]))
  }

  async #has(condition: string, parameters: readonly string[]): Promise<boolean> {
    const sql = `SELECT 1 FROM ${TABLE} WHERE shared_run = ? AND ${condition}`
    try {
      return (await this.#database.all(sql, [this.#run, ...parameters])).length > 0
    } catch (error) {
      if (isMissingTable(error)) return false
      throw error
    }
  }
}
