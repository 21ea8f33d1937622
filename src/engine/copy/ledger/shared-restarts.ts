/**
 * Restarts (`--restart`, `--resync`) and confirmations (`--moved`) that a distributed run has done. Each execution of
 * each task gets the original options: without these notes, each would restart again and delete rows that an earlier
 * execution copied.
 */
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { isMissingTable } from '../../../stores/common/late-table.ts'
import { makeLateTable } from './late-tables.ts'
import type { TableKey } from './owner.ts'

/**
 * `stream`: the table's stream was ended, and another one started. `chunks`: its chunks were retired, and its plan
 * replaced. `resync`: the table was emptied within its stream, to be copied again. `moved`: the target was recorded as
 * the target of the table's stream.
 */
export type Restarted = 'stream' | 'chunks' | 'resync' | 'moved'

const TABLE = 'migration_shared_restarts'

export class SharedRestarts {
  readonly #database: LedgerDatabase
  readonly #run: string

  /**
   * @param sharedRun id from any execution. Only the part before `/` is used. A resumed run has the same part, so it
   * does not restart again
   */
  constructor(database: LedgerDatabase, sharedRun: string) {
    this.#database = database
    this.#run = sharedRun.split('/')[0] ?? sharedRun
  }

  /** Creates the table for the notes; call before the first note. */
  async prepare(): Promise<void> {
    await makeLateTable(this.#database, TABLE)
  }

  /** True if the run has restarted a stream. */
  async hasStream(): Promise<boolean> {
    return await this.#has(`what = 'stream'`, [])
  }

  /** True if the run has confirmed its target; another target may have been confirmed since. */
  async hasMoved(): Promise<boolean> {
    return await this.#has(`what = 'moved'`, [])
  }

  async has(what: Restarted, { schema, name }: TableKey): Promise<boolean> {
    return await this.#has(`what = ? AND schema_name = ? AND table_name = ?`, [what, schema, name])
  }

  /** True if the run has retired the chunks of all these tables, as a restart does. */
  async haveChunks(keys: readonly TableKey[]): Promise<boolean> {
    for (const key of keys) if (!(await this.has('chunks', key))) return false
    return true
  }

  /** Statements for the transaction that restarts. */
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
