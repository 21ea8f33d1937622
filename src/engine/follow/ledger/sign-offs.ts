/** Sign-offs in the ledger: one program writes the request, another the answer; they may be on two machines. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { SignOff, SignedTable } from '../../../model/follow/sign-off.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { SidesWhere } from '../stream/partition-where.ts'
import { makeLateTable } from '../../copy/ledger/late-tables.ts'
import type { TableKey } from '../../copy/ledger/owner.ts'
import { hasTable, runStatement } from '../../copy/ledger/statement.ts'

/** What is compared. @property tables names in the source; empty for all tables of the stream */
export type SignOffScope = {
  readonly tables: readonly string[]
  /** One partition of the only table in `tables`. */
  readonly partition?: {
    readonly source: TableName
    readonly target: TableName
    /** Set if one side lacks the partition: its name, and conditions for its rows in `source` and `target`. */
    readonly name?: string
    readonly where?: SidesWhere
  }
}

export type SignOffRequest = { readonly id: string; readonly scope: SignOffScope }

/** Result of a comparison for a sign-off. */
export type SignOffAnswer = {
  readonly position: string
  readonly pauseMs: number
  readonly run: string
  readonly tables: readonly Omit<SignedTable, 'target'>[]
}

export type AnsweredSignOff = SignOffAnswer & { readonly begunMs: number; readonly endedMs: number }

/** An ended sign-off. @property isOutdated the table was copied again after the comparison */
export type SignOffVerdictRow = {
  readonly id: string
  readonly by: string
  readonly endedMs: number
  /** True if the verdict is `given`, false if it is `refused`. */
  readonly given: boolean
  readonly scope: SignOffScope
  readonly isOutdated: boolean
}

/** Steps of a sign-off that has not ended. */
export type SignOffStep = 'asked' | 'comparing' | 'compared'

const NAME = 'migration_sign_offs'

export class SignOffLedger {
  readonly #database: LedgerDatabase
  readonly #now: string
  #exists = false

  constructor(database: LedgerDatabase) {
    this.#database = database
    this.#now = ledgerDialect(database.dialect).now
  }

  /** Creates the table of sign-offs if the ledger has none. */
  async prepare(): Promise<void> {
    if (!(await this.exists())) await makeLateTable(this.#database, NAME)
    this.#exists = true
  }

  /** True if the ledger has the table of sign-offs. */
  async exists(): Promise<boolean> {
    this.#exists ||= await hasTable(this.#database, NAME)
    return this.#exists
  }

  async ask(id: string, stream: string, runId: bigint, scope: SignOffScope): Promise<void> {
    const sql = `INSERT INTO ${NAME} (sign_off_id, stream_id, run_id, status, wanted, asked_ms) VALUES (?, ?, ?, 'asked', ?, ${this.#now})`
    await runStatement(this.#database, sql, [id, stream, runId, JSON.stringify(scope)])
  }

  /** The oldest waiting request; also a request whose comparison has begun, but did not end. */
  async waiting(stream: string): Promise<SignOffRequest | null> {
    const [row] = await this.#database.all(
      `SELECT sign_off_id, wanted FROM ${NAME} WHERE stream_id = ? AND status IN ('asked', 'comparing') ORDER BY asked_ms, sign_off_id LIMIT 1`,
      [stream],
    )
    return row === undefined ? null : { id: String(row[0]), scope: JSON.parse(String(row[1])) as SignOffScope }
  }

  async begun(id: string): Promise<void> {
    const sql = `UPDATE ${NAME} SET status = 'comparing', begun_ms = ${this.#now} WHERE sign_off_id = ? AND status IN ('asked', 'comparing')`
    await runStatement(this.#database, sql, [id])
  }

  async answer(id: string, answer: SignOffAnswer): Promise<void> {
    const sql = `UPDATE ${NAME} SET status = 'compared', answer = ?, log_position = ?, compared_ms = ${this.#now} WHERE sign_off_id = ? AND status = 'comparing'`
    await runStatement(this.#database, sql, [JSON.stringify(answer), answer.position, id])
  }

  /** Status of a sign-off; null if the ledger does not have it. */
  async step(id: string): Promise<SignOffStep | null> {
    const [row] = await this.#database.all(`SELECT status FROM ${NAME} WHERE sign_off_id = ?`, [id])
    return row === undefined ? null : (String(row[0]) as SignOffStep)
  }

  /** @returns null until the comparison has ended */
  async answered(id: string): Promise<AnsweredSignOff | null> {
    const [row] = await this.#database.all(
      `SELECT answer, begun_ms, compared_ms FROM ${NAME} WHERE sign_off_id = ? AND status = 'compared'`,
      [id],
    )
    if (row === undefined) return null
    const answer = JSON.parse(String(row[0])) as SignOffAnswer
    return { ...answer, begunMs: Number(row[1]), endedMs: Number(row[2]) }
  }

  /** Records that the tables cannot be compared: no program tries again. */
  async refuse(id: string, failed: ErrorInfo): Promise<void> {
    const sql = `UPDATE ${NAME} SET status = 'dropped', answer = ?, ended_ms = ${this.#now} WHERE sign_off_id = ? AND status = 'comparing'`
    await runStatement(this.#database, sql, [JSON.stringify({ failed }), id])
  }

  /** @returns why the tables could not be compared; null if the sign-off was not refused */
  async refused(id: string): Promise<ErrorInfo | null> {
    const [row] = await this.#database.all(
      `SELECT answer FROM ${NAME} WHERE sign_off_id = ? AND status = 'dropped' AND answer IS NOT NULL`,
      [id],
    )
    return row === undefined ? null : ((JSON.parse(String(row[0])) as { readonly failed?: ErrorInfo }).failed ?? null)
  }

  /** Stores the document with its verdict. */
  async close({ id, by, verdict, tool, ...rest }: SignOff): Promise<void> {
    const document: SignOff = { id, by, verdict, tool, ...rest }
    const sql = `UPDATE ${NAME} SET status = ?, signed_by = ?, tool = ?, document = ?, ended_ms = ${this.#now} WHERE sign_off_id = ?`
    await runStatement(this.#database, sql, [verdict, by, tool, JSON.stringify(document), id])
  }

  /** Sign-offs of a stream, newest first. @param key a sign-off is outdated if this table was copied again after it */
  async verdicts(stream: string, { schema, name }: TableKey): Promise<readonly SignOffVerdictRow[]> {
    if (!(await this.exists())) return []
    const rows = await this.#database.all(
      `SELECT sign_off_id, signed_by, ended_ms, status, wanted, COALESCE(compared_ms, ended_ms) FROM ${NAME}
       WHERE stream_id = ? AND status IN ('given', 'refused') ORDER BY ended_ms DESC, sign_off_id`,
      [stream],
    )
    const [again] = await this.#database.all(
      `SELECT MAX(retired_ms) FROM migration_chunk_history WHERE schema_name = ? AND table_name = ? AND reason = 'resync'`,
      [schema, name],
    )
    return rows.map(([id, by, endedMs, status, wanted, comparedMs]) => ({
      id: String(id),
      by: String(by ?? ''),
      endedMs: Number(endedMs),
      given: status === 'given',
      scope: JSON.parse(String(wanted)) as SignOffScope,
      isOutdated: again?.[0] != null && Number(again[0]) >= Number(comparedMs),
    }))
  }

  /** Cancels the request: its caller has stopped waiting. */
  async drop(id: string): Promise<void> {
    const sql = `UPDATE ${NAME} SET status = 'dropped', ended_ms = ${this.#now} WHERE sign_off_id = ? AND status IN ('asked', 'comparing', 'compared')`
    await runStatement(this.#database, sql, [id])
  }
}
