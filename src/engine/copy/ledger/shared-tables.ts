/** State of a table that tasks of a run share: its start, and whether one task has counted the earlier chunks. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { LedgerTotals } from '../../../model/share/distributed.ts'
import { makeLateTable } from './late-tables.ts'
import type { TableKey } from './owner.ts'
import { CLOSED } from './stored-chunk.ts'
import { runStatement } from './statement.ts'

const TABLE = 'shared_run = ? AND schema_name = ? AND table_name = ?'

/**
 * @property begunMs by the clock of the ledger's database
 * @property lookedBy run that has counted the earlier chunks and found them as expected; null if no run has
 */
export type SharedTableState = { readonly begunMs: number; readonly lookedBy: bigint | null }

export class SharedTables {
  readonly #database: LedgerDatabase
  readonly #sharedRun: string

  /** @param sharedRun equal for all tasks and executions; another value if the run was resumed after its end */
  constructor(database: LedgerDatabase, sharedRun: string) {
    this.#database = database
    this.#sharedRun = sharedRun
  }

  /**
   * Records the start of tables; only the record of the first execution is kept.
   * @param begunMs start of this execution
   */
  async begin(keys: readonly TableKey[], begunMs: number): Promise<void> {
    await makeLateTable(this.#database, 'migration_shared_tables')
    const { unlessThere } = ledgerDialect(this.#database.dialect)
    await this.#database.batch(
      keys.map(({ schema, name }) => ({
        sql: `INSERT INTO migration_shared_tables (shared_run, schema_name, table_name, begun_ms) VALUES (?, ?, ?, ?) ${unlessThere}`,
        parameters: [this.#sharedRun, schema, name, begunMs],
      })),
    )
  }

  /** @returns null for a table that no execution has started */
  async stateOf(key: TableKey): Promise<SharedTableState | null> {
    const { castText } = ledgerDialect(this.#database.dialect).types
    const [row] = await this.#database.all(
      `SELECT begun_ms, CAST(looked_by AS ${castText}) FROM migration_shared_tables WHERE ${TABLE}`,
      this.#parameters(key),
    )
    if (row === undefined) return null
    return { begunMs: Number(row[0]), lookedBy: row[1] == null ? null : BigInt(String(row[1])) }
  }

  /** Records that all earlier chunks are as expected. */
  async noteRecounted(key: TableKey, runId: bigint): Promise<void> {
    const { now } = ledgerDialect(this.#database.dialect)
    const sql = `UPDATE migration_shared_tables SET looked_by = ?, looked_ms = ${now} WHERE ${TABLE}`
    await runStatement(this.#database, sql, [runId, ...this.#parameters(key)])
  }

  /** Rows and chunks that all executions of the run have completed so far, including those before a resumption. */
  async totals(): Promise<LedgerTotals> {
    return (await this.#read(null)).totals
  }

  /**
   * Totals up to the end of the run; null if the ledger has no start of the run, because older versions did not record
   * it.
   * @param agoMs time since the end of the run, ms: chunks completed later are left out, because other runs may have
   * completed them
   */
  async totalsAtEnd(agoMs: number): Promise<LedgerTotals | null> {
    const { totals, isBegun } = await this.#read(agoMs)
    return isBegun ? totals : null
  }

  async #read(agoMs: number | null): Promise<{ readonly totals: LedgerTotals; readonly isBegun: boolean }> {
    const { now, types } = ledgerDialect(this.#database.dialect)
    const [run = ''] = this.#sharedRun.split('/')
    const ofRun = 'WHERE shared_run = ? OR shared_run LIKE ?'
    const [row = []] = await this.#database.all(
      `SELECT CAST(COALESCE(SUM(rows_read), 0) AS ${types.castText}), COUNT(*), CAST(${now} AS ${types.castText}),
         (SELECT COUNT(*) FROM migration_shared_tables ${ofRun})
       FROM migration_checkpoints c JOIN (
         SELECT schema_name AS begun_schema, table_name AS begun_table, MIN(begun_ms) AS begun_ms FROM migration_shared_tables
         ${ofRun} GROUP BY schema_name, table_name) b
         ON b.begun_schema = c.schema_name AND b.begun_table = c.table_name
       WHERE ${CLOSED} AND completed_ms >= begun_ms${agoMs === null ? '' : ` AND completed_ms <= ${now} - ?`}`,
      [run, `${run}/%`, run, `${run}/%`, ...(agoMs === null ? [] : [Math.floor(agoMs)])],
    )
    const [rows, chunks, at, begun] = row
    const totals = { rows: BigInt(String(rows ?? 0)), chunks: Number(chunks ?? 0), at: Number(at ?? 0) }
    return { totals, isBegun: Number(begun) > 0 }
  }

  #parameters({ schema, name }: TableKey): readonly string[] {
    return [this.#sharedRun, schema, name]
  }
}
