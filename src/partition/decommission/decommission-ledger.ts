/** Steps that retire an old table, in the ledger: one row per step; `step_no` orders the steps after a cutover. */
import { hasTable } from '../../engine/copy/ledger/statement.ts'
import { randomUUID } from 'node:crypto'
import type { TableUse } from '../../model/partition/decommission-port.ts'
import type { LedgerDatabase, Statement } from '../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { makeLateTable } from '../../engine/copy/ledger/late-tables.ts'
import type { CutoverRow } from '../../engine/follow/cutover/cutover-row.ts'

/**
 * `looked`: counters of reads and writes were recorded. `inactive`: only its owner may use the table. `active`:
 * `inactive` was undone. `archived`: a copy was made and compared. `dropped`: the table was removed.
 */
export type DecommissionStepName = 'looked' | 'inactive' | 'active' | 'archived' | 'dropped'

/** Details of a step. @property grants revoked rights @property use counters of the table at that time */
export type DecommissionDetail = {
  readonly grants?: string
  readonly use?: TableUse
  readonly streamEnded?: boolean
  /** For step `archived`: the copy that was made and compared. */
  readonly archive?: {
    /** URL of the target, without password. */
    readonly to: string
    /** Number of rows of the old table. */
    readonly rows: string
    /** Checksum of these rows. */
    readonly sum: string
    /** Digest of the copy, in the types of its target; absent in rows of older versions. */
    readonly copy?: { readonly rows: string; readonly sum: string }
  }
}

export type DecommissionRow = {
  readonly step: DecommissionStepName
  /** Identity of the old table. */
  readonly identity: string
  readonly doneMs: number
  readonly actor: string
  readonly detail: DecommissionDetail
}

export type NewStep = Pick<DecommissionRow, 'step' | 'identity' | 'detail'>

/** Run, user and program version that record a step. */
export type StepBy = { readonly runId: string; readonly actor: string; readonly tool: string }

const NAME = 'migration_decommissions'
/** The last of these steps is the state of the table. */
const STATE_STEPS = `step IN ('inactive', 'active', 'dropped')`

export class DecommissionLedger {
  readonly #database: LedgerDatabase
  readonly #row: CutoverRow
  readonly #by: StepBy

  constructor(database: LedgerDatabase, row: CutoverRow, by: StepBy) {
    this.#database = database
    this.#row = row
    this.#by = by
  }

  async prepare(): Promise<void> {
    await makeLateTable(this.#database, NAME)
  }

  /** Steps of the table, oldest first; empty if the ledger has none. */
  async steps(): Promise<readonly DecommissionRow[]> {
    if (!(await hasTable(this.#database, NAME))) return []
    const rows = await this.#database.all(
      `SELECT step, identity, done_ms, actor, detail FROM migration_decommissions WHERE switch_id = ? ORDER BY step_no, decommission_id`,
      [this.#row.id],
    )
    return rows.map(([step, identity, done, actor, detail]) => ({
      step: String(step) as DecommissionStepName,
      identity: String(identity ?? ''),
      doneMs: Number(done),
      actor: String(actor ?? ''),
      detail: detail == null ? {} : (JSON.parse(String(detail)) as DecommissionDetail),
    }))
  }

  async note(step: NewStep): Promise<void> {
    await this.#database.batch([this.statement(step)])
  }

  /** Statement that records a step, for the transaction of the step. */
  statement({ step, identity, detail }: NewStep): Statement {
    const { now } = ledgerDialect(this.#database.dialect)
    const { runId, actor, tool } = this.#by
    return {
      sql: `INSERT INTO migration_decommissions (decommission_id, switch_id, step_no, step, parked_table, identity, run_id, done_ms, actor, tool, detail)
            SELECT ?, ?, coalesce(max(step_no), 0) + 1, ?, ?, ?, ?, ${now}, ?, ?, ? FROM migration_decommissions WHERE switch_id = ?`,
      parameters: [
        randomUUID(),
        this.#row.id,
        step,
        this.#row.oldTable,
        identity,
        BigInt(runId),
        actor,
        tool,
        JSON.stringify(detail),
        this.#row.id,
      ],
    }
  }

  /**
   * Query that returns a row while the table has the required state, its cutover is the last one of the public table,
   * the grace period is over, and its reverse stream has ended.
   * @param state required state: the last step that changed it, or `active` if there is no such step
   */
  guard(state: 'inactive' | 'active', graceMs = 0): Statement {
    const { now } = ledgerDialect(this.#database.dialect)
    const { id, publicTable, reverse } = this.#row
    return {
      sql: `SELECT 1 FROM migration_switches s WHERE s.switch_id = ? AND s.status IN ('switched', 'done') AND s.switched_ms + ? <= ${now}
              AND NOT EXISTS (SELECT 1 FROM migration_switches n WHERE n.public_table = ? AND n.begun_ms > s.begun_ms AND n.status <> 'given up')
              AND NOT EXISTS (SELECT 1 FROM migration_streams r WHERE r.stream_id = ? AND r.status <> 'ended')
              AND coalesce((SELECT d.step FROM migration_decommissions d WHERE d.switch_id = s.switch_id AND d.${STATE_STEPS} ORDER BY d.step_no DESC LIMIT 1), 'active') = ?`,
      parameters: [id, graceMs, publicTable, reverse, state],
    }
  }
}

/** State of the table: the last step that changed it. */
export function lastDecommissionStep(steps: readonly DecommissionRow[]): DecommissionRow | null {
  return steps.findLast(({ step }) => step === 'inactive' || step === 'active' || step === 'dropped') ?? null
}
