/**
 * Steps that retire a database, recorded in the ledger of the database that its tables moved to. Effect and record are
 * in different databases, so the intent is recorded first, the effect is idempotent, and a further record confirms it.
 */
import { clockOf, hasTable } from '../../../engine/copy/ledger/statement.ts'
import { randomUUID } from 'node:crypto'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { DatabaseUse } from '../../../model/partition/retirement-port.ts'
import { makeLateTable } from '../../../engine/copy/ledger/late-tables.ts'
import type { StepBy } from '../decommission-ledger.ts'
import type { KeptTable } from './both-sides.ts'

/** Intents are `closing`, `opening` and `dropping`; they are completed by `inactive`, `active` and `dropped`. */
export type DatabaseStepName = 'closing' | 'inactive' | 'opening' | 'active' | 'dropping' | 'dropped'

export type DatabaseDetail = {
  /** `closing`: connection limit of the database, -1 for none. */
  readonly connectionLimit?: number
  /** `closing`: uncopied content that is removed with the database. */
  readonly left?: readonly string[]
  /** `inactive`: `ended` has the sessions that sluice ended, `use` the counters after that. */
  readonly ended?: readonly string[]
  readonly use?: DatabaseUse
  /** State of moved tables on both sides at that time; absent in steps of an older sluice. */
  readonly kept?: readonly KeptTable[]
}

export type DatabaseStep = {
  readonly no: number
  readonly step: DatabaseStepName
  readonly identity: string
  readonly name: string
  readonly doneMs: number
  readonly actor: string
  readonly detail: DatabaseDetail
}

const NAME = 'migration_database_decommissions'
const COLUMNS = 'step_no, step, database_identity, database_name, done_ms, actor, detail'

export class DatabaseSteps {
  readonly #database: LedgerDatabase
  readonly #by: StepBy

  constructor(database: LedgerDatabase, by: StepBy) {
    this.#database = database
    this.#by = by
  }

  async prepare(): Promise<void> {
    await makeLateTable(this.#database, NAME)
  }

  /** Steps of one database, oldest first; empty if the ledger has none. */
  async of(identity: string): Promise<readonly DatabaseStep[]> {
    if (!(await hasTable(this.#database, NAME))) return []
    const sql = `SELECT ${COLUMNS} FROM ${NAME} WHERE database_identity = ? ORDER BY step_no`
    return (await this.#database.all(sql, [identity])).map(stepOf)
  }

  /** For each database that had this name on the server: its last step. */
  async named(server: string, name: string): Promise<readonly DatabaseStep[]> {
    if (!(await hasTable(this.#database, NAME))) return []
    const sql = `SELECT ${COLUMNS} FROM ${NAME} WHERE database_name = ? ORDER BY done_ms, step_no`
    const steps = (await this.#database.all(sql, [name])).map(stepOf)
    return [...new Map(steps.map((step) => [step.identity, step])).values()].filter(({ identity }) =>
      identity.startsWith(server),
    )
  }

  /** Clock of the ledger, ms since the epoch. */
  now(): Promise<number> {
    return clockOf(this.#database)
  }

  /**
   * Records a step.
   * @param before number of the last step, 0 if there is none
   * @returns the number of this step
   * @throws SluiceError PLAN_CHANGED if another program has recorded a step meanwhile
   */
  async note(
    before: number,
    { identity, name, step, detail }: Pick<DatabaseStep, 'identity' | 'name' | 'step' | 'detail'>,
  ): Promise<number> {
    const { now } = ledgerDialect(this.#database.dialect)
    const { runId, actor, tool } = this.#by
    const [id, no] = [randomUUID(), before + 1]
    const sql = `INSERT INTO ${NAME} (database_identity, step_no, decommission_id, step, database_name, run_id, done_ms, actor, tool, detail)
                 VALUES (?, ?, ?, ?, ?, ?, ${now}, ?, ?, ?)`
    const parameters = [identity, no, id, step, name, BigInt(runId), actor, tool, JSON.stringify(detail)]
    try {
      await this.#database.batch([{ sql, parameters }])
    } catch (error) {
      const find = `SELECT decommission_id FROM ${NAME} WHERE database_identity = ? AND step_no = ?`
      const [row] = await this.#database.all(find, [identity, no])
      if (row === undefined) throw error
      // The reply to the first attempt may have been lost.
      if (row[0] !== id) throw ledgerChanged(name)
    }
    return no
  }
}

/** Error if the ledger differs from what this program read or recorded. */
export function ledgerChanged(name: string): SluiceError {
  return new SluiceError('PLAN_CHANGED', `${name} has changed in the meantime`, {
    where: name,
    reason: 'another program changed it, or the ledger was restored from a backup',
    hint: 'run the same command again: it reads the state again',
  })
}

function stepOf([no, step, identity, name, done, actor, detail]: SqlRow): DatabaseStep {
  return {
    no: Number(no),
    step: String(step) as DatabaseStepName,
    identity: String(identity),
    name: String(name),
    doneMs: Number(done),
    actor: String(actor ?? ''),
    detail: detail == null ? {} : (JSON.parse(String(detail)) as DatabaseDetail),
  }
}
