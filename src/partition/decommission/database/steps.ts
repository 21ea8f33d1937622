/**
 * The steps by which a whole database is retired, in the ledger of the database that its tables have moved to. Effect and row are in two databases: so an intent is
 * written first, the effect does no harm when it happens twice, and a row behind it says that it is done.
 */
import { randomUUID } from 'node:crypto'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { DatabaseUse } from '../../../model/partition/retirement-port.ts'
import { makeLateTable } from '../../../engine/copy/ledger/late-tables.ts'
import type { StepBy } from '../decommission-ledger.ts'
import type { KeptTable } from './both-sides.ts'

/** Intents are `closing`, `opening` and `dropping`; what they end with is `inactive`, `active` and `dropped`. */
export type DatabaseStepName = 'closing' | 'inactive' | 'opening' | 'active' | 'dropping' | 'dropped'

export type DatabaseDetail = {
  /** Of `closing`: how many connections the database takes at the same time, -1 for any number. */
  readonly connectionLimit?: number
  /** Of `closing`: what goes with the database though no run has copied it. */
  readonly left?: readonly string[]
  /** Of `inactive`: sessions that were ended, and the counters behind that. */
  readonly ended?: readonly string[]
  readonly use?: DatabaseUse
  /** Tables that have moved, as both sides were then; a step of an older sluice has none. */
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

  /** Of one database, the oldest first; none in a ledger that knows of none. */
  async of(identity: string): Promise<readonly DatabaseStep[]> {
    if (!(await this.#isThere())) return []
    const sql = `SELECT ${COLUMNS} FROM ${NAME} WHERE database_identity = ? ORDER BY step_no`
    return (await this.#database.all(sql, [identity])).map(stepOf)
  }

  /** The last step of each database of a server that had this name. */
  async named(server: string, name: string): Promise<readonly DatabaseStep[]> {
    if (!(await this.#isThere())) return []
    const sql = `SELECT ${COLUMNS} FROM ${NAME} WHERE database_name = ? ORDER BY done_ms, step_no`
    const steps = (await this.#database.all(sql, [name])).map(stepOf)
    return [...new Map(steps.map((step) => [step.identity, step])).values()].filter(({ identity }) =>
      identity.startsWith(server),
    )
  }

  /** Clock of the ledger, ms since the epoch. */
  async now(): Promise<number> {
    const [row] = await this.#database.all(`SELECT ${ledgerDialect(this.#database.dialect).now}`)
    return Number(row?.[0])
  }

  /**
   * @param before number of the last step, 0 where there is none
   * @returns the number of this one
   * @throws SluiceError PLAN_CHANGED where another program has noted a step meanwhile
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
      // The answer to the first attempt may have got lost.
      if (row[0] !== id) throw quicker(name)
    }
    return no
  }

  async #isThere(): Promise<boolean> {
    return (await this.#database.all(ledgerDialect(this.#database.dialect).columns, [NAME])).length > 0
  }
}

/** The ledger does not say of a database what this program has read or noted. */
export function quicker(name: string): SluiceError {
  return new SluiceError('PLAN_CHANGED', `${name} stands otherwise by now`, {
    where: name,
    reason: 'another program was quicker, or the ledger came back from a backup',
    hint: 'run the same command again: it looks anew',
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
