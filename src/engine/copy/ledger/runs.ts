/** Runs and plans in the ledger: one row per run, and one per target table that a copy fills. */
import { asSluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import type { OperationContext } from '../../run/operation.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ownerValues } from '../../../stores/common/lease/columns.ts'
import { COPY_LEASE_MS, type RunOwner, type TableKey } from './owner.ts'
import { markKilled, killedRunRows } from './killed-runs.ts'
import { storableError } from './error-text.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { forgetBatches } from './once.ts'
import { runStatement } from './statement.ts'

export type NewRunRow = {
  readonly operation: string
  readonly source: string
  readonly target: string
  readonly planHash: string
  readonly command: string
  readonly tool: string
  readonly actor: string
}

export type PlanRow = {
  readonly source: string
  readonly sourceTable: string
  readonly hash: string
  /** The text that was hashed, as JSON. It is used to name the options that differ. */
  readonly plan: string
  /** Options of the copy, as JSON. */
  readonly wishes: string
  readonly chunkRows: number
  /** True once every row of the source belongs to a chunk. */
  readonly planned: boolean
  /** True if the copy created the target table. */
  readonly madeHere: boolean
}

/**
 * The row of a run that begins.
 * @param source, target URLs; an empty one is of no store @param planHash empty if nothing is planned
 */
export function newRunRow(
  { commandLine: command, tool, actor }: Pick<OperationContext, 'commandLine' | 'tool' | 'actor'>,
  operation: string,
  [source, target]: readonly [source: string, target: string],
  planHash = '',
): NewRunRow {
  return { operation, source: redactUrl(source), target: redactUrl(target), planHash, command, tool, actor }
}

export class RunLedger {
  readonly #database: LedgerDatabase
  readonly #owner: RunOwner
  readonly #now: string
  readonly #unlessThere: string

  constructor(database: LedgerDatabase, owner: RunOwner) {
    this.#database = database
    this.#owner = owner
    const { now, unlessThere } = ledgerDialect(database.dialect)
    this.#now = now
    this.#unlessThere = unlessThere
  }

  /** Records the start of a run, and the end of killed runs. @param beats the run sends heartbeats, see `runRenewal` */
  async start(run: NewRunRow, beats = false): Promise<void> {
    await markKilled(this.#database, this.#owner)
    const [, ...identity] = ownerValues(this.#owner)
    await this.#database.batch([
      { sql: 'DELETE FROM migration_runs WHERE run_id = ?', parameters: [this.#owner.runId] },
      {
        sql: `INSERT INTO migration_runs (run_id, operation, source, target, status, plan_hash, command, tool, actor, host, pid, machine, process_started, started_ms, alive_until)
              VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ${this.#now}, ${beats ? `${this.#now} + ${COPY_LEASE_MS}` : 'NULL'})`,
        parameters: [
          this.#owner.runId,
          run.operation,
          run.source,
          run.target,
          run.planHash,
          run.command,
          run.tool,
          run.actor,
          ...identity,
        ],
      },
    ])
  }

  /** Source URL of a run, without password; null for an unknown run. */
  async sourceOf(runId: bigint): Promise<string | null> {
    const [row] = await this.#database.all('SELECT source FROM migration_runs WHERE run_id = ?', [runId])
    return row === undefined ? null : String(row[0])
  }

  /** Records the end of the run; releases its leases of tables, and its tokens. */
  async finish(status: string, exitCode: number, detail: string | null): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_runs SET status = ?, exit_code = ?, detail = ?, ended_ms = ${this.#now}, alive_until = NULL,
                rows_written = ${killedRunRows(this.#owner.runId)} WHERE run_id = ?`,
        parameters: [status, exitCode, detail === null ? null : storableError(detail), this.#owner.runId],
      },
      { sql: 'UPDATE migration_plans SET planner = NULL WHERE planner = ?', parameters: [this.#owner.id] },
      forgetBatches(this.#owner.id),
    ])
  }

  /**
   * Records the end of a run that threw; a requested stop is not a failure. Never rejects: the thrown error matters
   * more than an unreachable ledger.
   */
  async finishFailed(thrown: unknown): Promise<void> {
    const { kind, exitCode, message } = asSluiceError(thrown)
    await this.finish(kind === 'stopped' ? 'stopped' : 'failed', exitCode, message).catch(() => undefined)
  }

  /** The plan of the copy that fills or filled a target table; null if there is none. */
  async plan(key: TableKey): Promise<PlanRow | null> {
    const [row] = await this.#database.all(
      `SELECT source, source_table, plan_hash, plan, chunk_rows, planned, made_here, wishes FROM migration_plans
       WHERE schema_name = ? AND table_name = ?`,
      [key.schema, key.name],
    )
    if (row === undefined) return null
    const [source, sourceTable, hash, plan, chunkRows, planned, madeHere, options] = row
    return {
      source: String(source),
      sourceTable: String(sourceTable),
      hash: String(hash),
      plan: String(plan),
      wishes: String(options),
      chunkRows: Number(chunkRows),
      planned: Number(planned) === 1,
      madeHere: Number(madeHere) === 1,
    }
  }

  /** Deletes the plan: the table is then copied as if for the first time. */
  async forgetPlan(key: TableKey): Promise<void> {
    const sql = 'DELETE FROM migration_plans WHERE schema_name = ? AND table_name = ?'
    await runStatement(this.#database, sql, [key.schema, key.name])
  }

  /** `Identification.mark` of the target table at its last check; null if none is recorded. */
  async targetMark(key: TableKey): Promise<string | null> {
    const [row] = await this.#database.all(
      'SELECT target_mark FROM migration_plans WHERE schema_name = ? AND table_name = ?',
      [key.schema, key.name],
    )
    return row?.[0] == null ? null : String(row[0])
  }

  /** Rows of the target that no chunk wrote, for a table that is counted as a whole; null if unknown. */
  async planSurplus(key: TableKey): Promise<bigint | null> {
    const { castText } = ledgerDialect(this.#database.dialect).types
    const [row] = await this.#database.all(
      `SELECT CAST(surplus AS ${castText}) FROM migration_plans WHERE schema_name = ? AND table_name = ?`,
      [key.schema, key.name],
    )
    return row?.[0] == null ? null : BigInt(String(row[0]))
  }

  async notePlanSurplus(key: TableKey, surplus: bigint): Promise<void> {
    const sql = 'UPDATE migration_plans SET surplus = ? WHERE schema_name = ? AND table_name = ?'
    await runStatement(this.#database, sql, [surplus, key.schema, key.name])
  }

  /** Start of this run, by the clock of the ledger's database. */
  async startedMs(): Promise<number> {
    const [row] = await this.#database.all('SELECT started_ms FROM migration_runs WHERE run_id = ?', [
      this.#owner.runId,
    ])
    return Number(row?.[0] ?? 0)
  }

  async noteTargetMark(key: TableKey, mark: string): Promise<void> {
    const sql = 'UPDATE migration_plans SET target_mark = ? WHERE schema_name = ? AND table_name = ?'
    await runStatement(this.#database, sql, [mark, key.schema, key.name])
  }

  /** Stores a plan, unless the table has one. @param instead true to replace the plan of an earlier run */
  async savePlan(key: TableKey, plan: PlanRow, instead: boolean): Promise<void> {
    const { runId } = this.#owner
    const forget: Statement = {
      // Keeps the row of this run, in case the batch is run again.
      sql: 'DELETE FROM migration_plans WHERE schema_name = ? AND table_name = ? AND run_id <> ?',
      parameters: [key.schema, key.name, runId],
    }
    await this.#database.batch([
      ...(instead ? [forget] : []),
      {
        sql: `INSERT INTO migration_plans (schema_name, table_name, source, source_table, plan_hash, plan, wishes, run_id, chunk_rows, planned, made_here, created_ms)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${this.#now}) ${this.#unlessThere}`,
        parameters: [
          key.schema,
          key.name,
          plan.source,
          plan.sourceTable,
          plan.hash,
          plan.plan,
          plan.wishes,
          runId,
          plan.chunkRows,
          plan.planned ? 1 : 0,
          plan.madeHere ? 1 : 0,
        ],
      },
    ])
  }
}
